"""The stack as a picture: box drawing for a terminal, Mermaid for documents. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from colonnade.topology import Machine, Topology

WIDTH = 100
GAP = 3
MARGIN = 3
"""Columns on either side that the lines between rows take, where there are several rows."""

_NORTH, _EAST, _SOUTH, _WEST = 1, 2, 4, 8
_LINES = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
"""The character for every set of directions, a bit each."""


class _Canvas:
    """Characters in rows and columns; lines that meet join."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], int] = {}
        self._text: dict[tuple[int, int], str] = {}

    def write(self, y: int, x: int, text: str) -> None:
        self._text |= {(y, x + offset): character for offset, character in enumerate(text)}

    def across(self, y: int, start: int, end: int) -> None:
        low, high = sorted((start, end))
        for x in range(low, high):
            self._join(y, x, _EAST)
            self._join(y, x + 1, _WEST)

    def down(self, x: int, top: int, bottom: int) -> None:
        for y in range(top, bottom):
            self._join(y, x, _SOUTH)
            self._join(y + 1, x, _NORTH)

    def _join(self, y: int, x: int, direction: int) -> None:
        self._lines[y, x] = self._lines.get((y, x), 0) | direction

    def __str__(self) -> str:
        drawn = {place: _LINES[directions] for place, directions in self._lines.items()} | self._text
        height = max(y for y, _ in drawn) + 1
        width = max(x for _, x in drawn) + 1
        rows = ("".join(drawn.get((y, x), " ") for x in range(width)).rstrip() for y in range(height))
        return "\n".join(rows)


@dataclass(frozen=True)
class _Tier:
    """Boxes of one kind and one size, in as many rows as the width asks for.

    Boxes, gaps and so whole rows are odd in width: everything has a middle column, and lines stay straight.
    """

    boxes: tuple[tuple[str, ...], ...]

    @property
    def box_width(self) -> int:
        return max((len(line) for box in self.boxes for line in box), default=0) + 4 | 1  # odd

    @property
    def box_height(self) -> int:
        return max((len(box) for box in self.boxes), default=0) + 2

    @property
    def rows(self) -> list[tuple[tuple[str, ...], ...]]:
        """The boxes of each row: as few rows as fit, filled evenly."""
        if self._across(len(self.boxes)) <= WIDTH:
            return [self.boxes]
        most = max(1, (WIDTH - 2 * MARGIN + GAP) // (self.box_width + GAP))
        count = -(-len(self.boxes) // most)
        size = -(-len(self.boxes) // count)
        return [self.boxes[start : start + size] for start in range(0, len(self.boxes), size)]

    @property
    def margin(self) -> int:
        return MARGIN if len(self.rows) > 1 else 0

    @property
    def width(self) -> int:
        return self._across(len(self.rows[0])) + 2 * self.margin

    def _across(self, boxes: int) -> int:
        return (self.box_width + GAP) * boxes - GAP


def text(topology: Topology) -> str:
    """Draw the stack with box-drawing characters, less than 100 columns wide."""
    balancers = _Tier(tuple(_balancer_lines(topology, machine) for machine in topology.balancers))
    servers = _Tier(tuple(_server_lines(topology, machine) for machine in topology.servers))
    witnesses = _Tier(tuple(_witness_lines(topology, machine) for machine in topology.witnesses))
    address = _address(topology.balancers[0]) or "virtual IP"
    head = _head(topology, address)
    width = max(balancers.width, servers.width, witnesses.width, len(head)) | 1
    canvas = _Canvas()
    start = (width - len(head)) // 2
    canvas.write(0, start, head)
    below_address = start + len(head) - len(address) // 2 - 1
    canvas.down(below_address, 0, 1)
    feet = _tier(canvas, balancers, width, 1, below_address)
    right = (width + balancers.width) // 2 - 1
    x = right if balancers.margin else width // 2
    _gather(canvas, feet, x)
    feet = _tier(canvas, servers, width, feet[-1].y + 1, x)
    if topology.replicas:
        _replication(canvas, feet, (width + servers.width) // 2 - 1)
    _apart(canvas, witnesses, width, feet[-1].y + 2)
    return str(canvas)


def _head(topology: Topology, address: str) -> str:
    arrow = f" ──► {address}"
    name = f"browser ── DNS: {topology.www}"
    room = WIDTH - 1 - len(arrow)
    return (name if len(name) <= room else name[: room - 1] + "…") + arrow


@dataclass(frozen=True)
class _Feet:
    """The middles of the lower edges of one row of boxes."""

    y: int
    middles: Sequence[int]


def _tier(canvas: _Canvas, tier: _Tier, width: int, y: int, x: int) -> list[_Feet]:
    """Draw a tier whose line comes in at (y, x); below every row, one line is left free."""
    left = (width - tier.width) // 2
    trunk = left if tier.margin else width // 2
    canvas.across(y, x, trunk)
    top, feet = y, []
    for row in tier.rows:
        canvas.down(trunk, top, y)
        middles = _boxes(canvas, tier, row, left + tier.margin, y + 1)
        for middle in middles:
            canvas.across(y, trunk, middle)
            canvas.down(middle, y, y + 1)
            canvas.write(y + 1, middle, "▼")
        feet.append(_Feet(y + tier.box_height, middles))
        y += tier.box_height + 2
    return feet


def _gather(canvas: _Canvas, feet: Sequence[_Feet], trunk: int) -> None:
    """Lead a line out of every box, under its row, to one column."""
    for row in feet:
        for middle in row.middles:
            canvas.down(middle, row.y, row.y + 1)
            canvas.across(row.y + 1, middle, trunk)
    canvas.down(trunk, feet[0].y + 1, feet[-1].y + 1)


def _replication(canvas: _Canvas, feet: Sequence[_Feet], right: int) -> None:
    """Lead a line from the first box, the primary's, to every other."""
    primary = feet[0].middles[0]
    _gather(canvas, feet, primary if len(feet) == 1 else right)
    for row in feet:
        for middle in row.middles:
            if (row, middle) != (feet[0], primary):
                canvas.write(row.y, middle, "▲")
    canvas.write(feet[0].y + 1, primary + 2, " replication ")


def _boxes(canvas: _Canvas, tier: _Tier, row: Iterable[tuple[str, ...]], x: int, y: int) -> list[int]:
    middles = []
    for box in row:
        right, bottom = x + tier.box_width - 1, y + tier.box_height - 1
        for edge in (y, bottom):
            canvas.across(edge, x, right)
        for side in (x, right):
            canvas.down(side, y, bottom)
        for offset, line in enumerate(box, start=1):
            canvas.write(y + offset, x + 2, line)
        middles.append(x + tier.box_width // 2)
        x += tier.box_width + GAP
    return middles


def _apart(canvas: _Canvas, tier: _Tier, width: int, y: int) -> None:
    """Draw a tier that no request passes through: boxes without lines."""
    for row in tier.rows:
        _boxes(canvas, tier, row, (width - tier.width) // 2 + tier.margin, y)
        y += tier.box_height


def _address(machine: Machine) -> str | None:
    """Return the address; None if the machine is not placed yet and goes by its name."""
    return None if machine.address in machine.names else machine.address


def _balancer_lines(topology: Topology, machine: Machine) -> tuple[str, ...]:
    holds = machine is topology.balancers[0]
    lines = (
        f"balancer {machine.balancer}",
        _address(machine),
        f"on server {machine.server}" if machine.server else None,
        "HAProxy, holds the IP" if holds else "HAProxy",
        f"name server ns{topology.balancers.index(machine) + 1}",
    )
    return tuple(line for line in lines if line)


def _server_lines(topology: Topology, machine: Machine) -> tuple[str, ...]:
    lines = (f"server {machine.server}", _address(machine), "Nginx → app", _database(topology, machine))
    return tuple(line for line in lines if line)


def _witness_lines(topology: Topology, machine: Machine) -> tuple[str, ...]:
    lines = (
        f"witness {machine.witness}",
        _address(machine),
        "etcd" if machine in topology.etcd_members else None,
    )
    return tuple(line for line in lines if line)


def _database(topology: Topology, machine: Machine) -> str:
    return "MySQL primary" if machine is topology.primary else "MySQL replica"


def mermaid(topology: Topology) -> str:
    """Describe the stack as a Mermaid flowchart."""
    virtual_ip = _node("virtual IP", _address(topology.balancers[0]))
    lines = [
        "flowchart TB",
        f'    browser(["browser"]) --> dns["DNS<br/>{topology.www}"]',
        f'    dns --> virtual_ip["{virtual_ip}"]',
    ]
    lines += [
        f'    virtual_ip --> balancer{number}["{_node(*_balancer_lines(topology, machine))}"]'
        for number, machine in enumerate(topology.balancers, start=1)
    ]
    numbers = range(1, len(topology.servers) + 1)
    for number, machine in zip(numbers, topology.servers, strict=True):
        lines += [
            f'    subgraph server{number}["{_node(f"server {machine.server}", _address(machine))}"]',
            f'        nginx{number}["Nginx"] --> app{number}["app server"]',
            f'        app{number} --> mysql{number}[("{_database(topology, machine)}")]',
            "    end",
        ]
    lines += [
        f"    balancer{balancer} --> nginx{server}"
        for balancer in range(1, len(topology.balancers) + 1)
        for server in numbers
    ]
    lines += [f"    mysql1 -. replication .-> mysql{number}" for number in numbers[1:]]
    lines += [
        f'    witness{number}["{_node(*_witness_lines(topology, machine))}"]'
        for number, machine in enumerate(topology.witnesses, start=1)
    ]
    return "\n".join(lines)


def _node(*lines: str | None) -> str:
    return "<br/>".join(line for line in lines if line)
