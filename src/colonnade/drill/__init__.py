"""Drills: a fault injected on purpose under load, and a verdict on what it cost. Pure.

What is general: a `Fault` (what is done to which machines, and how it is undone), the longest `Gap` without a
success, the `Verdict`, the picture of a drill, and the figures of one that was repeated. What belongs to the
database (its faults, what its clients wrote and read, how a cluster is seen to be whole) is in `drill.database`.
"""

from colonnade.drill.act import Act, Await, Cable, Cast, Do, Part, Pause, Power
from colonnade.drill.course import Course
from colonnade.drill.fault import Fault, Limits, Load
from colonnade.drill.gap import Gap, longest_gap
from colonnade.drill.picture import Bar, Lane, Picture, Span, draw
from colonnade.drill.verdict import Series, Verdict, series, unfit

__all__ = [
    "Act",
    "Await",
    "Bar",
    "Cable",
    "Cast",
    "Course",
    "Do",
    "Fault",
    "Gap",
    "Lane",
    "Limits",
    "Load",
    "Part",
    "Pause",
    "Picture",
    "Power",
    "Series",
    "Span",
    "Verdict",
    "draw",
    "longest_gap",
    "series",
    "unfit",
]
