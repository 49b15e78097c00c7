"""Stacks and states of machines, as Hypothesis draws them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from tests.properties import agents, etcd
from tests.properties.made import DEBIAN, UBUNTU, Site, addresses_of, site_of
from tests.properties.world import Stop, World

from colonnade.facts import AccountFact, DatabaseFact, DirectoryFact, Facts, FileFact
from colonnade.paths import AGENT_UNIT, MYSQL_UNIT
from colonnade.render import Desired
from colonnade.rollout import Plan
from colonnade.spec import App, Database, Stack

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
APPS = st.fixed_dictionaries(
    {"path": st.just("app"), "start": st.sampled_from(["serve $SOCKET", "gunicorn --bind unix:$SOCKET 'wsgi:app'"])},
    optional={
        "health": st.sampled_from(["/health", "/up?quick=1"]),
        "static": st.just("static"),
        "migrate": st.just("migrate"),
        "build": st.just("make"),
        "packages": st.sampled_from([("gunicorn",), ("python3-pymysql", "gunicorn")]),
        "timeout": st.sampled_from([5, 30]),
        "concurrency": st.sampled_from([1, 64]),
        "env": st.dictionaries(st.sampled_from(["GREETING", "COLOUR", "MODE"]), st.text("ab '\"$\\", max_size=6)),
    },
)
DATABASES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["shop", "data_1"]),
        "packages": st.sampled_from(["debian-unstable", "oracle", "distribution"]),
        "buffer_pool": st.sampled_from(["64M", "1G"]),
    },
)


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """One to three balancers, one to six servers, no to two witnesses; with addresses, some shared, or without."""
    names = draw(st.lists(LABELS, min_size=2, max_size=9, unique=True))
    balancers = draw(st.integers(1, min(3, len(names) - 1)))
    document: dict[str, Any] = {
        "name": draw(LABELS),
        "domain": draw(st.sampled_from(["foobar.com", "shop.example.org"])),
        "app": draw(APPS),
        "database": draw(DATABASES),
        "balancers": {name: {} for name in names[:balancers]},
        "servers": {name: {} for name in names[balancers:][:6]},
    }
    unused = draw(st.lists(LABELS.filter(lambda name: name not in names), max_size=2, unique=True))
    document["witnesses"] = {name: {} for name in unused}
    if draw(st.booleans()):
        network = draw(st.sampled_from(["192.0.2.", "2001:db8::"]))
        together = draw(st.integers(0, min(balancers, len(document["servers"]))))
        for first, kind in ((100, "balancers"), (200, "servers"), (220, "witnesses")):
            for number, table in enumerate(document[kind].values()):
                table["address"] = f"{network}{number + (10 if number < together and kind != 'witnesses' else first)}"
    return Stack.model_validate(document)


RELEASES = st.sampled_from(["0123456789ab", "ba9876543210", "444444444444"])
SITES = st.builds(site_of, stacks(), platform=st.sampled_from([DEBIAN, UBUNTU]), release=RELEASES)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Site, World]:
    """A stack, and its machines after whatever has happened to them: earlier stacks, cut-off applies, people."""
    site = draw(SITES)
    world = World.bare(site)
    start = draw(st.sampled_from(["settled", "earlier", "cut off", "bare"]))
    if start != "bare":
        before = site if start == "settled" else draw(earlier_sites(site))
        made = before.plan(world.facts)
        world.carry_out(before, made, draw(stops(made)) if start == "cut off" else None)
    happened = st.tuples(st.sampled_from(CHANGES), places(site, world))
    for change, place in draw(st.lists(happened, min_size=start == "settled", max_size=4)):
        change(place)
        world.happened.append(f"{change.__name__} on {place.machine} ({place.pick})")
    return site, world


@st.composite
def earlier_sites(draw: st.DrawFn, site: Site) -> Site:
    """The same stack when something in its file was different, or it had fewer machines."""
    stack = site.topology.stack
    app = draw(st.just(stack.app) | APPS.map(App.model_validate))
    database = draw(st.just(stack.database) | DATABASES.map(Database.model_validate))
    # A machine that is both is called as its server is: taking that away would be another machine.
    shared = {balancer.address for balancer in stack.balancers.values()} - {None}
    count = draw(st.integers(1, 6))
    servers = {
        name: server
        for number, (name, server) in enumerate(stack.servers.items())
        if number < count or server.address in shared
    }
    balancers = dict(list(stack.balancers.items())[: draw(st.integers(1, 3))])
    witnesses = dict(list(stack.witnesses.items())[: draw(st.integers(0, 2))])
    before = stack.model_copy(
        update={
            "app": app,
            "database": database,
            "servers": servers,
            "balancers": balancers,
            "witnesses": witnesses,
        }
    )
    addresses = addresses_of(stack)
    return site_of(before, platform=site.platform, release=draw(RELEASES), addresses=addresses)


@st.composite
def stops(draw: st.DrawFn, plan: Plan) -> Stop | None:
    """Where an apply of this plan dies."""
    if not plan.stages:
        return None
    stage = draw(st.integers(0, len(plan.stages) - 1))
    steps = {
        machine: len(steps) - draw(st.integers(0, len(steps) + 1)) for machine, steps in plan.stages[stage].work.items()
    }
    return Stop(stage, steps, draw(st.booleans()))


@dataclass
class At:
    """Where something happens to a machine; ``pick`` chooses among the ways in which it may."""

    site: Site
    world: World
    machine: str
    pick: int

    @property
    def desired(self) -> Desired:
        return self.site.desired[self.machine]

    @property
    def facts(self) -> Facts:
        return self.world.facts[self.machine]

    def now(self, facts: Facts) -> None:
        """Say what the machine looks like from now on."""
        self.world.facts[self.machine] = facts

    def database_now(self, database: DatabaseFact) -> None:
        """Say what its MySQL looks like from now on."""
        self.now(replace(self.facts, database=database))


def places(site: Site, world: World) -> st.SearchStrategy[At]:
    """Any of the machines."""
    return st.builds(At, st.just(site), st.just(world), st.sampled_from(sorted(world.facts)), st.integers(0, 99))


def edit_file(at: At, *, text: str | None = "edited by hand") -> None:
    """Change or delete a file; half of the time its unit is reloaded or restarted by hand, too."""
    file = at.desired.all_files[at.pick % len(at.desired.all_files)]
    if file.path not in at.facts.files:
        return
    files = {path: fact for path, fact in at.facts.files.items() if path != file.path}
    if text is not None:
        digest = f"{at.pick:064x}"
        at.world.texts[digest] = text
        files[file.path] = FileFact(file.mode, file.owner, file.group, digest, None if file.secret else text)
    at.now(replace(at.facts, files=files))
    at.world.file_changed(at.machine, file.path)
    if at.pick % 2:
        for unit in at.desired.units:
            if file.path in {*unit.reload, *unit.restart}:
                at.world.reread(at.machine, unit, restart=file.path in unit.restart)


def delete_file(at: At) -> None:
    edit_file(at, text=None)


def change_mode(at: At) -> None:
    files = dict(at.facts.files)
    for path in sorted(files)[at.pick % 3 :: 3]:
        files[path] = replace(files[path], mode=0o666, owner="nobody")
    at.now(replace(at.facts, files=files))


def stop_unit(at: At) -> None:
    name = at.desired.units[at.pick % len(at.desired.units)].name
    if name not in at.facts.units:
        return
    stopped = replace(at.facts.units[name], active=("inactive", "failed", "activating")[at.pick % 3], sub="dead")
    at.now(replace(at.facts, units={**at.facts.units, name: stopped}))
    if name == MYSQL_UNIT:
        at.now(agents.deposed(at.facts))
        at.database_now(replace(at.facts.database, answers=False))
    if name == AGENT_UNIT:
        at.now(agents.down(at.facts))


def disable_units(at: At) -> None:
    enabled = ("disabled", "masked", "")[at.pick % 3]
    units = {
        name: replace(unit, enabled=enabled) if unit.enabled == "enabled" else unit
        for name, unit in at.facts.units.items()
    }
    at.now(replace(at.facts, units=units))


def lose_records(at: At) -> None:
    at.now(replace(at.facts, loaded={}, manifest={} if at.pick % 2 else at.facts.manifest))


def lose_packages(at: At) -> None:
    kept = dict(sorted(at.facts.packages.items())[: at.pick % 5])
    at.now(replace(at.facts, packages=kept, half_installed=bool(at.pick % 2)))


def lose_users_and_directories(at: At) -> None:
    strange = {path: DirectoryFact(0o777, "root", "root") for path in at.facts.directories} if at.pick % 2 else {}
    at.now(replace(at.facts, users=frozenset(), directories=strange))


def forget_release(at: At) -> None:
    others = frozenset(f"{number:012x}" for number in range(at.pick % 6))
    at.now(replace(at.facts, releases=others | (at.facts.releases if at.pick % 2 else frozenset())))
    if at.pick % 3 == 0:
        at.now(replace(at.facts, release="", migrated=frozenset()))


def drain(at: At) -> None:
    servers = list(at.site.topology.stack.servers)
    if at.machine in {balancer.name for balancer in at.site.topology.balancers}:
        at.now(replace(at.facts, drained=at.facts.drained | {servers[at.pick % len(servers)], "gone"}))


def lose_accounts(at: At) -> None:
    accounts = {name: AccountFact(name, "?") for name in at.facts.database.accounts} if at.pick % 2 else {}
    at.database_now(replace(at.facts.database, accounts=accounts, schemas=frozenset({"sys"})))


def set_variables(at: At) -> None:
    names = sorted(at.facts.database.variables)[at.pick % 4 :: 4]
    variables = {**at.facts.database.variables, **dict.fromkeys(names, "1")}
    at.database_now(replace(at.facts.database, variables=variables))


def write_history(at: At) -> None:
    """The primary has transactions, of which it may no longer have all logs."""
    primary = replace(at, machine=at.site.topology.primary.name)
    history = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    purged = f"{history}:1-50" if at.pick % 2 else ""
    primary.database_now(replace(primary.facts.database, executed=f"{history}:1-99", purged=purged))


def reboot(at: At) -> None:
    """Every enabled unit comes up with what is on the disk, or does not."""
    for unit in at.desired.units:
        fact = at.facts.units.get(unit.name)
        if fact is not None and fact.enabled == "enabled":
            now = replace(fact, active="active" if at.pick % 3 else "failed", needs_daemon_reload=False)
            at.now(replace(at.facts, units={**at.facts.units, unit.name: now}))
            at.world.reread(at.machine, unit, restart=True)
    at.now(agents.deposed(at.facts) if at.facts.active(AGENT_UNIT) else agents.down(at.facts))


def move_primary(at: At) -> None:
    """Another server has become the primary; a third of the time without a standby of its own yet."""
    if at.desired.database is not None:
        at.world.facts = agents.moved(at.site.topology, at.world.facts, at.machine, acks=min(1, at.pick % 3))


def leave_old_programs(at: At) -> None:
    old = frozenset({f"{at.pick:012x}"})
    at.now(replace(at.facts, programs=old if at.pick % 2 else at.facts.programs | old))


def wipe_etcd(at: At) -> None:
    at.now(etcd.wiped(at.site.topology, at.world.facts, at.machine, all_of_it=bool(at.pick % 2)))


def leave_a_stranger_in_etcd(at: At) -> None:
    at.now(etcd.with_a_stranger(at.world.facts, at.machine, at.pick))


def unmark_etcd(at: At) -> None:
    at.now(etcd.unmarked(at.world.facts, at.machine))


CHANGES: tuple[Callable[[At], None], ...] = (
    *(edit_file, edit_file, edit_file, edit_file),  # what happens most, and what is easiest to lose
    delete_file,
    change_mode,
    stop_unit,
    disable_units,
    lose_records,
    lose_packages,
    lose_users_and_directories,
    forget_release,
    drain,
    lose_accounts,
    set_variables,
    move_primary,
    leave_old_programs,
    write_history,
    reboot,
    wipe_etcd,
    leave_a_stranger_in_etcd,
    unmark_etcd,
)
"""What people, or bad luck, do to a machine."""
