"""A drill as a picture: successes over time, errors, who was what, the fault and the gap. One SVG file of its own.

Colours follow the reader's light or dark mode; everything that a colour says is written as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from colonnade.drill.gap import Gap

WIDTH = 1000
LEFT = 110
RIGHT = 20
CHART_TOP = 128
GAP_LINE = 114
"""Where the gap is marked: above the bars, which would hide it."""
LEGEND = 64
CHART_HEIGHT = 150
LANE_HEIGHT = 22
LANE_STEP = 28
CHARACTER = 6.6
"""Width of a character of the picture's text at its usual size, about."""
FOOT = 58
"""Below the lanes: the axis, and what the colours mean."""
TICKS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
MOST_TICKS = 12

_LIGHT = {
    "paper": "#ffffff", "ink": "#1b1f24", "dim": "#5d6670", "axis": "#d4d9df", "good": "#2a7f62", "bad": "#c4314b",
    "fault": "#fdf0cd", "edge": "#8a6100", "primary": "#2a7f62", "replica": "#3a6ea8", "other": "#6e747d",
    "moving": "#95650c",
}  # fmt: skip
_DARK = {
    "paper": "#14171b", "ink": "#e8eaed", "dim": "#9aa3ad", "axis": "#3a424b", "good": "#4fb893", "bad": "#f0708a",
    "fault": "#332b17", "edge": "#e5b94c", "primary": "#2f8f70", "replica": "#3f77b5", "other": "#5b626b",
    "moving": "#9a7420",
}  # fmt: skip


def _colours(of: Mapping[str, str]) -> str:
    """Return the rules that depend on the mode; written out, since not every program knows variables in style."""
    fills = ("paper", "good", "bad", "fault", "primary", "replica", "other", "moving")
    return " ".join(
        (
            f"text {{ fill: {of['ink']}; }}",
            f".dim {{ fill: {of['dim']}; }} .edgetext {{ fill: {of['edge']}; }} .gaptext {{ fill: {of['bad']}; }}",
            f".axis {{ stroke: {of['axis']}; }} .edge {{ stroke: {of['edge']}; }} .gapline {{ stroke: {of['bad']}; }}",
            f".whole {{ stroke: {of['dim']}; }}",
            f".silent {{ stroke: {of['other']}; }}",
            *(f".{name} {{ fill: {of[name]}; }}" for name in fills),
            ".in { fill: #ffffff; }",
        )
    )


STYLE = f"""
svg {{ color-scheme: light dark; }}
text {{ font: 12px system-ui, "DejaVu Sans", sans-serif; }}
.title {{ font-size: 17px; font-weight: 600; }}
.axis {{ stroke-width: 1; }}
.whole {{ stroke-width: 1.5; stroke-dasharray: 2 3; }}
.edge {{ stroke-width: 1.5; stroke-dasharray: 5 3; }} .gapline {{ stroke-width: 2; }}
.silent {{ fill: none; stroke-dasharray: 3 3; }}
{_colours(_LIGHT)}
@media (prefers-color-scheme: dark) {{ {_colours(_DARK)} }}
"""

MEANING = {"serves": "primary", "follows": "replica", "between the two": "moving", "silent or down": "silent"}

SERVES = frozenset({"protected", "alone"})
FOLLOWS = frozenset({"standby", "following"})
ABSENT = frozenset({"silent", "down"})
NEUTRAL = frozenset({"witness"})


@dataclass(frozen=True, slots=True)
class Bar:
    """What succeeded and what failed in one slot of time that begins at ``at``."""

    at: float
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class Span:
    """A state that lasted from ``begin`` to ``end``."""

    begin: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One machine's states, one after the other."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Picture:
    """All that is drawn; times in seconds since the epoch, shown from the fault's begin."""

    title: str
    subtitle: str
    begin: float
    end: float
    fault: tuple[float, float]
    bar_seconds: float
    bars: tuple[Bar, ...]
    lanes: tuple[Lane, ...]
    gap: Gap | None
    redundant: float | None
    good: str
    bad: str


def draw(picture: Picture) -> str:
    """Return the SVG document."""
    height = _lanes_top() + LANE_STEP * len(picture.lanes) + FOOT
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(picture.title)}">',
        f"<title>{escape(picture.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        *_head(picture),
        *_fault(picture, height),
        *_axes(picture, height),
        *_bars(picture),
        *_whole(picture, height),
        *_gap(picture),
        *_lanes(picture),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _lanes_top() -> int:
    return CHART_TOP + CHART_HEIGHT + 40


def _x(picture: Picture, at: float) -> float:
    share = (at - picture.begin) / (picture.end - picture.begin)
    return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>'


def _box(x: float, y: float, size: tuple[float, float], kind: str, title: str = "") -> str:
    width, height = size
    shape = f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0.5):g}" height="{max(height, 0):g}" class="{kind}"'
    return f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>"


def _head(picture: Picture) -> Iterator[str]:
    yield _text(LEFT, 26, picture.title, "title")
    yield _text(LEFT, 46, picture.subtitle, "dim")


def _fault(picture: Picture, height: int) -> Iterator[str]:
    begin, end = (_x(picture, at) for at in picture.fault)
    bottom = height - FOOT + 4
    yield _box(begin, GAP_LINE - 22, (end - begin, bottom - GAP_LINE + 22), "fault")
    yield _line(begin, GAP_LINE - 22, begin, bottom, "edge")
    yield _text(begin + 4, GAP_LINE - 27, "fault begins", "edgetext")
    yield _line(end, GAP_LINE - 22, end, bottom, "edge")
    close = end - begin < CHARACTER * len("fault begins  ")
    yield _text(end + 4, GAP_LINE - 27 - (14 if close else 0), "mended", "edgetext")


def _whole(picture: Picture, height: int) -> Iterator[str]:
    if picture.redundant is not None and picture.redundant > picture.fault[0]:
        x = _x(picture, picture.redundant)
        yield _line(x, CHART_TOP, x, height - FOOT + 4, "whole")
        seconds = picture.redundant - picture.fault[0]
        anchor = "end" if x > WIDTH - RIGHT - 180 else "start"
        shift = -4 if anchor == "end" else 4
        yield _text(x + shift, CHART_TOP + CHART_HEIGHT + 30, f"whole again after {seconds:.1f} s", "dim", anchor)


def _axes(picture: Picture, height: int) -> Iterator[str]:
    bottom, foot = CHART_TOP + CHART_HEIGHT, height - FOOT + 4
    yield _line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")
    length = picture.end - picture.begin
    step = next((tick for tick in TICKS if length / tick <= MOST_TICKS), TICKS[-1])
    zero = picture.fault[0]
    number = -int((zero - picture.begin) / step)
    while zero + number * step <= picture.end:
        x = _x(picture, zero + number * step)
        yield _line(x, foot, x, foot + 4, "axis")
        yield _text(x, foot + 16, f"{number * step:g} s", "dim", "middle")
        number += 1
    most = _most(picture)
    yield _text(LEFT - 8, CHART_TOP + 10, f"{most}", "dim", "end")
    yield _text(LEFT - 8, bottom, "0", "dim", "end")
    yield from _legend(WIDTH - RIGHT, LEGEND, ((picture.good, "good"), (picture.bad, "bad")))
    yield from _legend(WIDTH - RIGHT, height - 8, (*MEANING.items(),))


def _legend(right: float, y: float, entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Say what colours mean, in a row that ends at ``right``."""
    x = right - sum(CHARACTER * len(text) + 32 for text, _ in entries)
    for text, kind in entries:
        x += 18
        yield _box(x, y - 9, (9, 9), kind)
        yield _text(x + 14, y, text, "dim")
        x += CHARACTER * len(text) + 14


def _most(picture: Picture) -> int:
    return max((bar.good for bar in _shown(picture)), default=1) or 1


def _shown(picture: Picture) -> list[Bar]:
    return [bar for bar in picture.bars if picture.begin <= bar.at < picture.end]


def _bars(picture: Picture) -> Iterator[str]:
    """Successes stand on the line, errors hang from it; many errors are a bar as long as its place."""
    bottom, most = CHART_TOP + CHART_HEIGHT, _most(picture)
    for bar in _shown(picture):
        x = _x(picture, bar.at)
        width = max(0.6, _x(picture, bar.at + picture.bar_seconds) - x - 0.4)
        when = f"{bar.at - picture.fault[0]:+.1f} s"
        if bar.good:
            tall = bar.good / most * CHART_HEIGHT
            yield _box(x, bottom - tall, (width, tall), "good", f"{when}: {bar.good} {picture.good}")
        if bar.bad:
            yield _box(x, bottom + 2, (width, min(20.0, 3.0 + bar.bad)), "bad", f"{when}: {bar.bad} {picture.bad}")


def _gap(picture: Picture) -> Iterator[str]:
    if picture.gap is None:
        return
    begin, end = _x(picture, picture.gap.begin), _x(picture, picture.gap.end)
    yield _line(begin, GAP_LINE, end, GAP_LINE, "gapline")
    for x in (begin, end):
        yield _line(x, GAP_LINE - 5, x, GAP_LINE + 5, "gapline")
    text = f"{picture.gap.seconds:.2f} s without a write" + ("" if picture.gap.ended else ", and no end")
    wide = CHARACTER * len(text) + 8
    if end + wide < WIDTH - RIGHT:
        yield _text(end + 8, GAP_LINE + 4, text, "gaptext")
    else:
        yield _text(begin - 8, GAP_LINE + 4, text, "gaptext", "end")


def _lanes(picture: Picture) -> Iterator[str]:
    for number, lane in enumerate(picture.lanes):
        y = _lanes_top() + number * LANE_STEP
        yield _text(LEFT - 8, y + 15, lane.name, "", "end")
        for span in _visible(picture, lane.spans):
            begin, end = _x(picture, span.begin), _x(picture, span.end)
            kind = _kind(span.text)
            title = f"{lane.name} {span.text}, {span.begin - picture.fault[0]:+.1f} s to"
            yield _box(begin, y, (end - begin, LANE_HEIGHT), kind, f"{title} {span.end - picture.fault[0]:+.1f} s")
            if end - begin > CHARACTER * len(span.text) + 12:
                yield _text(begin + 5, y + 15, span.text, "dim" if kind == "silent" else "in")


def _visible(picture: Picture, spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.end > picture.begin and span.begin < picture.end]


def _kind(state: str) -> str:
    if state in ABSENT:
        return "silent"
    if state in SERVES:
        return "primary"
    if state in FOLLOWS:
        return "replica"
    return "other" if state in NEUTRAL else "moving"
