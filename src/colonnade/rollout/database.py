"""The steps that make MySQL the primary or a replica."""

from collections.abc import Iterator

from colonnade.facts import DatabaseFact, Facts
from colonnade.render import DatabaseRole, Desired
from colonnade.rollout.steps import FollowSource, PrepareSchema, SetVariables, Step


def primary_steps(desired: Desired, facts: Facts) -> Iterator[Step]:
    """Return what is missing on the primary: settings, the schema, accounts."""
    role = desired.database
    if role is None:
        return
    yield from _settings(role, facts.database)
    schema_missing = role.schema not in facts.database.schemas
    accounts = tuple(
        account
        for account in role.accounts
        if account.name not in facts.database.accounts or facts.database.accounts[account.name].digest != account.digest
    )
    if schema_missing or accounts:
        why = "the schema is not there" if schema_missing else "missing, or made from another definition"
        if _unknown(facts.database):
            why = "MySQL does not answer yet, so it is made sure of"
        yield PrepareSchema(role.schema, accounts, why)


def replica_steps(desired: Desired, facts: Facts, primary: Facts) -> Iterator[Step]:
    """Return what is missing on a replica: settings, its source, replication itself."""
    role = desired.database
    if role is None or role.source is None:
        return
    yield from _settings(role, facts.database)
    replica = facts.database.replica
    if replica is None or (replica.source, replica.account) != (role.source.address, role.source.account):
        clone = bool(primary.database.purged) and not facts.database.executed
        why = f"it follows {replica.source}" if replica else "it follows nobody"
        if _unknown(facts.database):
            why = "MySQL does not answer yet, so it is made sure of"
        yield FollowSource(role.source, why, clone=clone)
    elif "Access denied" in replica.error:
        yield FollowSource(role.source, f"the primary refuses its password: {replica.error}")
    elif "No" in (replica.receiver, replica.applier):
        stopped = "receiver" if replica.receiver == "No" else "applier"
        why = f"its {stopped} is stopped" + (f": {replica.error}" if replica.error else "")
        yield FollowSource(role.source, why, only_start=True)


def _unknown(facts: DatabaseFact) -> bool:
    """Say whether there is a database that could not be asked."""
    return facts.initialised and not facts.answers


def _settings(role: DatabaseRole, facts: DatabaseFact) -> Iterator[Step]:
    """Set what differs; a server that does not answer yet starts with the file's settings."""
    if not facts.answers:
        return
    different = {name: value for name, value in role.settings.items() if facts.variables.get(name) != value}
    if different:
        was = ", ".join(f"{name} is {facts.variables.get(name)}" for name in different)
        yield SetVariables(different, was)
