"""The command line: one module for each group of verbs; each parses, calls one function and prints."""

from colonnade.cli.main import main

__all__ = ["main"]
