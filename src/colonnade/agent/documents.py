"""What agents say to each other, and what they say of themselves, as JSON."""

from typing import Any

from colonnade.gtid import GtidSet
from colonnade.ha.record import contract_text, succession_text
from colonnade.ha.view import Contract, Member, Record, Replication, Report, View

KEPT_FOR_RECOVERY = 20
"""How many beginnings of terms an agent tells."""


def report_document(report: Report, age: float) -> dict[str, Any]:
    """Return a report as JSON's types; ``age`` is how many seconds ago its view was taken."""
    return {
        "age": age,
        "member": [report.member.name, report.member.incarnation],
        "revision": report.revision,
        "promised": report.promised,
        "complete": report.complete,
        "holds": str(report.holds),
        "following": report.following,
        "acknowledges": report.acknowledges,
        "reaches_primary": report.reaches_primary,
        "answers": report.answers,
        "leads": report.leads,
        "executed": str(report.executed),
        "last_term": report.last_term,
        "serves": report.serves,
        "leaving": report.leaving,
    }


def report_of(document: dict[str, Any]) -> tuple[Report, float]:
    """Read a report, and its age in seconds."""
    return (
        Report(
            Member(*document["member"]),
            revision=int(document["revision"]),
            promised=int(document["promised"]),
            complete=bool(document["complete"]),
            holds=GtidSet.parse(document["holds"]),
            following=int(document["following"]),
            acknowledges=bool(document["acknowledges"]),
            reaches_primary=bool(document["reaches_primary"]),
            answers=bool(document["answers"]),
            leads=int(document["leads"]),
            executed=GtidSet.parse(document["executed"]),
            last_term=int(document["last_term"]),
            serves=bool(document.get("serves", False)),
            leaving=bool(document.get("leaving", False)),
        ),
        max(0.0, float(document["age"])),
    )


def contract_document(contract: Contract | None) -> dict[str, Any] | None:
    """Return a contract as people and programs read it."""
    if contract is None:
        return None
    return {
        "primary": contract.primary.name,
        "term": contract.term,
        "standbys": sorted(each.name for each in contract.standbys),
        "acks": contract.acks,
        "barred": sorted(contract.barred),
        "floor": str(contract.floor),
        "revision": contract.revision,
    }


def record_document(record: Record) -> dict[str, Any]:
    """Return the record as this agent last read it: from it etcd is made anew, if it is lost."""
    contract = record.contract
    return {
        "contract": contract_text(contract) if contract is not None else None,
        "revision": contract.revision if contract is not None else 0,
        "successions": [succession_text(each) for each in record.successions[-KEPT_FOR_RECOVERY:]],
    }


def _replication(replication: Replication | None) -> dict[str, Any] | None:
    if replication is None:
        return None
    return {
        "source": replication.source,
        "term": replication.term,
        "receiver": replication.receiver.value,
        "applying": replication.applying,
        "silence": round(min(replication.silence, 1e6), 3),
        "acknowledges": replication.acknowledges,
        "error": replication.applier_error,
    }


def mysql_document(view: View) -> dict[str, Any] | None:
    """Return what the agent sees of its MySQL; ``answers`` alone if it sees nothing."""
    mysql = view.mysql
    if mysql is None:
        return {"answers": False}
    return {
        "answers": True,
        "executed": str(mysql.executed),
        "received": str(mysql.received),
        "read_only": mysql.read_only,
        "offline": mysql.offline,
        "acks": mysql.source.acks,
        "waiting": mysql.source.waiting,
        "acknowledgers": sorted(mysql.source.acknowledgers),
        "replication": _replication(mysql.replication),
    }


def peers_document(view: View) -> dict[str, Any]:
    """Return what the others said last, and how many seconds ago."""
    return {
        name: {
            "age": round(view.now - peer.at, 3),
            "answers": peer.report.answers,
            "following": peer.report.following,
            "promised": peer.report.promised,
            "leads": peer.report.leads,
            "holds": str(peer.report.holds),
            "complete": peer.report.complete,
            "serves": peer.report.serves,
            "reaches_primary": peer.report.reaches_primary,
        }
        for name, peer in sorted(view.peers.items())
    }
