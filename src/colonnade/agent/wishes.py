"""What a person asks of the cluster, as it stands in etcd until it is fulfilled or forgotten."""

import json
from contextlib import suppress
from dataclasses import dataclass

from colonnade.ha.report import report
from colonnade.ha.view import View


@dataclass(frozen=True, slots=True)
class Wish:
    """Another server as primary; ``forced``: without proof that it holds everything."""

    target: str
    forced: bool = False


def wish_text(wish: Wish) -> str:
    """Write a wish."""
    return json.dumps({"target": wish.target, "forced": wish.forced}, sort_keys=True)


def wish_of(stored: tuple[str, int] | None) -> Wish | None:
    """Read a wish."""
    if stored is not None:
        with suppress(ValueError, KeyError, TypeError):
            document = json.loads(stored[0])
            return Wish(str(document["target"]), bool(document["forced"]))
    return None


def why_not(view: View, target: str) -> str:  # noqa: PLR0911  one line for each reason
    """Say why a switchover to a server would not be safe now; empty if it would be."""
    contract = view.record.contract
    if not view.record.current or contract is None:
        return "etcd does not answer, or knows of no primary"
    if view.paused:
        return "the agents are paused: colonnade db resume"
    if contract.primary.name == target:
        return f"{target} is the primary already"
    if target not in view.wanted.servers:
        return f"{target} is no server"
    if contract.acks == 0:
        return "acks = 0: only the primary is known to hold every acknowledged write"
    standby = next((each for each in contract.standbys if each.name == target), None)
    if standby is None or not contract.lists(standby):
        return f"{target} is no standby; standbys: {', '.join(sorted(map(str, contract.standbys))) or 'none'}"
    said = report(view) if target == view.me.name else view.heard(target, view.wanted.silent_after)
    if said is None or not said.answers:
        return f"{target} does not answer"
    if said.leaving:
        return f"{target} is to be provisioned anew"
    if said.following != contract.term:
        return f"{target} does not follow {contract.primary} at the moment"
    return ""


def best_target(view: View) -> str:
    """Return the standby that a switchover would best go to; empty if there is none."""
    contract = view.record.contract
    if contract is None:
        return ""
    fit = [each.name for each in sorted(contract.standbys) if not why_not(view, each.name)]
    return fit[0] if fit else ""


def why_not_anew(view: View) -> str:  # noqa: PLR0911  one line for each reason
    """Say why this server's data must not be thrown away now; empty if it may be made anew from the primary's."""
    contract, claim = view.record.contract, view.record.claim
    if not view.record.current or contract is None:
        return "etcd does not answer, or knows of no primary"
    if view.paused:
        return "the agents are paused: colonnade db resume"
    if contract.primary.name == view.me.name:
        return "this is the primary: its data is not thrown away"
    if claim is not None and claim.term > contract.term:
        return f"{claim.holder} is about to take over, and this server's data may be needed"
    said = view.heard(contract.primary.name, view.wanted.silent_after)
    if said is None or said.leads != contract.term:
        return f"{contract.primary} does not serve as primary at the moment, and this server's data may be needed"
    if view.wanted.strict and view.me in contract.standbys and len(contract.standbys) <= contract.acks:
        return "no standby can be spared, since durability is strict"
    return ""
