"""etcd keeps the record as the simulation's store does: the same questions to both."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from tests.simulation.store import Store
from tests.simulation.world import World

from colonnade.adapters.authority import Authority
from colonnade.adapters.etcd import Etcd, Outcome, Write
from colonnade.gtid import GtidSet
from colonnade.ha.actions import ClaimLease, ReleaseLease, RenewLease, WriteContract
from colonnade.ha.contract import founded, succession
from colonnade.ha.view import Claim, Contract, How, Member
from colonnade.render import CertificateRequest
from colonnade.wire.tls import Identity

ETCD = shutil.which("etcd")
A, B = "web1", "web2"
MEMBER = Member(A, "3e11fa47-71ca-11e1-9e33-c80aa9429562/1")


class Kept(Protocol):
    """What both can do."""

    def write(self, node: str, action: Write) -> bool: ...
    def claim(self) -> Claim | None: ...
    def contract(self) -> Contract | None: ...
    def later(self, seconds: float) -> None: ...


@dataclass
class Simulated:
    world: World = field(default_factory=lambda: World(1))
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.world, ttl=2.0)

    def write(self, node: str, action: Write) -> bool:
        return self.store.write(node, action)

    def claim(self) -> Claim | None:
        return self.store.claim()

    def contract(self) -> Contract | None:
        return self.store.contract

    def later(self, seconds: float) -> None:
        self.world.now += seconds


@dataclass
class Real:
    """An etcd of its own, and a client for each node."""

    url: str
    identity: Identity

    def write(self, node: str, action: Write) -> bool:
        async def go() -> Outcome:
            etcd = Etcd(node, [self.url], self.identity)
            try:
                await etcd.read(seconds=5)  # as an agent does, before it acts
                return await etcd.write(action, seconds=5)
            finally:
                etcd.close()

        outcome = asyncio.run(go())
        assert outcome is not Outcome.UNKNOWN
        return outcome is Outcome.DONE

    def claim(self) -> Claim | None:
        return self._read()[0]

    def contract(self) -> Contract | None:
        return self._read()[1]

    def _read(self) -> tuple[Claim | None, Contract | None]:
        async def go() -> tuple[Claim | None, Contract | None]:
            etcd = Etcd("reader", [self.url], self.identity)
            try:
                stored = await etcd.read(seconds=5)
            finally:
                etcd.close()
            return stored.claim, stored.contract

        return asyncio.run(go())

    def later(self, seconds: float) -> None:
        time.sleep(seconds)  # a lease in a real etcd ends by its clock alone


class Files:
    """The authority's files, in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def read(self, name: str) -> str | None:
        path = self._directory / name
        return path.read_text() if path.exists() else None

    def write(self, name: str, text: str) -> None:
        (self._directory / name).write_text(text)


def identity_in(directory: Path) -> Identity:
    """Issue a certificate for this host."""
    request = CertificateRequest("node", "web1", ("localhost", "127.0.0.1"), server=True)
    issued = Authority(Files(directory), "test", datetime.now(UTC)).issue([request])["node"]
    for name, text in (("ca", issued.authority), ("crt", issued.text), ("key", issued.key.reveal())):
        (directory / f"node.{name}").write_text(text)
    return Identity(*(str(directory / f"node.{name}") for name in ("ca", "crt", "key")))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(params=["simulated", "real"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "simulated":
        yield Simulated()
        return
    if ETCD is None:
        pytest.skip("needs etcd: apt-get install etcd-server")
    identity = identity_in(tmp_path)
    url, peer = f"https://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            *(ETCD, "--name", "one", "--data-dir", str(tmp_path / "data"), "--logger", "zap", "--log-level", "error"),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"),
            *("--client-cert-auth", "--trusted-ca-file", identity.authority),
            *("--cert-file", identity.certificate, "--key-file", identity.key),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        real = Real(url, identity)
        deadline = time.monotonic() + 30
        while True:
            with suppress(Exception):
                real.claim()
                break
            assert time.monotonic() < deadline, "etcd did not start"
            assert process.poll() is None, "etcd ended"
        yield real
    finally:
        process.kill()
        process.wait()


def claimed(kept: Kept, node: str, term: int) -> Claim:
    before = kept.claim()
    assert kept.write(node, ClaimLease(term, before.revision if before else 0))
    claim = kept.claim()
    assert claim is not None
    assert (claim.holder, claim.term, claim.alive) == (node, term, True)
    return claim


def test_a_claim_is_taken_once_and_over_what_was_read(kept: Kept) -> None:
    assert kept.claim() is None
    first = claimed(kept, A, 1)
    assert not kept.write(B, ClaimLease(2, 0))
    assert claimed(kept, B, 2).revision > first.revision
    assert not kept.write(A, RenewLease(1, first.revision))


def test_a_lease_ends_and_its_holder_may_begin_another(kept: Kept) -> None:
    claim = claimed(kept, A, 1)
    kept.later(1.2)
    assert kept.write(A, RenewLease(1, claim.revision))
    kept.later(1.2)
    assert (now := kept.claim()) is not None
    assert now.alive
    kept.later(3.5)
    assert (now := kept.claim()) is not None
    assert not now.alive
    assert kept.write(A, RenewLease(1, claim.revision))
    assert kept.claim() == replace(claim, alive=True)


def test_a_lease_is_given_up_at_once(kept: Kept) -> None:
    claim = claimed(kept, A, 1)
    assert kept.write(A, ReleaseLease(1, claim.revision))
    assert kept.claim() == replace(claim, alive=False)


def test_the_contract_is_swapped_only_over_what_was_read_and_by_who_holds_the_claim(kept: Kept) -> None:
    claimed(kept, A, 1)
    new = founded(MEMBER, 1, [A, B])
    begin = WriteContract(new, 0, 1, succession(new, None, How.FOUNDED, frozenset()))
    assert not kept.write(B, begin)
    assert kept.write(A, begin)
    assert not kept.write(A, begin)
    first = kept.contract()
    assert first is not None
    assert replace(first, revision=0) == new
    floor = GtidSet.parse(f"{MEMBER.uuid}:1-5:7,{MEMBER.uuid}:tag:1-3")
    standby = Member(B, "4e11fa47-71ca-11e1-9e33-c80aa9429562/1")
    second = replace(first, standbys=frozenset({standby}), acks=1, floor=floor, barred=frozenset({"web3"}))
    assert not kept.write(A, WriteContract(second, first.revision, 2))
    assert kept.write(A, WriteContract(second, first.revision, 1))
    now = kept.contract()
    assert now is not None
    assert replace(now, revision=0) == replace(second, revision=0)
    assert now.revision > first.revision
    claimed(kept, B, 2)
    assert not kept.write(A, WriteContract(first, now.revision, 1))
