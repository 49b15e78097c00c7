"""Images: the file systems that machines are overlays on; each is built once and kept on this host."""

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colonnade.errors import ColonnadeError
from colonnade.lab import baked, bare
from colonnade.lab.baked import Recipe
from colonnade.lab.host import images, require_programs, require_root
from colonnade.lab.locks import held

Kind = Literal["baked", "bare"]

_BUILD_SECONDS = 1800.0
_SPEAK_SECONDS = 10.0
# What mmdebstrap says before it begins, and of no interest to who waits.
_PREAMBLE = ("I: chroot architecture", "I: finding correct", "I: reading sources", "I: success")


@dataclass(frozen=True)
class Image:
    """A finished image; ``root`` is its file system, which nobody may change any more."""

    kind: Kind
    fingerprint: str
    root: Path


async def ensure(kind: Kind, *, recipe: Recipe | None, progress: Callable[[str], None]) -> Image:
    """Return the image, building it first if this host does not have it.

    A *bare* one is a Debian as one rents it; a *baked* one has gone through ``recipe`` too. Raises
    ColonnadeError without root, without the programs, or with the last words of a build that failed.
    """
    require_root()
    require_programs()
    if kind == "bare":
        return await _built(
            kind,
            _digest(_bare_inputs()),
            lambda root, log, line: bare.install(root, log=log, line=line),
            progress,
        )
    if recipe is None:
        raise ColonnadeError("a baked image needs a recipe, and none was given")

    async def bake(root: Path, log: Path, line: Callable[[str], None]) -> None:
        source = await ensure("bare", recipe=None, progress=progress)
        await baked.install(root, source.root, recipe, log=log, line=line)

    inputs = [_bare_inputs(), baked.EDITION, recipe.fingerprint, recipe.script]
    return await _built(kind, _digest(inputs), bake, progress)


async def remove_unused(used: Collection[Path]) -> None:
    """Remove every image whose file system is not in ``used``, and what interrupted builds left."""
    for entry in sorted(images().glob("*")):
        name = entry.name.removeprefix(".building-").removesuffix(".log")
        if name.endswith(".lock") or images() / name / "root" in used:
            continue
        try:
            async with held(images() / f"{name}.lock", seconds=0):
                if entry.is_dir():
                    await asyncio.to_thread(shutil.rmtree, entry)
                else:
                    entry.unlink(missing_ok=True)
                (images() / f"{name}.lock").unlink(missing_ok=True)
        except ColonnadeError:
            continue  # somebody is building it at this moment, and so uses it


async def _built(
    kind: Kind,
    fingerprint: str,
    build: Callable[[Path, Path, Callable[[str], None]], Awaitable[None]],
    progress: Callable[[str], None],
) -> Image:
    name = f"{kind}-{fingerprint}"
    image = Image(kind, fingerprint, images() / name / "root")
    if image.root.is_dir():
        return image
    async with held(
        images() / f"{name}.lock",
        seconds=_BUILD_SECONDS,
        waiting=lambda: progress(f"image {kind}: another colonnade is building it; waiting"),
    ):
        if not image.root.is_dir():
            unfinished = images() / f".building-{name}"
            if unfinished.exists():
                await asyncio.to_thread(shutil.rmtree, unfinished)
            unfinished.mkdir(mode=0o700)
            log = images() / f"{name}.log"
            log.write_bytes(b"")
            stages = _Stages(kind, progress)
            try:
                await build(unfinished / "root", log, stages.line)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, unfinished)
                raise
            unfinished.rename(image.root.parent)
            stages.say("built")
    return image


class _Stages:
    """Turns a build's output into a line per stage, and one now and then within a long stage."""

    def __init__(self, kind: Kind, progress: Callable[[str], None]) -> None:
        self._kind = kind
        self._progress = progress
        self._start = self._spoke = time.monotonic()
        self._stage = "starting"
        self.say(self._stage)

    def line(self, text: str) -> None:
        """Take a line of output; ``I: …`` (mmdebstrap's, and a recipe's own) begins a stage."""
        if text.startswith("I: ") and not text.startswith(_PREAMBLE):
            self._stage = text.removeprefix("I: ").removesuffix("...")
            self.say(self._stage)
        elif time.monotonic() - self._spoke > _SPEAK_SECONDS:
            self.say(self._stage)

    def say(self, stage: str) -> None:
        self._spoke = time.monotonic()
        self._progress(f"image {self._kind}: {stage} ({self._spoke - self._start:.0f} s)")


def _bare_inputs() -> list[object]:
    return [
        bare.SUITE,
        bare.PACKAGES,
        bare.SOURCES,
        bare.FILES,
        bare.ENABLED,
        bare.MASKED,
        bare.host_settings(),
    ]


def _digest(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
