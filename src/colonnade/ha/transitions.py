"""Every change of state there is, with its reason: the one table from which the documentation's picture is drawn."""

from dataclasses import dataclass

from colonnade.ha.states import MEANING, State


@dataclass(frozen=True, slots=True)
class Transition:
    """From where to where, and what makes a server go that way."""

    before: State
    after: State
    because: str


TRANSITIONS = (
    Transition(State.EMPTY, State.SEPARATE, "a clone of the primary is complete"),
    Transition(State.EMPTY, State.FOLLOWING, "listed in the moment of that wish: a standby until it has left again"),
    Transition(State.EMPTY, State.STANDBY, "listed in the moment of that wish: a standby until it has left again"),
    Transition(State.SEPARATE, State.EMPTY, "its own transactions are saved, its data is set aside"),
    Transition(State.SEPARATE, State.FOLLOWING, "lacks nothing of its own at the primary: follows it"),
    Transition(State.SEPARATE, State.STANDBY, "listed: follows the primary and acknowledges"),
    Transition(State.SEPARATE, State.PROMISED, "a claimant asked for its promise"),
    Transition(State.SEPARATE, State.CLAIMING, "the primary is lost"),
    Transition(State.SEPARATE, State.OPENING, "begins as the first, or finds its place again"),
    Transition(State.SEPARATE, State.ISOLATED, "a new agent finds that its data is the primary, without a lease yet"),
    Transition(State.SEPARATE, State.PROTECTED, "a new agent finds itself the primary; its standbys confirm it"),
    Transition(State.SEPARATE, State.FENCED, "a new agent finds another primary, and this one still open"),
    Transition(State.FOLLOWING, State.SEPARATE, "the receiver is stopped: another primary, or a change of its side"),
    Transition(State.FOLLOWING, State.EMPTY, "a person wished it to be provisioned anew"),
    Transition(State.FOLLOWING, State.STANDBY, "listed by the primary"),
    Transition(State.FOLLOWING, State.PROMISED, "a claimant asked for its promise"),
    Transition(State.FOLLOWING, State.CLAIMING, "the primary is lost, just after it was listed"),
    Transition(State.STANDBY, State.SEPARATE, "the receiver is stopped: another primary, or a change of its side"),
    Transition(State.STANDBY, State.FOLLOWING, "no longer listed"),
    Transition(State.STANDBY, State.EMPTY, "left the standbys, to be provisioned anew"),
    Transition(State.STANDBY, State.PROMISED, "a claimant asked for its promise"),
    Transition(State.STANDBY, State.CLAIMING, "the primary is lost, or gave way"),
    Transition(State.PROMISED, State.SEPARATE, "a contract of the promised term, or a later one, is there"),
    Transition(State.PROMISED, State.FOLLOWING, "a contract of the promised term, or a later one, is there"),
    Transition(State.PROMISED, State.STANDBY, "a contract of the promised term, or a later one, lists it"),
    Transition(State.PROMISED, State.EMPTY, "another was promoted, and it is to be provisioned anew"),
    Transition(State.PROMISED, State.CLAIMING, "the other claimant gave up"),
    Transition(State.PROMISED, State.ISOLATED, "its own swap of the contract landed late, and the lease is over"),
    Transition(State.CLAIMING, State.OPENING, "enough promises, a proof, and one swap of the contract"),
    Transition(State.CLAIMING, State.ISOLATED, "the swap succeeded, and the lease is over"),
    Transition(State.CLAIMING, State.PROMISED, "gave the claim up"),
    Transition(State.CLAIMING, State.STANDBY, "lost the claim before it promised"),
    Transition(State.CLAIMING, State.FOLLOWING, "lost the claim before it promised, and is no standby any more"),
    Transition(State.CLAIMING, State.EMPTY, "another was promoted, and it is to be provisioned anew"),
    Transition(State.CLAIMING, State.SEPARATE, "lost the claim, or another was promoted"),
    Transition(State.OPENING, State.ALONE, "its own write went through: clients come in"),
    Transition(State.OPENING, State.PROTECTED, "its own write was acknowledged as the contract says: clients come in"),
    Transition(State.OPENING, State.ISOLATED, "the lease is over, or claimed by another"),
    Transition(State.OPENING, State.FENCED, "another was promoted"),
    Transition(State.OPENING, State.EMPTY, "another was promoted, and it is to be provisioned anew"),
    Transition(State.OPENING, State.SEPARATE, "another was promoted"),
    Transition(State.ALONE, State.PROTECTED, "a standby acknowledged: the contract is raised"),
    Transition(State.ALONE, State.OPENING, "its MySQL restarted, or clients are kept out"),
    Transition(State.ALONE, State.ISOLATED, "the lease is over, or claimed by another"),
    Transition(State.ALONE, State.FENCED, "another was promoted by force"),
    Transition(State.ALONE, State.SEPARATE, "its MySQL and its agent restarted"),
    Transition(State.PROTECTED, State.ALONE, "the last standby is lost: the contract is loosened"),
    Transition(State.PROTECTED, State.OPENING, "its MySQL restarted, or gives way to another"),
    Transition(State.PROTECTED, State.ISOLATED, "the lease is over, or claimed by another"),
    Transition(State.PROTECTED, State.FENCED, "another was promoted"),
    Transition(State.PROTECTED, State.SEPARATE, "its MySQL or its agent restarted, and another was promoted"),
    Transition(State.ISOLATED, State.OPENING, "has the lease again"),
    Transition(State.ISOLATED, State.ALONE, "has the lease again"),
    Transition(State.ISOLATED, State.PROTECTED, "has the lease again, or its standbys confirm it"),
    Transition(State.ISOLATED, State.CLAIMING, "another was promoted in the moment in which it claimed"),
    Transition(State.ISOLATED, State.FENCED, "another was promoted"),
    Transition(State.ISOLATED, State.EMPTY, "another was promoted, and it is to be provisioned anew"),
    Transition(State.ISOLATED, State.SEPARATE, "another was promoted"),
    Transition(State.FENCED, State.SEPARATE, "semi-sync is off, and it is read-only again"),
    Transition(State.FENCED, State.EMPTY, "semi-sync is off, it is read-only again, and to be provisioned anew"),
    *(Transition(each, State.DOWN, "its MySQL does not answer") for each in State if each is not State.DOWN),
    *(Transition(State.DOWN, each, "its MySQL answers again") for each in State if each is not State.DOWN),
)

ALLOWED = frozenset((each.before, each.after) for each in TRANSITIONS)


def mermaid() -> str:
    """Return the picture of the states; what holds for every state alike is left to the words below it."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {each.value}: {each.value}" for each in State if each is not State.DOWN]
    lines += [
        f"    {each.before.value} --> {each.after.value}: {each.because}"
        for each in TRANSITIONS
        if State.DOWN not in {each.before, each.after}
    ]
    return "\n".join(lines)


def table() -> str:
    """Return the states and their meanings as a Markdown table."""
    return "\n".join(["| state | meaning |", "|---|---|", *(f"| {each.value} | {MEANING[each]} |" for each in State)])
