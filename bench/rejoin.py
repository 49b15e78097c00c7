"""How long a large former primary with transactions of its own takes until all is redundant again.

On a copy of the guestbook's stack in the lab, with --megabytes of rows in MySQL. The primary's cable is cut under
load, so that commits are left on it which nobody acknowledged; after it is back they are saved as SQL, and the server
is provisioned anew by CLONE into a second directory. Seconds from the cable's return; the goal is that of 1 GB.
"""

import json

from bench import figures
from bench.contract import status
from bench.example import Example, copied
from bench.figures import Report, Series

GOAL = 60.0
FILL = (
    "CREATE TABLE IF NOT EXISTS bench_rejoin (id BIGINT AUTO_INCREMENT PRIMARY KEY, filling MEDIUMBLOB);"
    "INSERT INTO bench_rejoin (filling) VALUES (RANDOM_BYTES(1000));"
)


def fill(example: Example, megabytes: int) -> None:
    """Put so many MB of rows that cannot be made smaller into the application's schema."""
    rows = "INSERT INTO bench_rejoin (filling) SELECT REPEAT(RANDOM_BYTES(1000), 10) FROM information_schema.columns"
    for first in range(0, megabytes, 100):
        some = f"{rows} LIMIT 100; " * min(100, megabytes - first)
        example.run("db", "console", "--", "-e", FILL + some)


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=3)
    parser.add_argument("--megabytes", type=figures.positive, default=1000, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args()
    report = Report("rejoin")
    after: list[float] = []
    with copied(own_store=False) as example:
        figures.say("the stack comes up")
        example.run("up", "--yes")
        figures.say(f"{options.megabytes} MB of rows")
        fill(example, options.megabytes)
        for number in range(options.runs):
            figures.say(f"round {number + 1}; the primary is {status(example)['database']['primary']}")
            drill = json.loads(example.run("drill", "database", "primary-cable", "--json")[1])["drills"][0]
            if drill["writes"]["lost"]:
                figures.say(f"lost: {drill['writes']['lost']}")
                return 1
            after.append(float(drill["redundant"]["after_end"]))
    report.add(Series(f"{options.megabytes} MB: whole again after the cable is back", "s", tuple(after), GOAL))
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
