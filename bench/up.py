"""How long `colonnade up` takes for the guestbook's stack (one balancer, two servers), in four situations.

From nothing, image included (a store of its own, so that this host's images do not help); with the image built,
until www.foobar.com first answers 200 and until `up` returns; with all running and nothing to change, `up` and
`apply`; and `destroy`. What a fresh clone's launcher needs to make its Python environment is not in it.

It works on a copy of the example, takes root and, from nothing, downloads some 400 MB. --no-image leaves that out.
"""

import asyncio
import contextlib
import json
import time

from bench import figures
from bench.example import WWW, Example, copied
from bench.figures import Report, Series

from colonnade.adapters import web
from colonnade.topology import HTTP_PORT

GOAL_FROM_NOTHING = 240.0
GOAL_FIRST_ANSWER = 45.0
GOAL_NOTHING_TO_DO = 2.0
OK = 200
DEADLINE_SECONDS = 1200.0
ASK_EVERY_SECONDS = 0.05


async def first_answer(example: Example, began: float) -> float:
    """Return the seconds until www.foobar.com answers 200 through the balancer.

    Raises:
        TimeoutError: it does not within the deadline.

    """
    while time.monotonic() - began < DEADLINE_SECONDS:
        with contextlib.suppress(json.JSONDecodeError):
            address = example.address("lb1")
            if address is not None and (await web.get(address, HTTP_PORT, WWW, "/", seconds=2)).status == OK:
                return time.monotonic() - began
        await asyncio.sleep(ASK_EVERY_SECONDS)
    raise TimeoutError(f"{WWW} has not answered 200 within {DEADLINE_SECONDS:.0f} s")


async def up(example: Example) -> tuple[float, float]:
    """Bring it up; seconds until the first 200, and until the command returned."""
    began = time.monotonic()
    asking = asyncio.create_task(first_answer(example, began))
    try:
        seconds, said = await asyncio.to_thread(example.run, "up", "--yes", "--json")
        assert not json.loads(said)["problems"], said
        return await asyncio.wait_for(asking, timeout=10), seconds
    finally:
        asking.cancel()


def nothing_to_do(example: Example, verb: str) -> float:
    """Do it to a stack that is up already; seconds."""
    seconds, said = example.run(verb, "--yes", "--json")
    document = json.loads(said)
    steps = document["steps"] + document.get("done", 0)
    assert steps == 0, f"{verb} found {steps} things to do in a stack that was up"
    return seconds


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=5)
    parser.add_argument("--no-image", dest="image", action="store_false", help="leave the building of the image out")
    parser.add_argument(
        "--image-runs", type=figures.positive, default=1, metavar="N", help="builds of the image (default: %(default)s)"
    )
    options = parser.parse_args()
    report = Report("up")
    names = ("first", "returned", "up again", "apply", "destroy")
    found: dict[str, list[float]] = {name: [] for name in names}
    nothing: list[float] = []
    for number in range(1, options.image_runs if options.image else 0):
        figures.say(f"from nothing {number} of {options.image_runs}")
        with copied(own_store=True) as example:
            nothing.append(asyncio.run(up(example))[1])
    with copied(own_store=options.image) as example:
        figures.say("from nothing" if options.image else "once, not counted, in case the image is not there")
        seconds = asyncio.run(up(example))[1]
        nothing += [seconds] if options.image else []
        example.run("destroy", "--yes", "--keep-image")
        for number in range(1, options.runs + 1):
            figures.say(f"round {number} of {options.runs}")
            first, returned = asyncio.run(up(example))
            found["first"].append(first)
            found["returned"].append(returned)
            found["up again"].append(nothing_to_do(example, "up"))
            found["apply"].append(nothing_to_do(example, "apply"))
            found["destroy"].append(example.run("destroy", "--yes", "--keep-image")[0])
    if nothing:
        report.add(Series("from nothing, image included", "s", tuple(nothing), GOAL_FROM_NOTHING))
    report.add(
        Series(f"with the image: first 200 from {WWW}", "s", tuple(found["first"]), GOAL_FIRST_ANSWER),
        Series("with the image: up returns, all well", "s", tuple(found["returned"])),
        Series("all running: up", "s", tuple(found["up again"]), GOAL_NOTHING_TO_DO),
        Series("all running: apply", "s", tuple(found["apply"])),
        Series("destroy, the image kept", "s", tuple(found["destroy"])),
    )
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
