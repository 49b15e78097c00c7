"""The database from near: a prompt on the primary."""

import asyncio
from typing import Any

import click

from colonnade import paths
from colonnade.adapters.ssh import SshFleet
from colonnade.cli.context import invocation, stack_file_option
from colonnade.cli.machines import become_ssh, on_two_terminals, pass_through, reached, without_dashes
from colonnade.control.observe import ask, everywhere
from colonnade.facts import Question
from colonnade.topology import Machine, Topology
