"""Whatever comes back from a machine, it is facts or one error of ours."""

import string

from hypothesis import given
from hypothesis import strategies as st

from colonnade.errors import ColonnadeError
from colonnade.facts import Facts, parse

ANSWER = (
    "os\tdebian\t13\ttrixie\n"
    "arch\tamd64\n"
    "init\tsystemd\n"
    "memory\t4294967296\n"
    "managed\tabc\t/etc/haproxy/haproxy.cfg\n"
    "loaded\thaproxy.service\tabc\tdef\n"
    "release\t0123456789ab\n"
    "migrated\t0123456789ab\n"
    "current\t0123456789ab\n"
    "drained\tweb1\n"
    "generation\tf00-1\n"
    "half\n"
    "path\tregular file\t644\troot\troot\t/etc/haproxy/haproxy.cfg\n"
    "path\tdirectory\t755\troot\troot\t/srv/colonnade\n"
    "sum\tabc\t/etc/haproxy/haproxy.cfg\n"
    "text\t/etc/haproxy/haproxy.cfg\tZ2xvYmFsCg==\n"
    "unit\tId=haproxy.service\nunit\tLoadState=loaded\nunit\tActiveState=active\nunit\tSubState=running\n"
    "unit\tUnitFileState=enabled\nunit\tNeedDaemonReload=no\nunit\t\nunit\tId=mysql.service\n"
    "package\thaproxy\tinstalled\t3.0.11-1\n"
    "user\tcolonnade-app\n"
    'port\t0.0.0.0:80\tusers:(("haproxy",pid=7,fd=5))\n'
    "sql\tinitialised\n"
    "sql\tvariable\tread_only\tON\n"
    "sql\tvariable\tgtid_executed\t3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5\n"
    "sql\tschema\tfoobar\n"
    "sql\taccount\tapp\tabc\n"
    "sql\tanswers\n"
    "sql\treplica\t             Source_Host: 198.18.0.3\n"
    "sql\treplica\t   Seconds_Behind_Source: 0\n"
    "stat\t# pxname,svname,qcur,scur,status,weight,check_status,check_desc\n"
    "stat\tapp,web1,0,3,UP,1,L7OK,Layer7 check passed\n"
    "probe\tnginx\t200\n"
    "etcd\tdata\n"
    "etcd\tjoined\n"
    'etcd\tsaid\t{"header": {"cluster_id": "7", "member_id": "8"}, "raftTerm": "2", "leader": "8", "raftIndex": "9"}\n'
    'etcd\tsaid\t{"members": [{"ID": "8", "name": "lb1", "peerURLs": ["https://198.18.0.2:2380"]}]}\n'
    "end\n"
)
LINES = ANSWER.splitlines(keepends=True)


def read(answer: str) -> Facts | None:
    """Return the facts, or None if the answer is refused."""
    try:
        return parse(answer)
    except ColonnadeError:
        return None


def test_the_answer_itself_is_read() -> None:
    facts = read(ANSWER)
    assert facts is not None
    assert facts.units["haproxy.service"].is_active
    assert facts.proxy[0].sessions == 3
    assert facts.etcd.data
    assert facts.etcd.leader == facts.etcd.member == "8"
    assert [member.name for member in facts.etcd.members] == ["lb1"]
    assert facts.files["/etc/haproxy/haproxy.cfg"].text == "global\n"


@given(st.integers(0, len(ANSWER) - len("end\n")))
def test_an_answer_that_was_cut_short_is_refused(length: int) -> None:
    assert read(ANSWER[:length]) is None


@given(st.lists(st.sampled_from(LINES), max_size=60))
def test_lines_in_any_order_and_number_are_facts_or_refused(lines: list[str]) -> None:
    read("".join(lines) + "end\n")


@given(st.data())
def test_a_garbled_answer_is_facts_or_refused(data: st.DataObject) -> None:
    answer = ANSWER
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(answer)))
        length = data.draw(st.integers(0, 8))
        text = data.draw(st.text(string.printable + "\x00\x85\u2028é", max_size=8))
        answer = answer[:at] + text + answer[at + length :]
    read(answer)


@given(st.text())
def test_any_text_is_facts_or_refused(text: str) -> None:
    read(text)
    read(f"{text}\nend\n")
