"""One stack's machines on this host: made, started, broken on purpose, and taken away without a trace."""

import asyncio
import functools
import shutil
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

from colonnade.errors import ColonnadeError, UsageError
from colonnade.lab import disk as disks
from colonnade.lab import hosts, kernel, placement, power
from colonnade.lab import image as images
from colonnade.lab.cgroups import Cgroup
from colonnade.lab.disk import Disk
from colonnade.lab.host import labs, remove_empty_store, require_programs, require_root
from colonnade.lab.image import Image
from colonnade.lab.locks import held
from colonnade.lab.network import Network
from colonnade.lab.placement import Placement

State = Literal["running", "stopped", "cut", "absent"]

_LOCK_SECONDS = 120.0
_BOOT_SECONDS = 60.0
_UNPLUG_SECONDS = 2.0


class Lab:
    """The machines of the stack whose private directory (it must exist) is ``directory``.

    Every change takes root and raises ColonnadeError without it. Of two changes at one stack one waits.
    """

    def __init__(self, stack: str, directory: Path) -> None:
        self._stack = stack
        self._directory = directory

    @functools.cached_property
    def identity(self) -> str:
        """Six hex digits that tell this stack's machines from every other's on this host."""
        return placement.identity_of(self._directory)

    async def place(self, names: Sequence[str]) -> Placement:
        """Give every machine an address, the one it had if it had one; nothing is started."""
        require_root()
        require_programs()
        async with held(self._host_lock, seconds=_LOCK_SECONDS):
            before = placement.saved_placement(self.identity)
            if before is None:
                taken = [*placement.placed_subnets(), *placement.routed_networks()]
                subnet = placement.free_subnet(self.identity, taken)
                before = Placement(subnet=str(subnet), gateway=str(subnet[1]), addresses={})
            after = placement.with_machines(before, names)
            placement.save_placement(self.identity, after, stack=self._stack, directory=self._directory)
            return after

    async def up(
        self, names: Sequence[str], *, image: Image, authorized_key: str, progress: Callable[[str], None]
    ) -> None:
        """Make the machines that are missing, start those that are off, heal those that are cut.

        Returns when every one shows an SSH banner; raises ColonnadeError with a console's last lines if
        one does not within 60 seconds. Those that run already are left alone.
        """
        where = await self.place(names)
        async with self._alone(progress):
            self._network.ensure(where)
            for advice in self._network.obstacles():
                progress(advice)
            if not disks.upstream_resolvers():
                progress("this host names no DNS server that machines could ask: they will resolve nothing")
            await self._create_missing(names, image, authorized_key, where, progress)
            started = time.monotonic()

            async def bring_up(name: str) -> None:
                changed = await self._power_on(name, authorized_key)
                await self._answers(name, where)
                if changed:
                    progress(f"{name}: answers SSH at {where.addresses[name]} ({time.monotonic() - started:.1f} s)")

            await _all(bring_up(name) for name in names)

    async def cut(self, name: str) -> None:
        """Pull the machine's network cable; it stays out until `heal`, or until the machine boots anew."""
        await self._plug(name, carries=False)

    async def heal(self, name: str) -> None:
        """Put the machine's network cable back."""
        await self._plug(name, carries=True)

    async def kill(self, name: str) -> None:
        """Cut the machine's power without warning; what it had written stays on its disk."""
        require_root()
        async with self._alone():
            self._disk(name)
            await self._power_off(name)

    async def start(self, name: str) -> None:
        """Put the power back on and wait until the machine shows its SSH banner."""
        require_root()
        require_programs()
        async with self._alone():
            where = placement.saved_placement(self.identity)
            self._disk(name)
            if where is None:
                raise ColonnadeError("this stack has no network on this host", do="Bring it up: colonnade up")
            self._network.ensure(where)
            await self._power_on(name)
            await self._answers(name, where)

    def states(self) -> dict[str, State]:
        """Return how each machine is that was ever placed; ``absent`` is one that was not made yet."""
        where = placement.saved_placement(self.identity)
        if where is None:
            return {}
        cables = self._network.cables()
        return {name: self._state(name, cables) for name in where.addresses}

    async def destroy(self, *, keep_image: bool, progress: Callable[[str], None]) -> None:
        """Remove all that the lab ever made for this stack, from whatever state it is in.

        With ``keep_image`` false, images that no other stack's machines need go too.
        """
        require_root()
        require_programs()
        async with self._alone(progress):
            names = self._ever_made()
            progress(f"powering off {len(names)} machines")
            await _all(self._power_off(name) for name in names)
            progress("removing network and disks")
            self._network.ensure_absent()
            Cgroup(self._group_name).remove()
            hosts.remove(self.identity)
            async with held(self._host_lock, seconds=_LOCK_SECONDS):
                if self._home.exists():
                    await asyncio.to_thread(shutil.rmtree, self._home)
                kernel.restore()
                if not keep_image:
                    progress("removing images that no stack uses")
                    used = {disk.image for file in labs().glob("*/*/machine.json") if (disk := disks.find(file.parent))}
                    await images.remove_unused(used)
                self._lock.unlink(missing_ok=True)
                if list(labs().iterdir()) == [self._host_lock]:
                    self._host_lock.unlink()
            remove_empty_store()

    # ---- how it is done

    @property
    def _home(self) -> Path:
        return labs() / self.identity

    @property
    def _lock(self) -> Path:
        return labs() / f"{self.identity}.lock"

    @property
    def _host_lock(self) -> Path:
        """Held while networks are given out, and while images are taken into use or removed."""
        return labs() / "lock"

    @property
    def _group_name(self) -> str:
        return f"colonnade-{self.identity}"

    @property
    def _network(self) -> Network:
        return Network(self.identity)

    def _group(self, name: str) -> Cgroup:
        return Cgroup(f"{self._group_name}/{name}")

    def _machine(self, name: str) -> str:
        return f"{self.identity}-{name}"

    def _alone(self, progress: Callable[[str], None] = lambda _: None) -> AbstractAsyncContextManager[None]:
        return held(
            self._lock,
            seconds=_LOCK_SECONDS,
            waiting=lambda: progress("another colonnade works on these machines; waiting"),
        )

    def _disk(self, name: str) -> Disk:
        disk = disks.find(self._home / name)
        if disk is None:
            raise UsageError(
                "the lab has no such machine",
                where=name,
                do=f"It has: {', '.join(sorted(self.states())) or 'none; bring the stack up first'}",
            )
        return disk

    def _ever_made(self) -> list[str]:
        """Return every machine there is a trace of, be it only a process or only a disk."""
        made = [entry.name for entry in self._home.glob("[!.]*") if entry.is_dir()]
        return sorted({*made, *Cgroup(self._group_name).members()})

    def _state(self, name: str, cables: dict[str, bool]) -> State:
        if disks.find(self._home / name) is None:
            return "absent"
        if not self._group(name).populated():
            return "stopped"
        return "running" if cables.get(self._machine(name), True) else "cut"

    async def _create_missing(
        self, names: Sequence[str], image: Image, key: str, where: Placement, progress: Callable[[str], None]
    ) -> None:
        missing = [name for name in names if disks.find(self._home / name) is None]
        if not missing:
            return
        # Under the lock that removing images takes: from here on the image is seen to be in use.
        async with held(self._host_lock, seconds=_LOCK_SECONDS):
            if not image.root.is_dir():
                raise ColonnadeError("the image was removed in the meantime", do="Run the command again.")
            storage = disks.usable_storage(self._home)
            if storage == "copy":
                progress("this host's disk carries no overlays: each machine gets a copy of the image")
            await _all(
                disks.create(self._home / name, image, name=name, placement=where, authorized_key=key, storage=storage)
                for name in missing
            )
        progress(f"made {', '.join(missing)}")

    async def _power_on(self, name: str, key: str | None = None) -> bool:
        """Return whether anything had to be done to make it run with its cable in."""
        machine, group = self._machine(name), self._group(name)
        if group.populated():
            if self._network.cables().get(machine, True):
                return False
            self._network.plug(machine, carries=True)
            return True
        await self._network.unplugged(machine, seconds=_UNPLUG_SECONDS)
        power.forget(machine, group)
        disk = self._disk(name)
        disks.refresh_resolvers(disk)
        if key is not None:
            disks.authorize(disk, key)
        await power.on(machine, name, bridge=self._network.bridge, disk=disk, group=group)
        return True

    async def _power_off(self, name: str) -> None:
        group = self._group(name)
        await group.kill()
        await self._network.unplugged(self._machine(name), seconds=_UNPLUG_SECONDS)
        power.forget(self._machine(name), group)

    async def _answers(self, name: str, where: Placement) -> None:
        await power.answers(
            name, where.addresses[name], disk=self._disk(name), group=self._group(name), seconds=_BOOT_SECONDS
        )

    async def _plug(self, name: str, *, carries: bool) -> None:
        require_root()
        async with self._alone():
            self._disk(name)
            if self._state(name, {}) == "stopped":
                raise ColonnadeError("it is powered off", where=name, do=f"Start it: colonnade lab start {name}")
            self._network.plug(self._machine(name), carries=carries)


async def _all(tasks: Iterable[Coroutine[None, None, object]]) -> None:
    """Do all at once to their ends, then raise the first failure: one machine's does not stop another's."""
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
