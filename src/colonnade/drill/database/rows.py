"""What is in the drill's tables at the end, on one server."""

from collections.abc import Mapping
from dataclasses import dataclass

WRITES = "colonnade_drill_writes"
COUNTER = "colonnade_drill_counter"
PARTS = 3
"""Rows of a write that consists of several."""

CREATE = f"""
DROP TABLE IF EXISTS {WRITES}, {COUNTER};
CREATE TABLE {WRITES} (
  number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id VARCHAR(100) CHARACTER SET ascii NOT NULL,
  part TINYINT UNSIGNED NOT NULL,
  KEY (id)
);
CREATE TABLE {COUNTER} (name VARCHAR(20) PRIMARY KEY, value BIGINT UNSIGNED NOT NULL);
INSERT INTO {COUNTER} VALUES ('increments', 0);
"""  # noqa: S608  names of our own
"""Nothing is unique but the number: a write that was applied twice is to be seen, not refused."""

DROP = f"DROP TABLE IF EXISTS {WRITES}, {COUNTER};"

READ = f"""
SELECT 'counter', value FROM {COUNTER};
SELECT 'write', id, GROUP_CONCAT(part ORDER BY part SEPARATOR ',') FROM {WRITES} GROUP BY id;
SELECT 'end', @@hostname;
"""  # noqa: S608  names of our own


@dataclass(frozen=True)
class Rows:
    """The parts of each write that are there, by id, and what the counter is; None if it has no row."""

    parts: Mapping[str, tuple[int, ...]]
    counter: int | None


def parse_rows(text: str) -> Rows:
    """Read what ``READ`` prints, tab-separated.

    Raises:
        ValueError: it is not whole.

    """
    parts: dict[str, tuple[int, ...]] = {}
    counter: int | None = None
    ended = False
    for line in text.splitlines():
        match line.split("\t"):
            case ["counter", value]:
                counter = int(value)
            case ["write", id_, numbers]:
                parts[id_] = tuple(int(number) for number in numbers.split(","))
            case ["end", _]:
                ended = True
            case _:
                raise ValueError(f"no row of a drill: {line!r}")
    if not ended:
        raise ValueError("the rows of the drill end in the middle")
    return Rows(parts, counter)
