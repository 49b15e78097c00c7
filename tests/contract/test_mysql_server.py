"""The adapter on two real MySQL servers, in a chroot of the lab's image: what it sees, and what each action does."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiomysql
import pymysql
import pytest
from tests.golden.chroot import run_inside
from tests.properties.made import site_of

from colonnade.adapters.mysql import MysqlServer, Place
from colonnade.adapters.mysql.server import FailedError
from colonnade.adapters.mysql.session import Session, SilentError
from colonnade.ha import actions as do
from colonnade.ha.view import Member, Mysql, Receiver
from colonnade.lab import Recipe, image
from colonnade.render import Platform, fingerprint
from colonnade.rollout.recipe import image_recipe
from colonnade.secret import Secret
from colonnade.spec import parse as parse_stack

if TYPE_CHECKING:
    from colonnade.adapters.mysql.process import Process

pytestmark = pytest.mark.lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "guestbook" / "colonnade.toml"
ADDRESSES = {"web1": "10.9.9.1", "web2": "10.9.9.2"}
ACCOUNTS = {"web1": "repl_web1", "web2": "repl_web2"}
WEB1, WEB2 = Member("web1", "a/1"), Member("web2", "b/1")
INSIDE = """
pids=
ip address add 10.9.9.2/32 dev lo
chmod 755 /mnt
install -d -o mysql -g mysql -m 755 /mnt/run
for n in 1 2; do
cat >/etc/mysql/test$n.cnf <<END
[mysqld]
user=mysql
datadir=/var/lib/test$n
socket=/mnt/run/web$n.sock
bind_address=10.9.9.$n
mysqlx=OFF
skip_name_resolve=ON
server_id=$n
gtid_mode=ON
enforce_gtid_consistency=ON
log_bin=binlog
relay_log=relay
relay_log_recovery=OFF
innodb_buffer_pool_size=32M
skip_replica_start=ON
loose_plugin_load_add=semisync_source.so
loose_plugin_load_add=semisync_replica.so
loose_rpl_semi_sync_source_timeout=4294967295
loose_rpl_semi_sync_source_wait_no_replica=ON
super_read_only=ON
offline_mode=ON
log_error=/mnt/run/web$n.log
pid_file=/mnt/run/web$n.pid
END
install -d -m 750 -o mysql -g mysql /var/lib/test$n
mysqld --defaults-file=/etc/mysql/test$n.cnf --initialize-insecure --super-read-only=OFF --read-only=OFF \
  --offline-mode=OFF --disable-log-bin
mysqld --defaults-file=/etc/mysql/test$n.cnf &
pids="$pids $!"
done
while [ ! -e /mnt/stop ]; do sleep 0.2; done
kill -9 $pids
"""


class Pair:
    """Two servers and their adapters; ``root`` runs SQL as a person would."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.web1, self.web2 = self.adapter("web1"), self.adapter("web2")

    def socket(self, node: str) -> str:
        return str(self.place / "run" / f"{node}.sock")

    def adapter(self, node: str) -> MysqlServer:
        where = Place(node, self.socket(node), self.place, "mysql", 3306, ACCOUNTS, ADDRESSES, Secret("pw"))
        process = SimpleNamespace(pid=lambda: 7, watch=lambda: None, kill=lambda: None)
        return MysqlServer(where, time.monotonic, cast("Process", process))

    async def root(self, node: str, *statements: str) -> None:
        session = await Session.open(self.socket(node), set())
        for each in statements:
            await session.rows(each, seconds=10)
        await session.end()

    async def until(self, server: MysqlServer, fact: Callable[[Mysql], bool]) -> Mysql:
        """Look until something is so."""
        deadline = time.monotonic() + 20
        while True:
            mysql = (await server.look()).mysql
            if fact(mysql):
                return mysql
            assert time.monotonic() < deadline, mysql
            await asyncio.sleep(0.05)

    async def follow(self, term: int, *, acknowledges: bool) -> None:
        await self.web2.act(do.SetAcknowledging(on=acknowledges))
        await self.web2.act(do.StartReceiver(WEB1, term))

        def so(mysql: Mysql) -> bool:
            replication = mysql.replication
            return (
                replication is not None
                and (replication.term, replication.receiver) == (term, Receiver.ON)
                and replication.acknowledges is acknowledges
            )

        await self.until(self.web2, so)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    stack = parse_stack(EXAMPLE.read_text(), filename=str(EXAMPLE))
    script = image_recipe(site_of(stack).topology, Platform("debian", "13", 0))
    recipe = Recipe(script, fingerprint([script]))
    root = asyncio.run(image.ensure("baked", recipe=recipe, progress=lambda _: None)).root
    directory = tmp_path_factory.mktemp("mysql")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_inside, root, directory, address="10.9.9.1/32", script=INSIDE)
        case = directory / "case"
        try:
            deadline = time.monotonic() + 90
            while not all((case / "run" / f"web{n}.sock").exists() for n in (1, 2)):
                assert time.monotonic() < deadline, "MySQL did not start"
                if running.done():
                    running.result()
                time.sleep(0.1)
            on(case, begin)
            yield case
        finally:
            (case / "stop").touch()
            running.result()


async def begin(pair: Pair) -> None:
    """Have web1 write, and web2 follow it."""
    fresh = await pair.until(pair.web1, lambda _: True)
    assert (fresh.read_only, fresh.offline, fresh.source.acks, fresh.replication) == (True, True, 0, None)
    assert not fresh.executed
    await pair.web1.act(do.OpenForWrites(7))
    await pair.root(
        "web1",
        "CREATE USER repl_web2@'%' IDENTIFIED BY 'pw' REQUIRE SSL",
        "GRANT CONNECTION_ADMIN, REPLICATION SLAVE ON *.* TO repl_web2@'%'",
        "CREATE USER app@localhost IDENTIFIED BY 'pw'",
        "CREATE DATABASE app",
        "CREATE TABLE app.t (id INT PRIMARY KEY)",
        "GRANT ALL ON app.* TO app@localhost",
    )
    await pair.web1.act(do.LetClientsIn())
    await pair.follow(7, acknowledges=False)
    probe = await pair.web1.fresh_commit(began=1.0, acks=0)
    assert not probe.clean
    await pair.until(pair.web2, lambda mysql: probe.holds <= mysql.executed and mysql.relay_read)


def on(place: Path, go: Callable[[Pair], Any]) -> None:
    async def all_of_it() -> None:
        pair = Pair(place)
        try:
            await go(pair)
        finally:
            pair.web1.drop()
            pair.web2.drop()
            await asyncio.sleep(0.05)

    asyncio.run(all_of_it())


async def app(pair: Pair) -> Any:
    return await aiomysql.connect(unix_socket=pair.socket("web1"), user="app", password="pw", autocommit=True)


def test_a_commit_is_seen_acknowledged_by_name(place: Path) -> None:
    async def go(pair: Pair) -> None:
        await pair.follow(7, acknowledges=True)
        await pair.until(pair.web1, lambda mysql: mysql.source.acknowledgers == {"web2"})
        await pair.web1.act(do.SetAcks(1))
        first = await pair.web1.fresh_commit(began=1.0, acks=1)
        assert first.clean
        assert first.acknowledgers == {"web2"}
        mysql = await pair.until(pair.web1, lambda mysql: mysql.dumps == {"web2"})
        assert (mysql.source.acks, mysql.source.waiting) == (1, 0)

    on(place, go)


def test_what_was_received_and_not_executed_stays_when_the_receiver_is_pointed_anew(place: Path) -> None:
    async def go(pair: Pair) -> None:
        await pair.until(pair.web2, lambda mysql: mysql.relay_read)
        await pair.root("web2", "STOP REPLICA SQL_THREAD")
        probe = await pair.web1.fresh_commit(began=1.0, acks=1)
        assert probe.clean, "it acknowledges although its applier is stopped"
        mysql = (await pair.web2.look()).mysql
        assert not probe.holds <= mysql.executed
        assert probe.holds <= mysql.holds
        await pair.web2.act(do.StopReceiver())
        await pair.root("web1", "SET GLOBAL offline_mode = OFF")
        with pytest.raises(FailedError, match="its applier did not run"):
            await pair.web2.act(do.StartReceiver(WEB1, 8))
        await pair.until(pair.web2, lambda mysql: mysql.replication is not None and mysql.replication.applying)
        await pair.web2.act(do.StartReceiver(WEB1, 8))
        await pair.until(pair.web2, lambda mysql: probe.holds <= mysql.executed)

    on(place, go)


def test_a_fence_tells_nobody_of_a_commit_that_waits(place: Path) -> None:
    async def go(pair: Pair) -> None:
        client = await app(pair)
        await pair.web2.act(do.StopReceiver())
        cursor = await client.cursor()
        writing = asyncio.ensure_future(cursor.execute("INSERT INTO app.t VALUES (1)"))
        mysql = await pair.until(pair.web1, lambda mysql: mysql.source.waiting == 1)
        assert mysql.source.blocked_since is not None
        await pair.web1.act(do.Fence())
        with pytest.raises(pymysql.err.OperationalError):
            await asyncio.wait_for(writing, 5)
        client.close()
        mysql = await pair.until(pair.web1, lambda mysql: mysql.source.waiting == 0)
        assert mysql.offline
        await pair.follow(9, acknowledges=True)
        assert (await pair.web1.fresh_commit(began=1.0, acks=1)).acknowledgers == {"web2"}
        await pair.until(pair.web1, lambda mysql: mysql.source.blocked_since is None)
        await pair.web1.act(do.LetClientsIn())

    on(place, go)


def test_a_locked_replica_is_gone_and_comes_back_when_it_may(place: Path) -> None:
    async def go(pair: Pair) -> None:
        before = (await pair.web1.look()).mysql.executed
        await pair.web1.act(do.SetAcks(0))
        await pair.web1.act(do.LockAccount("web2"))
        await pair.until(pair.web1, lambda mysql: not mysql.dumps and mysql.locked == {"web2"})
        await pair.web1.act(do.UnlockAccount("web2"))
        mysql = await pair.until(pair.web1, lambda mysql: mysql.dumps == {"web2"} and not mysql.locked)
        assert mysql.executed == before, "no lock goes into the binary log"

    on(place, go)


def test_a_session_that_was_left_behind_is_a_stranger_and_ended(place: Path) -> None:
    async def go(pair: Pair) -> None:
        left = await aiomysql.connect(
            unix_socket=pair.socket("web1"), user="root", program_name="colonnade-agent earlier"
        )
        await pair.until(pair.web1, lambda mysql: mysql.strangers)
        await pair.web1.act(do.EndSessions())
        await pair.until(pair.web1, lambda mysql: not mysql.strangers)
        left.close()

    on(place, go)


def test_a_session_that_mysql_ended_for_idleness_is_known_to_be_gone(place: Path) -> None:
    async def go(pair: Pair) -> None:
        session = await Session.open(pair.socket("web1"), set())
        await session.rows("SET SESSION wait_timeout = 1", seconds=2)
        await asyncio.sleep(2.5)
        with pytest.raises(SilentError):
            await session.rows("SELECT 1", seconds=2)
        assert not session.usable

    on(place, go)


def test_what_is_left_of_a_replica_goes(place: Path) -> None:
    async def go(pair: Pair) -> None:
        await pair.web2.act(do.RemoveReplication())
        mysql = (await pair.web2.look()).mysql
        assert (mysql.replication, mysql.acknowledging) == (None, False)
        await pair.web1.act(do.Demote())
        assert (await pair.web1.look()).mysql.read_only

    on(place, go)
