"""Colonnade: a highly available web stack on ordinary Linux machines, from one file."""

__version__ = "0.1.0"
