"""The shell commands of the steps about the agent: its program, and what is asked of it."""

from typing import assert_never

from colonnade import paths
from colonnade.rollout.steps import PutProgram, RemoveProgram, Switchover, WaitForPrimary, WaitWell

AgentStep = PutProgram | RemoveProgram | WaitForPrimary | WaitWell | Switchover


def agent_commands(step: AgentStep) -> tuple[list[str], dict[str, bytes]]:
    """Return a step's commands, and the files that they need below the staging directory."""
    match step:
        case PutProgram(program):
            return _put(program.identity), {_archive(program.identity): program.archive}
        case RemoveProgram(identity):
            return [f"rm -rf {paths.AGENT_PROGRAMS}/{identity}"], {}
        case WaitForPrimary(seconds):
            return _asked(f"wait-primary --seconds {seconds}"), {}
        case WaitWell(seconds):
            return _asked(f"wait-well --seconds {seconds}"), {}
        case Switchover(seconds):
            return _asked(f"switchover --seconds {seconds}"), {}
        case _:
            assert_never(step)


def _archive(identity: str) -> str:
    return f"program/{identity}.tar"


def _put(identity: str) -> list[str]:
    place, part = f"{paths.AGENT_PROGRAMS}/{identity}", f"{paths.AGENT_PROGRAMS}/.{identity}.part"
    return [
        f"rm -rf {part}",
        f"mkdir -p -m 755 {part}",
        f"tar -xf {paths.STAGING}/{_archive(identity)} -C {part} --no-same-owner",
        # Compiled here, because the agent may not write there; with the names that the files will have.
        f"python3 -m compileall -q -s {part} -p {place} {part}",
        f"sync -f {part}",
        f"rm -rf {place}",
        f"mv -T {part} {place}",
    ]


def _asked(verb: str) -> list[str]:
    """Ask the agent; if it says no, or not in time, say what it thinks of its place."""
    explain = f"journalctl -u {paths.AGENT_UNIT} -n 25 --no-pager -o cat"
    return [f"{paths.AGENT_COMMAND} {verb} || {{ code=$?; {explain}; exit $code; }}"]
