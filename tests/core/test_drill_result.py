"""How a cluster is seen to be whole, the verdict, its document and its picture."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.core.drilled import (
    BEGIN,
    CAST,
    COURSE,
    DOWN,
    WANTED,
    evidence,
    log,
    result,
    rows,
    sample_lines,
    samples,
    status,
)

from colonnade.drill import Bar, Gap, Lane, Picture, Span, draw
from colonnade.drill.database import FAULTS, Rows, judge, parse_samples, redundant_since, troubles
from colonnade.drill.database.cluster import CLONING, LEADING, SILENT, WHOLE, Sample, holds, newest, sample
from colonnade.drill.database.result import bars, document, lanes, picture

SVG = "{http://www.w3.org/2000/svg}"


def now(**changed: Sample) -> dict[str, Sample]:
    well = {
        "lb1": sample("lb1", 1.0, status("lb1", "witness")),
        "web1": sample("web1", 1.0, status("web1", "protected")),
        "web2": sample("web2", 1.0, status("web2", "standby")),
    }
    return well | changed


def wrong(**changed: Sample) -> str:
    return "\n".join(troubles(now(**changed), WANTED))


def test_a_whole_cluster_has_no_troubles() -> None:
    assert wrong() == ""


@pytest.mark.parametrize(
    ("node", "changes", "said"),
    [
        ("lb1", {"state": ""}, "the agent of lb1 does not answer"),
        ("web1", {"leads": False}, "no server leads"),
        ("web2", {"leads": True}, "more than one server leads: web1, web2"),
        ("web1", {"contract_primary": "web2"}, "the contract's primary is web2, not web1"),
        ("web1", {"acks": 0}, "the contract says acks = 0; it should be 1"),
        ("web1", {"standbys": ()}, "the contract lists no standby; 1 should be listed"),
        ("web2", {"mysql": False}, "the MySQL of web2 does not answer"),
        ("web2", {"cloning": True}, "web2 is being provisioned"),
        ("web2", {"receiver": "connecting"}, "web2 does not follow: its receiver is connecting, it is standby"),
        ("web2", {"applying": False}, "web2 does not follow"),
    ],
)
def test_what_is_wrong_is_said(node: str, changes: dict[str, object], said: str) -> None:
    assert said in wrong(**{node: replace(now()[node], **changes)})  # type: ignore[arg-type]


def test_what_an_agent_was_told_to_have_counts_as_far_as_there_are_servers() -> None:
    told = {"founder": "web1", "standbys": 2, "acks": 2, "strict": False}
    primary = sample("web1", 1.0, status("web1", "protected") | {"wanted": told})
    assert primary.wanted == (2, 2)
    assert wrong(web1=primary) == ""
    assert "acks = 0" in wrong(web1=replace(primary, acks=0))
    three = replace(WANTED, servers=("web1", "web2", "web3"))
    assert "acks = 1; it should be 2" in "\n".join(troubles(now(web1=primary), three))


def test_a_sample_that_is_old_is_silence() -> None:
    old = newest((sample("web1", 1.0, status("web1", "protected")), sample("web1", 2.0, status("web1", "alone"))), 9.0)
    assert not old["web1"].answers
    assert newest(now().values(), 2.0)["web1"].state == "protected"


def test_the_last_break_counts_because_before_a_fault_is_noticed_all_looks_whole() -> None:
    since = redundant_since(samples(), WANTED, BEGIN)
    assert since == pytest.approx(BEGIN + 6.2)
    assert redundant_since([each for each in samples() if each.at < BEGIN + 5], WANTED, BEGIN) is None
    assert redundant_since([each for each in samples() if each.at < BEGIN], WANTED, BEGIN) == BEGIN


def test_what_an_act_waits_for_is_known_by_name() -> None:
    cloning = {**now(), "web2": replace(now()["web2"], cloning=True)}
    assert holds(CLONING, "web2", cloning, WANTED)
    assert not holds(CLONING, "web1", cloning, WANTED)
    assert holds(LEADING, "web1", now(), WANTED)
    assert holds(WHOLE, "web2", now(), WANTED)
    assert not holds(WHOLE, "web2", cloning, WANTED)
    with pytest.raises(ValueError, match="upside down"):
        holds("upside down", "web1", now(), WANTED)


def test_a_sampler_that_got_no_answer_says_so() -> None:
    (found,) = parse_samples('{"node":"web1","at":1.5,"status":null}\n{"node":"web1","at":2.5,"sta')
    assert found == Sample("web1", 1.5)
    assert not found.answers


def test_a_drill_that_cost_little_is_passed() -> None:
    found = result()
    assert found.verdict.passed
    assert found.verdict.gap.seconds == pytest.approx(DOWN, abs=0.02)
    assert found.verdict.redundant_after_begin == pytest.approx(6.2)
    assert found.verdict.redundant_after_end == 0


def test_a_drill_that_lost_a_write_is_failed() -> None:
    made = log()
    there = rows(made)
    without = Rows({id_: parts for id_, parts in there.parts.items() if id_ != "web1.0:1000"}, there.counter)
    found = result(given=evidence(made, without))
    assert not found.verdict.passed
    assert found.verdict.reasons == ("1 write acknowledged and lost: web1.0:1000",)
    assert document(found)["writes"]["lost"] == ["web1.0:1000"]


def test_a_warning_that_must_come_is_missed() -> None:
    fault = FAULTS["application-may-too-much"]
    assert "no agent warned of CONNECTION_ADMIN" in result(fault).verdict.reasons
    warning = "application account app has CONNECTION_ADMIN"
    heard = replace(samples()[-1], warnings=(warning,))
    given = replace(evidence(), samples=(*samples(), heard))
    found = judge(replace(fault, limits=FAULTS["mysqld-killed"].limits), CAST, COURSE, given)
    assert found.verdict.passed
    assert document(found)["warnings"] == [warning]


def test_the_document_has_everything_and_is_json() -> None:
    found = json.loads(json.dumps(document(result())))
    assert found["passed"] is True
    assert found["primary"] == "web1"
    assert found["cast"]["etcd's leader"] == ["lb1"]
    assert found["fault"]["name"] == "mysqld-killed"
    assert found["gap_by_client"].keys() == {"web1", "web2"}
    assert sum(bar["acknowledged"] for bar in found["bars"]) == found["writes"]["acknowledged"]
    assert found["roles"]["web2"][-1]["state"] == "protected"


def test_lanes_join_equal_states_and_show_where_nothing_is_known() -> None:
    found = {lane.name: [span.text for span in lane.spans] for lane in lanes(samples())}
    assert found["web1"] == ["protected", "down", "fenced", "standby"]
    assert found["lb1"] == ["witness"]
    gone = [Sample("web1", at, state="standby") for at in (1.0, 1.2, 9.0, 9.2)]
    (lane,) = lanes(gone)
    assert [(span.text, span.begin) for span in lane.spans] == [("standby", 1.0), (SILENT, 1.2), ("standby", 9.0)]


def test_bars_count_what_succeeded_and_what_failed() -> None:
    made = list(bars(log()))
    assert sum(bar.good for bar in made) == len(log().acknowledged)
    assert sum(bar.bad for bar in made) == 30


def test_the_picture_is_one_whole_file_with_all_that_matters() -> None:
    drawn = draw(picture(result()))
    root = ET.fromstring(drawn)  # noqa: S314  our own
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    for text in ("fault begins", "mended", "witness", "fenced", "standby", "web1", "web2", "lb1", "0 s"):
        assert text in texts
    assert "0.63 s without a write" in texts
    assert "whole again after 6.2 s" in texts
    assert "prefers-color-scheme: dark" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    classes = [each.get("class") for each in root.iter(f"{SVG}rect")]
    assert classes.count("good") > 100
    assert "bad" in classes
    assert "silent" in classes


def test_a_picture_of_next_to_nothing_is_whole_too() -> None:
    lane = Lane("a <b>", (Span(0.0, 1.0, "x & y"),))
    empty = Picture("t", "s", 0.0, 1.0, (0.2, 0.2), 0.1, (), (lane,), Gap(0.2, 1.0, ended=False), None, "good", "bad")
    root = ET.fromstring(draw(empty))  # noqa: S314  our own
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert "a <b>" in texts
    assert "0.80 s without a write, and no end" in texts
    ET.fromstring(draw(replace(empty, gap=None, bars=(Bar(0.5, 1, 0),))))  # noqa: S314


def test_the_lines_of_samples_are_those_of_the_program() -> None:
    assert {each.node for each in parse_samples(sample_lines())} == set(WANTED.nodes)
