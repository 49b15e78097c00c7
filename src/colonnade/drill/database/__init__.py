"""The database's drills: its faults, what its clients wrote and read back, and what must still be there."""

from colonnade.drill.database.check import Check, check
from colonnade.drill.database.cluster import Sample, Wanted, parse_samples, redundant_since, troubles
from colonnade.drill.database.events import Kind, Log, Outcome, Write, parse_events
from colonnade.drill.database.faults import FAULTS, LEFT_OUT
from colonnade.drill.database.result import Evidence, Result, judge
from colonnade.drill.database.rows import Rows, parse_rows

__all__ = [
    "FAULTS",
    "LEFT_OUT",
    "Check",
    "Evidence",
    "Kind",
    "Log",
    "Outcome",
    "Result",
    "Rows",
    "Sample",
    "Wanted",
    "Write",
    "check",
    "judge",
    "parse_events",
    "parse_rows",
    "parse_samples",
    "redundant_since",
    "troubles",
]
