"""What the lab asks of this host and changes on it, short of booting a machine."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from colonnade.errors import ColonnadeError
from colonnade.lab import Lab, Recipe, host, host_packages, hosts, image
from colonnade.lab.placement import Placement, free_subnet, with_machines

pytestmark = pytest.mark.lab


def test_a_recipe_that_fails_says_why_and_leaves_no_image() -> None:
    broken = Recipe(script="echo the reason is here\nexit 7\n", fingerprint="broken")
    with pytest.raises(ColonnadeError, match="the reason is here") as failed:
        asyncio.run(image.ensure("baked", recipe=broken, progress=lambda _: None))
    named = re.search(r"baked-[0-9a-f]{12}", failed.value.what)
    assert named
    log = host.images() / f"{named[0]}.log"
    assert log.read_text().startswith("the reason is here\n")
    for file in (log, log.with_suffix(".lock")):
        file.unlink()
    for top in ("/sys/fs/cgroup", "/run", str(host.images())):
        assert not list(Path(top).rglob(f"*{named[0]}*"))


def test_without_root_or_programs_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab("stack", tmp_path)
    os.seteuid(65534)
    try:
        with pytest.raises(ColonnadeError, match="takes root") as refused:
            asyncio.run(lab.place(["web1"]))
    finally:
        os.seteuid(0)
    assert "sudo" in refused.value.do
    monkeypatch.setattr(host, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(ColonnadeError) as incomplete:
        asyncio.run(lab.place(["web1"]))
    assert "apt-get install" in incomplete.value.do
    for package in ("mmdebstrap", "systemd-container", "nftables", "iproute2"):
        assert package in incomplete.value.do
        assert package in host_packages()


def test_addresses_stay_and_networks_do_not_overlap() -> None:
    subnet = free_subnet("000000", [])
    assert free_subnet("000000", [subnet]) != subnet
    placed = with_machines(Placement(str(subnet), str(subnet[1]), {}), ["web1", "web2"])
    assert placed.addresses == {"web1": str(subnet[11]), "web2": str(subnet[12])}
    assert with_machines(placed, ["web3", "web1"]).addresses == {**placed.addresses, "web3": str(subnet[13])}
    with pytest.raises(ColonnadeError, match="no /24"):
        free_subnet("000000", [subnet.supernet(new_prefix=15)])


def test_lines_in_the_hosts_file_are_the_stacks_own(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n")
    file.chmod(0o640)
    names = {"www.foobar.com": "198.18.0.11", "foobar.com": "198.18.0.11"}
    hosts.add("aaaaaa", names, file=file)
    hosts.add("bbbbbb", {"www.example.test": "198.18.1.11"}, file=file)
    hosts.add("aaaaaa", names, file=file)
    assert file.read_text().splitlines() == [
        "127.0.0.1 localhost",
        "198.18.1.11 www.example.test # colonnade bbbbbb",
        "198.18.0.11 foobar.com www.foobar.com # colonnade aaaaaa",
    ]
    assert file.stat().st_mode & 0o777 == 0o640
    hosts.remove("aaaaaa", file=file)
    hosts.remove("bbbbbb", file=file)
    assert file.read_text() == "127.0.0.1 localhost\n"


def test_a_hosts_file_that_is_a_mount_is_written_in_place(tmp_path: Path) -> None:
    file, behind = tmp_path / "hosts", tmp_path / "behind"
    file.touch()
    behind.write_text("127.0.0.1 localhost\n")
    host.call(["mount", "--bind", str(behind), str(file)])
    try:
        hosts.add("aaaaaa", {"www.foobar.com": "198.18.0.11"}, file=file)
    finally:
        host.call(["umount", str(file)])
    assert behind.read_text().endswith("198.18.0.11 www.foobar.com # colonnade aaaaaa\n")
    assert not list(tmp_path.glob(".hosts*"))
