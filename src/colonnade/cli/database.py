"""Verbs to come."""

from typing import Any

COMMANDS: tuple[Any, ...] = ()
