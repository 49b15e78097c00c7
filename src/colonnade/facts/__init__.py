"""What a machine looks like now: the question, the one script that answers it, and the answer as a value."""

from colonnade.facts.model import (
    AccountFact,
    AgentFact,
    ClaimFact,
    ContractFact,
    DatabaseFact,
    DirectoryFact,
    EtcdFact,
    EtcdMemberFact,
    Facts,
    FileFact,
    LoadedConfiguration,
    ProxyServer,
    ReplicaFact,
    ReplicationFact,
    SavedFact,
    UnitFact,
)
from colonnade.facts.parse import parse
from colonnade.facts.script import Question, Wanted, facts_script

__all__ = [
    "AccountFact",
    "AgentFact",
    "ClaimFact",
    "ContractFact",
    "DatabaseFact",
    "DirectoryFact",
    "EtcdFact",
    "EtcdMemberFact",
    "Facts",
    "FileFact",
    "LoadedConfiguration",
    "ProxyServer",
    "Question",
    "ReplicaFact",
    "ReplicationFact",
    "SavedFact",
    "UnitFact",
    "Wanted",
    "facts_script",
    "parse",
]
