"""A baked image: a bare one that a recipe has installed packages into, none of them started or set up."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from colonnade.lab import bare, build
from colonnade.lab.cgroups import Cgroup
from colonnade.lab.host import remove_nspawn_traces

# Part of every baked image's fingerprint: raised when what happens around a recipe changes.
EDITION = 2

_SCRIPT = "root/.recipe"
# Databases that packages initialise for themselves: two servers from one such copy share an identity.
_DATABASES = ("var/lib/mysql",)


@dataclass(frozen=True)
class Recipe:
    """A POSIX sh script, run once as root inside the image, and what tells it from other recipes.

    A line of its output that begins with ``I: `` names the stage it has reached.
    """

    script: str
    fingerprint: str


async def install(root: Path, source: Path, recipe: Recipe, *, log: Path, line: Callable[[str], None]) -> None:
    """Make a baked image's file system at ``root`` from a bare one's."""
    line("I: copying the bare image")
    await build.run(["cp", "-a", "--reflink=auto", str(source), str(root)], log=log)
    enabled = set(_enablements(root))
    bare.put(root, _SCRIPT, recipe.script)
    bare.put(root, bare.UNSAFE_IO, "force-unsafe-io\n")
    # No package may start its daemon in here; `bare.finish` takes this away again.
    bare.put(root, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
    bare.put(root, "etc/resolv.conf", "")  # where nspawn binds the host's
    machine = f"colonnade-build-{root.parent.name.removeprefix('.building-')}"
    group = Cgroup(machine)
    group.make()
    try:
        line("I: running the recipe")
        await build.run(
            [*_entering(group), *_inside(root, machine), "/bin/sh", "-eu", f"/{_SCRIPT}"], log=log, line=line
        )
    finally:
        await group.kill()
        group.remove()
        remove_nspawn_traces(machine)
    (root / _SCRIPT).unlink()
    for link in set(_enablements(root)) - enabled:
        if link.parent.name.startswith("rc"):
            # A stop link instead: without any, update-rc.d would refuse to enable the service again.
            link.rename(link.with_name(f"K01{link.name[3:]}"))
        else:
            link.unlink()
    for name in _DATABASES:
        await asyncio.to_thread(_empty, root / name)
    bare.finish(root)


def _entering(group: Cgroup) -> list[str]:
    return ["sh", "-c", 'echo 0 > "$0/machine/cgroup.procs" && exec "$@"', str(group.path)]


def _inside(root: Path, machine: str) -> list[str]:
    return [
        *("systemd-nspawn", "--quiet", f"--directory={root}", f"--machine={machine}", "--pipe", "--as-pid2"),
        *("--register=no", "--keep-unit", "--resolv-conf=bind-host", "--timezone=off", "--link-journal=no"),
        *("--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LC_ALL=C.UTF-8"),
    ]


def _enablements(root: Path) -> Iterator[Path]:
    """Yield the links by which units and old init scripts are started at boot."""
    units = root / "etc/systemd/system"
    for pattern in ("*", "*.wants/*", "*.requires/*", "*.upholds/*"):
        for link in units.glob(pattern):
            # A link to /dev/null is a mask, which starts nothing.
            if link.is_symlink() and str(link.readlink()) != "/dev/null":
                yield link
    yield from root.glob("etc/rc?.d/S*")


def _empty(directory: Path) -> None:
    if directory.is_dir():
        for entry in directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
