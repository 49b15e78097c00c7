"""What a machine answers, read line by line; and what it is asked."""

import json

import pytest

from colonnade.errors import ColonnadeError
from colonnade.facts import (
    AccountFact,
    AgentFact,
    ClaimFact,
    ContractFact,
    DirectoryFact,
    Facts,
    FileFact,
    LoadedConfiguration,
    ProxyServer,
    Question,
    ReplicationFact,
    SavedFact,
    UnitFact,
    Wanted,
    facts_script,
    parse,
)

SYSTEM = "os\tdebian\t13\ttrixie\narch\tamd64\ninit\tsystemd\nmemory\t4110417920\n"


def facts(*lines: str) -> Facts:
    return parse(SYSTEM + "".join(f"{line}\n" for line in lines) + "end\n")


def test_a_machine_with_nothing_of_ours_on_it() -> None:
    bare = facts()
    assert (bare.system, bare.version, bare.codename) == ("debian", "13", "trixie")
    assert (bare.architecture, bare.init, bare.memory) == ("amd64", "systemd", 4110417920)
    assert (bare.generation, bare.release, bare.half_installed) == ("", "", False)
    assert not bare.database.initialised


def test_what_colonnade_wrote_down_itself() -> None:
    read = facts(
        "managed\taa\t/etc/a",
        "loaded\tnginx.service\t0123\t-",
        "release\tr1",
        "release\tr2",
        "current\tr2",
        "migrated\tr1",
        "drained\tweb1",
        "generation\tf00-3",
        "half",
    )
    assert read.manifest == {"/etc/a": "aa"}
    assert read.loaded == {"nginx.service": LoadedConfiguration("0123", "-")}
    assert (read.releases, read.release, read.migrated) == (frozenset({"r1", "r2"}), "r2", frozenset({"r1"}))
    assert (read.drained, read.generation, read.half_installed) == (frozenset({"web1"}), "f00-3", True)


def test_files_and_directories() -> None:
    read = facts(
        "path\tregular file\t640\troot\tknot\t/etc/knot/knot.conf",
        "path\tregular empty file\t644\troot\troot\t/etc/empty",
        "path\tsymbolic link\t777\troot\troot\t/etc/link",
        "path\tdirectory\t2750\tknot\tknot\t/var/lib/knot/zones",
        "sum\taa\t/etc/knot/knot.conf",
        "sum\te3b0\t/etc/empty",
        "sum\tbb\t/etc/link",
        "text\t/etc/knot/knot.conf\tc2VydmVyOgo=",
    )
    assert read.files == {
        "/etc/knot/knot.conf": FileFact(0o640, "root", "knot", "aa", "server:\n"),
        "/etc/empty": FileFact(0o644, "root", "root", "e3b0"),
        "/etc/link": FileFact(0o777, "root", "root", "bb"),
    }
    assert read.directories == {"/var/lib/knot/zones": DirectoryFact(0o2750, "knot", "knot")}


def test_no_file_at_all_prints_an_empty_sum() -> None:
    assert facts("sum\t\t").files == {}


def test_units() -> None:
    read = facts(
        "unit\tId=nginx.service",
        "unit\tLoadState=loaded",
        "unit\tActiveState=active",
        "unit\tSubState=running",
        "unit\tUnitFileState=enabled",
        "unit\tNeedDaemonReload=yes",
        "unit\t",
        "unit\tId=mysql.service",
        "unit\tLoadState=not-found",
        "unit\tActiveState=inactive",
        "unit\tSubState=dead",
        "unit\tUnitFileState=",
        "unit\tNeedDaemonReload=no",
    )
    assert read.units == {
        "nginx.service": UnitFact("loaded", "active", "running", "enabled", needs_daemon_reload=True),
        "mysql.service": UnitFact("not-found", "inactive", "dead", ""),
    }
    assert read.active("nginx.service")
    assert not read.active("mysql.service")
    assert not read.active("knot.service")


def test_only_installed_packages_count() -> None:
    read = facts("package\thaproxy\tinstalled\t3.0.11-1", "package\tknot\thalf-configured\t3.4", "user\tknot")
    assert read.packages == {"haproxy": "3.0.11-1"}
    assert read.users == frozenset({"knot"})


def test_a_primary() -> None:
    database = facts(
        "sql\tinitialised",
        "sql\tvariable\tread_only\tOFF",
        "sql\tvariable\tversion\t9.7.4",
        "sql\tvariable\tserver_uuid\t3e11fa47-71ca-11e1-9e33-c80aa9429562",
        "sql\tvariable\tgtid_executed\t3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
        "sql\tvariable\tgtid_purged\t",
        "sql\tvariable\tmax_connections\t151",
        "sql\tschema\tmysql",
        "sql\tschema\tfoobar",
        "sql\taccount\tapp\t0123456789abcdef",
        "sql\taccount\troot\t",
        "sql\tanswers",
    ).database
    assert (database.initialised, database.answers, database.read_only, database.replica) == (True, True, False, None)
    assert database.version == "9.7.4"
    assert database.executed == "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
    assert database.purged == ""
    # Compared with what is wanted, as every other setting is.
    assert database.variables == {"read_only": "OFF", "max_connections": "151"}
    assert database.schemas == frozenset({"mysql", "foobar"})
    assert database.accounts["app"] == AccountFact("app", "0123456789abcdef")
    assert database.error == ""


def test_a_replica() -> None:
    replica = facts(
        "sql\tinitialised",
        "sql\tvariable\tread_only\tON",
        "sql\tanswers",
        "sql\treplica\t*************************** 1. row ***************************",
        "sql\treplica\t             Replica_IO_State: Waiting for source to send event",
        "sql\treplica\t                  Source_Host: 198.18.0.3",
        "sql\treplica\t                  Source_User: repl_web2",
        "sql\treplica\t           Replica_IO_Running: Yes",
        "sql\treplica\t          Replica_SQL_Running: No",
        "sql\treplica\t        Seconds_Behind_Source: NULL",
        "sql\treplica\t                Last_IO_Error: ",
        "sql\treplica\t               Last_SQL_Error: Could not execute: Duplicate entry",
        "sql\treplica\t           Retrieved_Gtid_Set: 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,",
    ).database.replica
    assert replica is not None
    assert (replica.source, replica.account) == ("198.18.0.3", "repl_web2")
    assert (replica.receiver, replica.applier, replica.lag_seconds) == ("Yes", "No", None)
    assert replica.error == "Could not execute: Duplicate entry"


def test_mysql_that_does_not_answer_says_why() -> None:
    database = facts("sql\tinitialised", "sql\tERROR 2002 (HY000): Can't connect through socket").database
    assert (database.initialised, database.answers) == (True, False)
    assert database.error == "ERROR 2002 (HY000): Can't connect through socket"


def test_servers_of_haproxy() -> None:
    read = facts(
        "stat\t# pxname,svname,qcur,qmax,scur,status,weight,check_status,check_desc,",
        "stat\twww,FRONTEND,,,5,OPEN,,,,",
        'stat\tapp,web1,1,2,3,UP,1,L7OK,"Layer7 check passed, twice",',
        "stat\tapp,web2,0,0,0,DOWN,1,L4TOUT,,",
        "stat\tapp,BACKEND,0,0,5,UP,2,,,",
        "stat\t",
    )
    assert read.proxy == (
        ProxyServer("app", "web1", "UP", 3, "Layer7 check passed, twice", 1, 1),
        ProxyServer("app", "web2", "DOWN", 0, "L4TOUT", 1, 0),
    )


def test_haproxy_that_was_cut_off_in_the_middle_of_a_line_gives_texts() -> None:
    read = facts("stat\t# pxname,svname,qcur,scur,status,weight,check_status", "stat\tapp,web1,0")
    assert read.proxy == (ProxyServer("app", "web1", "", 0, "", 0, 0),)


@pytest.mark.parametrize(
    ("line", "listener"),
    [
        ('port\t0.0.0.0:80\tusers:(("haproxy",pid=7,fd=5))', ("0.0.0.0", 80, "haproxy")),  # noqa: S104  read, not bound
        ('port\t*:8080\tusers:(("nginx",pid=7,fd=5),("nginx",pid=8,fd=5))', ("*", 8080, "nginx")),
        ('port\t[::]:53\tusers:(("knotd",pid=7,fd=5))', ("::", 53, "knotd")),
        ('port\t127.0.0.53%lo:53\tusers:(("systemd-resolve",pid=7,fd=5))', ("127.0.0.53", 53, "systemd-resolve")),
        ("port\t[fe80::1]%eth0:80\t", ("fe80::1", 80, "")),
    ],
)
def test_listeners(line: str, listener: tuple[str, int, str]) -> None:
    assert facts(line).listeners == (listener,)


def test_probes() -> None:
    assert facts("probe\tnginx\t200", "probe\tapp\t000", "probe\tother\t").probes == {
        "nginx": 200,
        "app": 0,
        "other": 0,
    }


STATUS = {
    "node": "web2",
    "version": "0.1.0",
    "state": "standby",
    "reason": "it follows web1",
    "serves": {"primary": False, "replica": True},
    "paused": False,
    "etcd": True,
    "claim": {"holder": "web1", "term": 3, "alive": True},
    "contract": {
        "primary": "web1",
        "term": 3,
        "standbys": ["web3", "web2"],
        "acks": 1,
        "barred": [],
        "floor": "",
        "revision": 77,
    },
    "mysql": {
        "answers": True,
        "replication": {
            "source": "web1",
            "term": 3,
            "receiver": "on",
            "applying": True,
            "silence": 0.2,
            "error": "",
        },
    },
    "lag_seconds": 0.5,
    "clone": {"stage": "FILE COPY", "percent": 40},
    "errant": [{"directory": "/var/lib/colonnade/agent/errant/2030", "transactions": 12, "at": 1}],
    "warnings": ["application account app has CONNECTION_ADMIN"],
}


def test_an_agent() -> None:
    agent = facts("agent\tran", f"agent\tsaid\t{json.dumps(STATUS)}", "program\t00a9e47c0de5").agent
    assert agent == AgentFact(
        ran=True,
        answers=True,
        node="web2",
        state="standby",
        reason="it follows web1",
        serves_replica=True,
        etcd=True,
        claim=ClaimFact("web1", 3, alive=True),
        contract=ContractFact("web1", 3, ("web2", "web3"), 1, 77),
        mysql=True,
        replication=ReplicationFact("web1", 3, "on", applying=True),
        lag_seconds=0.5,
        clone=("FILE COPY", 40),
        saved=(SavedFact("/var/lib/colonnade/agent/errant/2030", 12),),
        warnings=("application account app has CONNECTION_ADMIN",),
    )


def test_a_witness_that_has_read_nothing_yet() -> None:
    nothing = dict.fromkeys(("claim", "contract", "mysql", "lag_seconds", "clone"))
    said = {**STATUS, **nothing, "state": "witness", "errant": [], "warnings": []}
    agent = facts(f"agent\tsaid\t{json.dumps(said)}").agent
    assert (agent.answers, agent.ran, agent.contract, agent.mysql) == (True, False, None, False)


def test_an_agent_that_does_not_answer() -> None:
    assert facts("agent\tran").agent == AgentFact(ran=True)
    assert facts().agent == AgentFact()


def test_data_beside_its_place() -> None:
    database = facts("sql\taside\t/var/lib/mysql-colonnade.old").database
    assert (database.aside, database.error) == (("/var/lib/mysql-colonnade.old",), "")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("", "the machine's answer was cut short"),
        (SYSTEM, "the machine's answer was cut short"),
        (f"{SYSTEM}en", "the machine's answer was cut short"),
        ("end\n", "the machine's answer makes no sense"),
        (f"{SYSTEM}memory\tmuch\nend\n".replace("4110417920", "x"), "the machine's answer makes no sense"),
        (f"{SYSTEM}path\tdirectory\t9\troot\troot\t/\nend\n", "the machine's answer makes no sense"),
        (f"{SYSTEM}text\t/etc/a\ta\nend\n", "the machine's answer makes no sense"),
        (f"{SYSTEM}user\ta\tb\nend\n", "the machine's answer makes no sense"),
        (f"{SYSTEM}agent\tsaid\t[]\nend\n", "the machine's answer makes no sense"),
        (f"{SYSTEM}agent\tsaid\t{{\nend\n", "the machine's answer makes no sense"),
    ],
)
def test_an_answer_that_cannot_be_believed_is_refused(answer: str, what: str) -> None:
    with pytest.raises(ColonnadeError) as caught:
        parse(answer)
    assert caught.value.what.startswith(what)
    assert caught.value.do.startswith("Run the command again")


# --- the question ------------------------------------------------------------------------------------


def test_only_what_may_be_shown_is_fetched() -> None:
    wanted = (Wanted("/etc/open", "aa", show=True), Wanted("/etc/secret", "bb", show=False))
    script = facts_script(Question(files=wanted))
    assert "\nshown /etc/open aa\n" in script
    assert "shown /etc/secret" not in script
    assert "sha256sum -- /etc/open /etc/secret" in script


def test_what_is_not_asked_is_not_looked_for() -> None:
    script = facts_script(Question())
    for program in ("mysql", "socat", "curl", "systemctl", "dpkg-query", "flock", "sha256sum", "ss "):
        assert program not in script.partition("shown()")[2].partition("\n}\n")[2], program
    assert script.endswith("printf 'end\\n'\n")


def test_a_directory_may_be_a_link_and_a_file_may_not() -> None:
    script = facts_script(Question(files=(Wanted("/etc/a", "aa", show=True),), directories=("/srv/a",)))
    assert "stat -L -c 'path\t%F\t%a\t%U\t%G\t%n' -- /srv/a 2>" in script
    assert "stat -c 'path\t%F\t%a\t%U\t%G\t%n' -- /etc/a 2>" in script


def test_an_apply_that_is_under_way_is_waited_for_only_if_asked() -> None:
    assert "flock -s -w 120 9" in facts_script(Question(wait_seconds=120))
    assert "flock" not in facts_script(Question(wait_seconds=0))


def test_names_are_quoted_for_the_shell() -> None:
    script = facts_script(Question(files=(Wanted("/etc/it's", "aa", show=True),), units=("a b.service",)))
    assert """shown '/etc/it'"'"'s' aa""" in script
    assert "-- 'a b.service'" in script
