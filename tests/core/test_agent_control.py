"""The local command's verbs, against an agent that answers from a list of documents."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.contract.test_record_store import free_port, identity_in
from tests.core.test_agent_disk import TOLD

from colonnade.agent.config import Config, read_config
from colonnade.agent.control import FAILED, OK, REFUSED, SILENT, control
from colonnade.wire.server import Request, Response, Server

CONTRACT = {"primary": "web1", "term": 5, "acks": 1, "standbys": ["web2"]}
STATUS: dict[str, Any] = {
    "node": "web1",
    "state": "protected",
    "reason": "primary of term 5",
    "serves": {"primary": True, "replica": False},
    "contract": CONTRACT,
    "mysql": {"replication": None},
    "lag_seconds": None,
    "peers": {"web2": {"age": 0.1, "following": 5, "serves": False}},
    "wanted": {"standbys": 1, "acks": 1},
}
FOLLOWER = STATUS | {
    "node": "web2",
    "state": "standby",
    "serves": {"primary": False, "replica": True},
    "mysql": {"replication": {"receiver": "on", "applying": True, "term": 5}},
    "lag_seconds": 0,
    "peers": {"web1": {"age": 0.1, "following": 0, "serves": True}},
}


class Agent:
    """Gives its documents in turn, the last one again and again; and takes what it is told."""

    def __init__(
        self, statuses: list[dict[str, Any]], said: tuple[int, dict[str, Any]] = (202, {"to": "web2"})
    ) -> None:
        self.statuses, self.said, self.told = statuses, said, []  # type: list[dict[str, Any]], Any, list[Any]

    async def answer(self, request: Request) -> Response:
        if request.path == "/status":
            status = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
            return Response(200, json.dumps(status).encode())
        self.told.append(json.loads(request.body))
        status, document = self.said
        return Response(status, json.dumps(document).encode())


def ask(tmp_path: Path, agent: Agent | None, **asked: Any) -> tuple[int, Any]:
    identity, port = identity_in(tmp_path), free_port()
    tls = {"authority": identity.authority, "certificate": identity.certificate, "key": identity.key}
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(TOLD | {"port": port, "tls": tls}))
    config: Config = read_config(file, tmp_path / "none")

    async def go() -> tuple[int, Any]:
        if agent is None:
            return await control(config, asked)
        server = Server(agent.answer, identity.server())
        await server.listen(("127.0.0.1",), port)
        try:
            return await control(config, asked)
        finally:
            await server.close()

    return asyncio.run(go())


def test_an_agent_that_does_not_answer(tmp_path: Path) -> None:
    assert ask(tmp_path, None, verb="status")[0] == SILENT
    assert ask(tmp_path, None, verb="wait-primary", seconds=0.3)[0] == SILENT


def test_what_it_knows_and_what_it_is_told(tmp_path: Path) -> None:
    assert ask(tmp_path, Agent([STATUS]), verb="status") == (OK, STATUS)
    agent = Agent([STATUS], (200, {"paused": True}))
    assert ask(tmp_path, agent, verb="pause") == (OK, {"paused": True})
    assert agent.told == [{"verb": "pause"}]
    assert ask(tmp_path, Agent([STATUS], (409, {"refused": "no"})), verb="rebuild") == (REFUSED, {"refused": "no"})
    assert ask(tmp_path, Agent([STATUS], (503, {"error": "etcd"})), verb="resume") == (FAILED, {"error": "etcd"})


def test_a_switchover_is_waited_for_until_the_other_serves(tmp_path: Path) -> None:
    swapped = STATUS | {
        "contract": CONTRACT | {"primary": "web2", "term": 6},
        "serves": {"primary": False, "replica": False},
    }
    old = swapped | {"peers": {"web2": {"age": 5, "serves": True}}}
    serves = swapped | {"peers": {"web2": {"age": 0.1, "serves": True}}}
    agent = Agent([STATUS, STATUS, swapped, old, serves])
    code, done = ask(tmp_path, agent, verb="switchover", to="", seconds=5)
    assert (code, done) == (OK, {"primary": "web2", "term": 6, "before": "web1"})
    assert agent.told == [{"verb": "switchover", "to": ""}]


def test_a_switchover_that_does_not_come_is_taken_back(tmp_path: Path) -> None:
    agent = Agent([STATUS])
    code, said = ask(tmp_path, agent, verb="switchover", to="web2", seconds=0.3)
    assert code == FAILED
    assert said["error"] == "web2 did not become the primary in time: primary of term 5"
    assert [each["verb"] for each in agent.told] == ["switchover", "withdraw"]


def test_a_switchover_that_is_refused_waits_for_nothing(tmp_path: Path) -> None:
    agent = Agent([STATUS], (409, {"refused": "web2 is no standby"}))
    assert ask(tmp_path, agent, verb="switchover", to="web2", seconds=60)[0] == REFUSED
    assert len(agent.told) == 1


def well(tmp_path: Path, status: dict[str, Any], verb: str = "wait-well") -> int:
    return ask(tmp_path, Agent([status]), verb=verb, seconds=0.25)[0]


def test_whether_somebody_serves(tmp_path: Path) -> None:
    assert well(tmp_path, STATUS, "wait-primary") == OK
    assert well(tmp_path, FOLLOWER, "wait-primary") == OK
    assert well(tmp_path, FOLLOWER | {"peers": {}}, "wait-primary") == FAILED
    assert well(tmp_path, STATUS | {"contract": None}, "wait-primary") == FAILED


def test_whether_a_node_is_as_good_as_it_will_be(tmp_path: Path) -> None:
    late = FOLLOWER | {"lag_seconds": 3}
    earlier = FOLLOWER | {"mysql": {"replication": {"receiver": "on", "applying": True, "term": 4}}}
    stopped = FOLLOWER | {"mysql": {"replication": {"receiver": "off", "applying": True, "term": 5}}}
    loose = STATUS | {"contract": CONTRACT | {"acks": 0}}
    alone = loose | {"peers": {"web2": {"age": 9, "following": 0, "serves": False}}}
    witness = FOLLOWER | {"mysql": None, "state": "witness"}
    found = [well(tmp_path, each) for each in (STATUS, FOLLOWER, witness, alone, late, earlier, stopped, loose)]
    assert found == [OK, OK, OK, OK, FAILED, FAILED, FAILED, FAILED]
