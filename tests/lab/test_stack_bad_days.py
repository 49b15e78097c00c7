"""Bad days under load: what dies, is stopped or is replaced behind the balancer, no visitor notices."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack
from tests.lab.visitors import Visits, Written, visit, write

pytestmark = [pytest.mark.lab, pytest.mark.slow]

GETS = 10_000


@pytest.fixture
def troubled(classic: Stack) -> Iterator[Stack]:
    """The classic stack, well, and well again afterwards."""
    text = classic.file.read_text()
    classic.settled()
    try:
        yield classic
    finally:
        classic.file.write_text(text)
        classic.apply("--interrupt")
        classic.settled()


def under_load(stack: Stack, *trouble: str, gets: int = GETS) -> tuple[Visits, Written]:
    """Send GETs, and POSTs beside them, while shell commands (``MACHINE: COMMAND``) make trouble in turn."""

    async def both() -> tuple[Visits, Written]:
        over = asyncio.Event()
        address = stack.address("lb1")
        writing = asyncio.create_task(write(address, until=over, prefix=f"bad-day-{time.monotonic_ns()}"))
        visiting = asyncio.create_task(visit(address, requests=gets))
        for number, line in enumerate(trouble):
            machine, _, command = line.partition(": ")
            await asyncio.sleep(2.0 if number else 1.0)  # trouble comes at its own times, whatever the load does
            await asyncio.to_thread(stack.ssh, machine, command)
        seen = await visiting
        over.set()
        return seen, await writing

    return asyncio.run(both())


def assert_nobody_noticed(seen: Visits, gets: int = GETS) -> None:
    assert seen.failures == []
    assert seen.statuses[200] >= gets


def assert_written_once(stack: Stack, written: Written) -> None:
    """What was confirmed is there, and nothing that was sent once is there twice."""
    rows = stack.sql("web1", "SELECT text FROM foobar.entries WHERE text LIKE 'bad-day-%'").splitlines()
    ours = [row for row in rows if row in written.tried]
    assert len(ours) == len(set(ours))
    assert set(written.confirmed) <= set(ours)
    assert len(written.confirmed) > 20


KILL_APP = "systemctl kill --kill-whom=all --signal=KILL colonnade-app"


@pytest.mark.parametrize(
    "trouble",
    [
        ("web2: systemctl stop colonnade-app", "web2: systemctl start colonnade-app"),
        ("web2: systemctl stop nginx", "web2: systemctl start nginx"),
        (
            "web1: systemctl kill --kill-whom=all --signal=KILL nginx",
            "web2: systemctl kill --kill-whom=all --signal=KILL nginx",
        ),
    ],
    ids=["app-stopped", "nginx-stopped", "nginx-killed"],
)
def test_no_visitor_notices(troubled: Stack, trouble: tuple[str, ...]) -> None:
    seen, written = under_load(troubled, *trouble)
    assert_nobody_noticed(seen)
    assert set(seen.servers) == {"web1", "web2"}
    assert_written_once(troubled, written)


# Until the killed one answers again, and no longer: while no application runs anywhere, nobody can answer. That the
# balancer's checks have not seen it yet is no excuse.
APP_ANSWERS = (
    "timeout 30 sh -c 'until curl -sf -o /dev/null -m 3 --unix-socket /run/colonnade-app/app.sock"
    " -H Host:www.foobar.com http://app/healthz; do sleep 0.1; done'"
)


def test_an_application_killed_in_the_middle_costs_no_more_than_what_it_was_sending(troubled: Stack) -> None:
    trouble = tuple(f"{server}: {KILL_APP}; {APP_ANSWERS}" for server in ("web1", "web2", "web1"))
    seen, written = under_load(troubled, *trouble)
    # gunicorn sends an answer's head and its body one after the other. When it is killed between the two, the
    # head has reached the visitor already, and nobody can take it back and ask another server.
    cut_off = [failure for failure in seen.failures if "IncompleteReadError" in failure]
    assert seen.failures == cut_off
    assert len(cut_off) <= len(trouble) * 8  # [app] concurrency
    assert_written_once(troubled, written)


def test_a_new_release_and_new_settings_under_load(troubled: Stack) -> None:
    """Code, environment and timeout change at once: servers are drained, Nginx and HAProxy reloaded."""
    before = troubled.status()["servers"]["web1"]["release"]
    css = troubled.directory / "app" / "static" / "guestbook.css"
    css.write_text(f"{css.read_text()}/* {time.monotonic_ns()} */\n")
    troubled.edit(("concurrency = 8 ", 'timeout = 41\nenv = { COLOUR = "red" }\nconcurrency = 8 '))

    async def both() -> tuple[Visits, Written]:
        over = asyncio.Event()
        address = troubled.address("lb1")
        writing = asyncio.create_task(write(address, until=over, prefix=f"bad-day-{time.monotonic_ns()}"))
        visiting = asyncio.create_task(visit(address, requests=GETS // 2, until=over))
        applied = await asyncio.to_thread(troubled.apply)
        assert "drain" in applied.said
        over.set()
        return await visiting, await writing

    seen, written = asyncio.run(both())
    assert_nobody_noticed(seen, GETS // 2)
    assert_written_once(troubled, written)
    # Drained first, so that no write was cut off either: every single one was confirmed.
    assert written.tried == set(written.confirmed)
    after = {server["release"] for server in troubled.settled()["servers"].values()}
    assert len(after) == 1
    assert before not in after
    for server in ("web1", "web2"):
        environment = troubled.ssh(server, "tr '\\0' '\\n' </proc/$(pgrep -o gunicorn)/environ")
        assert "COLOUR=red" in environment.splitlines()
        assert "proxy_read_timeout 41s" in troubled.ssh(server, "nginx -T 2>/dev/null")
    assert troubled.plan() == []
