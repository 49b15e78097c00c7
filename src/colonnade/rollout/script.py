"""Steps to one POSIX sh script and the files that it needs, for one machine and one stage.

The machine receives both as a tar before the first step runs. Files are staged in a root-only
directory, checked there by the program that will read them, copied beside their places, written to
disk and only then renamed; a unit's record is marked before the files that it reads are touched. So
whatever moment the script dies at, no file is half written, and the next plan sees what is left to do.

It prints ``check N`` before a file is checked, ``step N`` before each step and ``done`` at the end; on
failure ``failed N`` and the end of what the step printed, in base64.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from shlex import quote

from colonnade import paths
from colonnade.rollout.commands import SHELL_FUNCTIONS, commands
from colonnade.rollout.steps import ChangeUnit, PutFile, Step
from colonnade.rollout.units import PENDING

BUSY = 75
"""Exit code: another apply holds the machine."""
OUTDATED = 76
"""Exit code: another apply changed the machine since its facts were taken."""
LOCK_SECONDS = 120

RECEIVE = (
    f"umask 077; mkdir -p {paths.STAGING} && exec 9>{paths.LOCK} && {{ flock -w {LOCK_SECONDS} 9 || exit {BUSY}; }}"
    f" && rm -rf {paths.STAGING}/* && tar -xmf - -C {paths.STAGING} && exec sh {paths.STAGING}/apply.sh"
)
"""The command that takes a payload's tar on standard input and runs it."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What is sent to a machine: the script, and files by their path below the staging directory."""

    script: str
    files: Mapping[str, bytes] = field(repr=False)


def payload(steps: tuple[Step, ...], *, expected: str, generation: str, later: Mapping[str, str]) -> Payload:
    """Return the payload that carries the steps out.

    ``later`` has the units that a later stage reloads or restarts, and which of the two.
    ``expected`` is the machine's generation as its facts told it: if another apply came between, nothing
    is done. ``generation`` names this apply's stage.
    """
    files: dict[str, bytes] = {}
    body: list[str] = []
    number = 0
    body += _marks(steps, later)
    for together, group in groupby(steps, key=lambda step: isinstance(step, PutFile)):
        members = list(group)
        if together:
            puts = [step for step in members if isinstance(step, PutFile)]
            files |= {f"files{step.file.path}": step.file.text.encode() for step in puts}
            body += _put_files(puts, number)
            number += len(puts)
            continue
        for step in members:
            lines, needed = commands(step, number)
            files |= needed
            body += [f"step {number}", "{", *lines, f"}} >>{_LOG} 2>&1"]
            number += 1
    script = "\n".join(
        [
            _HEAD.replace("@EXPECTED@", quote(expected)).replace("@GENERATION@", quote(generation)),
            *body,
            _TAIL,
        ]
    )
    return Payload(script, files)


_LOG = f"{paths.STAGING}/log"

_HEAD = f"""#!/bin/sh
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
at=0
finish() {{
  code=$?
  trap - EXIT
  if [ "$code" != 0 ]; then
    printf 'failed\\t%s\\t%s\\n' "$at" "$(tail -c 6000 {_LOG} 2>/dev/null | base64 | tr -d '\\n')"
  fi
  rm -rf {paths.STAGING}/files {paths.STAGING}/sql {paths.STAGING}/release {paths.STAGING}/program
  exit "$code"
}}
trap finish EXIT
check() {{ at=$1; : >{_LOG}; printf 'check\\t%s\\n' "$1"; }}
step() {{ at=$1; : >{_LOG}; printf 'step\\t%s\\n' "$1"; }}
now= ; [ ! -r {paths.GENERATION} ] || read -r now < {paths.GENERATION}
[ "$now" = @EXPECTED@ ] || {{ echo outdated; trap - EXIT; exit {OUTDATED}; }}
mkdir -p {paths.LOADED} {paths.MIGRATED} {paths.DRAINED}
chmod 755 {paths.STATE}
chmod 700 {paths.STAGING} {paths.LOADED} {paths.MIGRATED} {paths.DRAINED}
write_down() {{ printf '%s\\n' "$2" >"$1.new"; mv -f "$1.new" "$1"; }}
write_down {paths.GENERATION} @GENERATION@
{SHELL_FUNCTIONS}"""

_TAIL = "printf 'done\\n'\n"


def _marks(steps: tuple[Step, ...], later: Mapping[str, str]) -> Iterator[str]:
    """Mark every unit that must read a file again before one is touched, so that an interruption is not forgotten."""
    for step in steps:
        if isinstance(step, ChangeUnit) and step.action in {"restart", "reload"}:
            yield _mark(step.unit.name, step.action)
    for unit, action in later.items():
        yield _mark(unit, action)


def _mark(unit: str, action: str) -> str:
    return f"mark {quote(unit)} {PENDING if action == 'restart' else 'keep'} {PENDING}"


def _put_files(puts: list[PutFile], first: int) -> Iterator[str]:
    for number, put in enumerate(puts, start=first):
        if put.file.check:
            staged = quote(f"{paths.STAGING}/files{put.file.path}")
            yield f"check {number}"
            yield f"{{ {put.file.check.replace('{file}', staged)}; }} >>{_LOG} 2>&1"
    temporaries = [_beside(put.file.path) for put in puts]
    for number, (put, temporary) in enumerate(zip(puts, temporaries, strict=True), start=first):
        file = put.file
        yield f"step {number}"
        yield f"stage_file {quote(file.path)} {quote(temporary)} {file.mode:o} {file.owner}:{file.group} >>{_LOG} 2>&1"
    yield f"sync {' '.join(quote(temporary) for temporary in temporaries)}"
    for put, temporary in zip(puts, temporaries, strict=True):
        yield f"mv -fT {quote(temporary)} {quote(put.file.path)}"
        if put.file.after:
            yield f"{{ {put.file.after}; }} >>{_LOG} 2>&1"


def _beside(path: str) -> str:
    """Return a name in the same directory: the rename is atomic, and programs that read all of it skip dot files."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.colonnade-new"
