"""What an agent keeps on disk: for whom, for how long, and how much of it."""

import json
from pathlib import Path

import pytest

from colonnade.agent.config import read_config
from colonnade.agent.disk import INCARNATION, KEPT, Disk, Entry, History, incarnation_of
from colonnade.gtid import GtidSet
from colonnade.ha.view import Durable

U1 = "10000000-0000-0000-0000-000000000000"
SAVED = GtidSet.parse(f"{U1}:7")


def test_what_must_not_be_forgotten_is_there_after_a_crash(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    disk.belongs_to(f"{U1}/a", provisioned=True)
    disk.remember(Durable(9, 8, provisioned=False, saved=SAVED))
    again = Disk(tmp_path / "state")
    assert again.durable == Durable(9, 8, provisioned=False, saved=SAVED)
    assert again.incarnation == f"{U1}/a"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_promise_stays_with_the_machine_and_the_rest_with_the_data(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.belongs_to("one", provisioned=True)
    disk.remember(Durable(9, 8, saved=SAVED))
    disk.belongs_to("one", provisioned=False)
    assert disk.durable == Durable(9, 8, saved=SAVED), "the same data"
    disk.belongs_to("two", provisioned=False)
    assert Disk(tmp_path).durable == Durable(9, 0, provisioned=False)


def test_data_that_has_no_name_yet_keeps_the_term_in_which_it_was_copied(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.belongs_to("one", provisioned=True)
    disk.incarnation = ""
    disk.remember(Durable(9, 7))
    again = Disk(tmp_path)
    again.belongs_to("two", provisioned=True)
    assert again.durable == Durable(9, 7)


def test_data_that_leads_is_not_made_anew(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.remember(Durable(5, 4, provisioned=False))
    disk.record_term(5)
    assert disk.durable == Durable(5, 5, provisioned=False)
    disk.record_term(6, leads=True)
    assert Disk(tmp_path).durable == Durable(5, 6, provisioned=True)


def test_a_data_directory_is_given_an_identity_once(tmp_path: Path) -> None:
    first = incarnation_of(tmp_path, U1)
    assert first.startswith(f"{U1}/")
    assert incarnation_of(tmp_path, U1) == first
    (tmp_path / INCARNATION).unlink()
    assert incarnation_of(tmp_path, U1) != first


def entry(number: int) -> Entry:
    return Entry(float(number), "web1", "alone", "Wait", f"reason {number} ü")


def test_the_history_is_cut_to_what_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    history = History(file)
    for number in range(2 * KEPT + 50):
        history.add(entry(number))
    assert len(file.read_text().splitlines()) <= 2 * KEPT
    again = History(file)
    assert list(again.last(2)) == [entry(2 * KEPT + 48), entry(2 * KEPT + 49)]
    assert len(list(again.last(10 * KEPT))) == KEPT


def test_the_history_stays_small_however_often_the_agent_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    for life in range(10):
        history = History(file)
        for number in range(KEPT // 2):
            history.add(entry(life * KEPT + number))
    assert len(file.read_text().splitlines()) <= 2 * KEPT


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    History(file).add(entry(1))
    with file.open("a") as more:
        more.write('{"at": 2, "no')
    assert list(History(file).last(9)) == [entry(1)]


TOLD = {
    "stack": "shop",
    "node": "web1",
    "address": "2001:db8::1",
    "port": 2381,
    "nodes": {"web1": {"address": "2001:db8::1", "server": True}, "lb1": {"address": "2001:db8::9", "server": False}},
    "etcd": ["https://[2001:db8::1]:2379", "https://[2001:db8::9]:2379"],
    "tls": {"authority": "ca", "certificate": "crt", "key": "key"},
    "wanted": {"founder": "web1", "standbys": 1, "acks": 1, "strict": True},
    "mysql": {"socket": "s", "data": "/d", "unit": "mysql", "port": 3306, "accounts": {"web1": "repl_web1"}},
    "haproxy": None,
    "state": "/var/lib/colonnade/agent",
}


def test_the_config_is_read(tmp_path: Path) -> None:
    config, secrets = tmp_path / "agent.json", tmp_path / "secrets.json"
    config.write_text(json.dumps(TOLD))
    read = read_config(config, secrets)
    assert (read.wanted.servers, read.wanted.agents, read.wanted.strict) == (("web1",), 2, True)
    assert read.has_member
    assert read.proxy is None
    assert read.password.reveal() == ""
    secrets.write_text('{"replication": "hidden"}')
    config.write_text(json.dumps(TOLD | {"mysql": None, "etcd": TOLD["etcd"][1:]}))  # type: ignore[index]
    read = read_config(config, secrets)
    assert read.password.reveal() == "hidden"
    assert "hidden" not in repr(read)
    assert read.mysql is None
    assert not read.has_member


def test_a_config_that_is_not_as_apply_writes_it_is_an_error(tmp_path: Path) -> None:
    config = tmp_path / "agent.json"
    for text, error in (("{}", KeyError), ("{", ValueError)):
        config.write_text(text)
        with pytest.raises(error):
            read_config(config, tmp_path / "secrets.json")
