"""The steps that disturb nobody: packages, accounts, files, and starting what does not run."""

from collections.abc import Iterator

from colonnade import paths
from colonnade.facts import Facts
from colonnade.render import Desired, Wave
from colonnade.rollout.etcd_removal import kept_files
from colonnade.rollout.steps import (
    AddUser,
    ChangeUnit,
    DaemonReload,
    InitialiseDatabase,
    InstallPackages,
    MakeDirectory,
    PutFile,
    PutProgram,
    PutRelease,
    RecordManifest,
    RemoveFile,
    RemoveRelease,
    Step,
)
from colonnade.rollout.units import STATIC, need_of

KEPT_RELEASES = 3
"""Releases that stay on a server besides the one that is to run, to go back to."""


def manifest(desired: Desired) -> dict[str, str]:
    """Return what is managed on a machine: digest by path."""
    return {file.path: file.sha256 for file in sorted(desired.all_files, key=lambda file: file.path)}


def base_steps(desired: Desired, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of the first stage for one machine."""
    files = tuple(_files(desired, facts))
    return (
        *(step for step in files if step.file in desired.sources),
        *_packages(desired, facts),
        *(AddUser(user, "it does not exist") for user in desired.users if user.name not in facts.users),
        *_directories(desired, facts),
        # Before the command names it: an agent that starts anew meanwhile finds the old one or the new one.
        *_program(desired, facts),
        *(step for step in files if step.file not in desired.sources),
        *_removals(desired, facts),
        *_record(desired, facts),
        *_daemon_reload(desired, facts, files),
        *_database(desired, facts),
        *_releases(desired, facts),
        *_units(desired, facts, files),
    )


def _packages(desired: Desired, facts: Facts) -> Iterator[Step]:
    suites = sorted({package.suite for package in desired.packages})
    repair = facts.half_installed
    for suite in suites:
        missing = tuple(p.name for p in desired.packages if p.suite == suite and p.name not in facts.packages)
        if missing or repair:
            why = f"not installed: {len(missing)} of {len(desired.packages)}"
            yield InstallPackages(missing, suite, "an installation was cut off" if repair and not missing else why)
            repair = False


def _directories(desired: Desired, facts: Facts) -> Iterator[Step]:
    for directory in desired.directories:
        fact = facts.directories.get(directory.path)
        if fact is None:
            yield MakeDirectory(directory, "it does not exist")
        elif (fact.mode, fact.owner, fact.group) != (directory.mode, directory.owner, directory.group):
            yield MakeDirectory(directory, f"it is {fact.owner}:{fact.group} {fact.mode:o}")


def _files(desired: Desired, facts: Facts) -> Iterator[PutFile]:
    for file in desired.all_files:
        fact = facts.files.get(file.path)
        put_as = facts.manifest.get(file.path)
        if fact is None:
            yield PutFile(file, "deleted on the machine" if put_as else "new", drift=put_as is not None)
        elif fact.sha256 != file.sha256:
            drift = fact.sha256 != put_as
            by_whom = (
                "not ours yet" if put_as is None else "changed on the machine" if drift else "changed in the stack"
            )
            yield PutFile(file, by_whom, fact.text, drift)
        elif (fact.mode, fact.owner, fact.group) != (file.mode, file.owner, file.group):
            yield PutFile(file, f"it is {fact.owner}:{fact.group} {fact.mode:o}", None if file.secret else file.text)


def _removals(desired: Desired, facts: Facts) -> Iterator[Step]:
    wanted = {file.path for file in desired.all_files}
    kept = kept_files(desired, facts)
    for path in facts.manifest:
        if path not in wanted and path not in kept:
            yield RemoveFile(path, "no longer wanted")


def _record(desired: Desired, facts: Facts) -> Iterator[Step]:
    wanted = dict(sorted({**manifest(desired), **kept_files(desired, facts)}.items()))
    if facts.manifest != wanted:
        yield RecordManifest(wanted, "what is managed changed")


def _daemon_reload(desired: Desired, facts: Facts, files: tuple[PutFile, ...]) -> Iterator[Step]:
    read_by_systemd = [step.file.path for step in files if step.file.path.startswith("/etc/systemd/system/")]
    if read_by_systemd:
        yield DaemonReload(f"{', '.join(read_by_systemd)} changed")
    elif any(facts.units[u.name].needs_daemon_reload for u in desired.units if u.name in facts.units):
        yield DaemonReload("a unit changed on disk")


def _database(desired: Desired, facts: Facts) -> Iterator[Step]:
    if desired.database is not None and not facts.database.initialised:
        yield InitialiseDatabase(f"{paths.MYSQL_DATA} holds no database")


def _program(desired: Desired, facts: Facts) -> Iterator[Step]:
    program = desired.program
    if program is not None and program.identity not in facts.programs:
        yield PutProgram(program, "the agent's program is new" if facts.programs else "it is not there")


def _releases(desired: Desired, facts: Facts) -> Iterator[Step]:
    if desired.app is None:
        return
    release = desired.app.release
    if release.identity not in facts.releases:
        yield PutRelease(release, desired.app.build, "the code base is new" if facts.releases else "it is not there")
    # The one that runs until now is the first to go back to; and what is kept now is kept by the next plan.
    old = sorted(facts.releases - {release.identity}, key=lambda name: (name != facts.release, name))
    for name in old[KEPT_RELEASES:]:
        yield RemoveRelease(name, f"more than {KEPT_RELEASES} are kept")


def _units(desired: Desired, facts: Facts, files: tuple[PutFile, ...]) -> Iterator[Step]:
    for unit in desired.units:
        fact = facts.units.get(unit.name)
        if unit.runs and (fact is None or fact.enabled not in STATIC | {"enabled"}):
            state = fact.enabled if fact and fact.enabled else "new"
            yield ChangeUnit(unit, "enable", f"it is {state}")
        # A member of etcd starts only as the cluster's state allows, an agent after it; their own stages see to that.
        starts_here = not unit.after_release and unit.wave not in {Wave.ETCD, Wave.AGENT}
        if unit.runs and not facts.active(unit.name) and starts_here:
            yield ChangeUnit(unit, "start", f"it is {fact.active if fact else 'new'}")
        elif unit.wave is Wave.NONE:
            need = need_of(unit, facts, files)
            if need is not None:
                yield ChangeUnit(unit, need.action, need.why)
