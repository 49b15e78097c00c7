"""Machines that a plan is carried out on: what is on their disks, and what their processes have really read.

Facts come from here and steps change them as ``effects`` says; what no fact tells, which content a running
process has loaded, is kept beside them. So a reload that gets lost shows, whatever the records say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.properties import agents, etcd
from tests.properties.made import Site, bare_machines

from colonnade import paths
from colonnade.database import primary_of
from colonnade.facts import Facts, LoadedConfiguration
from colonnade.render import Desired, Unit, fingerprint
from colonnade.rollout import Plan, Step, payload
from colonnade.rollout.effects import after
from colonnade.rollout.steps import AddMember, ChangeUnit, DaemonReload, PromoteMember, PutFile, RemoveMember
from colonnade.rollout.units import STATIC

SYSTEMD = "/etc/systemd/system/"

Loaded = dict[str, str]
"""Content, as its digest, by path; ``release`` stands for the release that was current."""


@dataclass(frozen=True)
class Stop:
    """Where an apply dies: in this stage, each machine after so many of its steps (-1: before anything at all).

    ``torn`` says that one more step had its effect, but was not written down.
    """

    stage: int
    steps: Mapping[str, int]
    torn: bool


@dataclass
class World:
    """All machines of a stack."""

    facts: dict[str, Facts]
    texts: dict[str, str] = field(default_factory=dict)
    """Every content that was ever put, by its digest."""
    loaded: dict[tuple[str, str], Loaded] = field(default_factory=dict)
    """By machine and unit: what the running process has read."""
    read_by_systemd: dict[str, Loaded] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    """In words, for the one who looks at an example that failed."""

    def __repr__(self) -> str:
        return f"World({', '.join(self.happened) or 'bare machines'})"

    @classmethod
    def bare(cls, site: Site) -> "World":
        """Return freshly installed machines."""
        return cls(bare_machines(site))

    def carry_out(self, site: Site, plan: Plan, stop: Stop | None = None) -> None:
        """Carry the plan out, as far as ``stop`` lets it."""
        self.happened.append(f"apply of {site!r}{f' until {stop}' if stop else ''}")
        for desired in site.desired.values():
            self.texts |= {file.sha256: file.text for file in desired.all_files}
        for number, stage in enumerate(plan.stages):
            for machine, steps in stage.work.items():
                count = len(steps)
                if stop is not None and stop.stage == number:
                    count = min(stop.steps.get(machine, count), count)
                if count < 0:
                    continue
                self._mark(machine, steps, plan, number)
                for step in steps[:count]:
                    self.do(machine, step, site.desired)
                if stop is not None and stop.stage == number and stop.torn and count < len(steps):
                    self._act(machine, steps[count])
            if stop is not None and stop.stage == number:
                return

    def do(self, machine: str, step: Step, desired: Mapping[str, Desired]) -> None:
        """Carry one step out, and write down that it is done."""
        self._act(machine, step)
        if isinstance(step, AddMember | PromoteMember | RemoveMember):
            self.facts[machine] = etcd.caught_up(self.facts, machine)
        self.facts = after(self.facts, machine, step, desired)
        if isinstance(step, PutFile):
            self.file_changed(machine, step.file.path)

    def _mark(self, machine: str, steps: tuple[Step, ...], plan: Plan, number: int) -> None:
        """Do what the script does before its first step: see which records it marks, and mark those."""
        facts = self.facts[machine]
        later = {
            step.unit.name: step.action
            for stage in plan.stages[number + 1 :]
            for step in stage.work.get(machine, ())
            if isinstance(step, ChangeUnit) and step.action in {"reload", "restart"}
        }
        script = payload(steps, expected="", generation="now", later=later).script
        before_steps = re.split(r"^(?:step|check) \d+$", script, maxsplit=1, flags=re.MULTILINE)[0]
        records = dict(facts.loaded)
        for name, restart, reload in re.findall(r"^mark (\S+) (\S+) (\S+)$", before_steps, flags=re.MULTILINE):
            record = records.get(name, LoadedConfiguration("-", "-"))
            records[name] = LoadedConfiguration(
                record.restart if restart == "keep" else restart, record.reload if reload == "keep" else reload
            )
        self.facts[machine] = replace(facts, loaded=records)

    def _act(self, machine: str, step: Step) -> None:
        """What a step does outside of what is written down."""
        if isinstance(step, DaemonReload):
            self.read_by_systemd[machine] = self._on_disk(machine)
        if isinstance(step, ChangeUnit) and step.action != "enable":
            facts = self.facts[machine]
            if not facts.active(step.unit.name) or step.action == "restart":
                self._read(machine, step.unit, {*step.unit.restart, *step.unit.reload})
            elif step.action == "reload":
                self._read(machine, step.unit, set(step.unit.reload))

    def reread(self, machine: str, unit: Unit, *, restart: bool) -> None:
        """Somebody reloads or restarts a unit by hand."""
        if self.facts[machine].active(unit.name):
            self._read(machine, unit, {*unit.reload, *(unit.restart if restart else ())})

    def _on_disk(self, machine: str) -> Loaded:
        return {path: fact.sha256 for path, fact in self.facts[machine].files.items()}

    def _read(self, machine: str, unit: Unit, what: set[str]) -> None:
        facts = self.facts[machine]
        disk = self._on_disk(machine)
        view = {**disk, "release": facts.release}
        fact = facts.units.get(unit.name)
        if fact is not None and fact.needs_daemon_reload:
            # systemd starts it as it knows it, which is not as the disk says.
            old = self.read_by_systemd.get(machine, {})
            view = {path: old.get(path, "") if path.startswith(SYSTEMD) else text for path, text in view.items()}
        known = self.loaded.setdefault((machine, unit.name), {})
        for path in what:
            known[path] = view.get(path, "")

    def file_changed(self, machine: str, path: str) -> None:
        """Systemd notices that a unit which it knows has changed on disk."""
        if not path.startswith(SYSTEMD):
            return
        name = path.removeprefix(SYSTEMD).partition("/")[0].removesuffix(".d")
        facts = self.facts[machine]
        fact = facts.units.get(name)
        now = facts.files[path].sha256 if path in facts.files else ""
        if fact is None or fact.load != "loaded":
            self.read_by_systemd.setdefault(machine, {})[path] = now
        elif self.read_by_systemd.get(machine, {}).get(path, "") != now:
            self.facts[machine] = replace(facts, units={**facts.units, name: replace(fact, needs_daemon_reload=True)})

    def faults(self, site: Site) -> list[str]:
        """Say what is not as the stack wants it, judged without the planner."""
        return [
            f"{machine}: {fault}"
            for machine, desired in site.desired.items()
            for fault in self._machine_faults(site, machine, desired)
        ]

    def _machine_faults(self, site: Site, machine: str, desired: Desired) -> list[str]:
        facts = self.facts[machine]
        found = [
            f"package {package.name} is missing" for package in desired.packages if package.name not in facts.packages
        ]
        found += [f"user {user.name} is missing" for user in desired.users if user.name not in facts.users]
        found += ["an installation is half done"] if facts.half_installed else []
        for directory in desired.directories:
            fact = facts.directories.get(directory.path)
            if fact is None or (fact.mode, fact.owner, fact.group) != (
                directory.mode,
                directory.owner,
                directory.group,
            ):
                found.append(f"{directory.path} is {fact}")
        for file in desired.all_files:
            there = facts.files.get(file.path)
            if there is None or (there.sha256, there.mode, there.owner, there.group) != (
                file.sha256,
                file.mode,
                file.owner,
                file.group,
            ):
                found.append(f"{file.path} is {there}")
        if facts.manifest != {file.path: file.sha256 for file in desired.all_files}:
            found.append("the manifest has other files")
        for unit in desired.units:
            found += self._unit_faults(machine, desired, unit)
        found += _database_faults(site, machine, desired, self.facts)
        found += etcd.faults(desired, self.facts)
        found += agents.faults(site.topology, desired, self.facts)
        if desired.app is not None and facts.release != desired.app.release.identity:
            found.append(f"the release is {facts.release}")
        found += [f"{name} is drained" for name in facts.drained if name in site.topology.stack.servers]
        return found

    def _unit_faults(self, machine: str, desired: Desired, unit: Unit) -> list[str]:
        facts = self.facts[machine]
        found = []
        fact = facts.units.get(unit.name)
        if unit.runs and (fact is None or not fact.is_active):
            found.append(f"{unit.name} does not run")
        if unit.runs and (fact is None or fact.enabled not in STATIC | {"enabled"}):
            found.append(f"{unit.name} is not enabled")
        if fact is not None and fact.needs_daemon_reload:
            found.append(f"systemd has not read {unit.name}")
        read = self.loaded.get((machine, unit.name), {})
        files = {file.path: file for file in desired.all_files}
        for path in (*unit.restart, *unit.reload):
            if path == paths.MYSQL_CONFIG and self.texts.get(read.get(path, "")) is not None:
                if static_part(self.texts[read[path]], desired) != static_part(files[path].text, desired):
                    found.append(f"{unit.name} runs with other static settings")
            elif path in files and read.get(path) != files[path].sha256:
                found.append(f"{unit.name} has not read {path}")
            elif path == "release" and desired.app is not None and read.get(path) != desired.app.release.identity:
                found.append(f"{unit.name} runs release {read.get(path)}")
        return found


def static_part(config: str, desired: Desired) -> str:
    """Return what of MySQL's configuration takes a restart."""
    dynamic = desired.database.settings if desired.database else {}
    return fingerprint(line for line in config.splitlines() if line.partition(" = ")[0] not in dynamic)


def _database_faults(site: Site, machine: str, desired: Desired, all_facts: Mapping[str, Facts]) -> list[str]:
    role, database = desired.database, all_facts[machine].database
    if role is None:
        return []
    found = []
    if not database.initialised:
        found.append("MySQL has no data directory")
    if database.answers:
        found += [
            f"{name} is {database.variables.get(name)}"
            for name, value in role.settings.items()
            if database.variables.get(name) != value
        ]
    if machine == primary_of(site.topology, all_facts).name:
        found += [] if role.schema in database.schemas else [f"schema {role.schema} is missing"]
        found += [
            f"account {account.name} is not as wanted"
            for account in role.accounts
            if account.name not in database.accounts or database.accounts[account.name].digest != account.digest
        ]
        migrated = {release for server in site.topology.servers for release in all_facts[server.name].migrated}
        if site.topology.stack.app.migrate and site.release.identity not in migrated:
            found.append("the release's migration has not run")
    return found


def settled(site: Site) -> dict[str, Facts]:
    """Return the facts of machines that are as the stack wants them."""
    world = World.bare(site)
    world.carry_out(site, site.plan(world.facts))
    assert world.faults(site) == []
    return world.facts
