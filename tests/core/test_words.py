"""Every sentence of ``explain``, from documents as the agents give them."""

from typing import Any

from colonnade.words import explain, history, newest_contract, role, serving

CONTRACT: dict[str, Any] = {
    "primary": "web1",
    "term": 5,
    "standbys": ["web2"],
    "acks": 1,
    "barred": [],
    "floor": "",
    "revision": 20,
}
AT = 1767323045.0


def word(node: str, **changed: Any) -> dict[str, Any]:
    server = node.startswith("web")
    return {
        "node": node,
        "reason": "follows web1 in term 5",
        "serves": {"primary": node == "web1", "replica": node == "web2"},
        "contract": CONTRACT,
        "mysql": {"answers": True, "replication": {} if node == "web1" else {"source": "web1"}} if server else None,
        "wanted": {"strict": False},
        "paused": False,
        "etcd": True,
        "successions": [],
        "warnings": [],
        "history": [],
    } | changed


def words(*changed: dict[str, Any], **all_of_them: Any) -> dict[str, dict[str, Any]]:
    found = {node: word(node, **all_of_them) for node in ("web1", "web2", "lb1")}
    return found | {each["node"]: each for each in changed}


def contracted(**changed: Any) -> dict[str, dict[str, Any]]:
    return words(contract=CONTRACT | changed)


def succeeded(how: str, **changed: Any) -> dict[str, Any]:
    return {"term": 5, "previous": 4, "primary": "web1", "how": how, "promised": ["web2", "web3"]} | changed


def test_all_well() -> None:
    assert explain(words(), []) == [
        "Writes are safe: whatever web1 acknowledges is on web2 too (term 5).",
        "If web1 fails, web2 can take over; 1 of 1 must be reachable.",
        "If a standby fails, writes wait for about a second and go on with one copy less.",
    ]


def test_nobody_has_begun() -> None:
    found = {node: word(node, contract=None, reason=f"waits {node}") for node in ("web1", "lb1")}
    assert explain(found, []) == ["Nobody is the primary yet.", "web1: waits web1"]


def test_two_standbys_of_which_one_is_enough() -> None:
    said = explain(contracted(standbys=["web2", "web3"]), [])
    assert said[0] == "Writes are safe: whatever web1 acknowledges is on at least 1 of web2 and web3 too (term 5)."
    assert said[1] == "If web1 fails, web2 and web3 can take over; 2 of 2 must be reachable."
    assert said[2] == "If a standby fails, writes go on without a pause."
    barred = explain(contracted(standbys=["web2", "web3"], barred=["web3"]), [])
    assert "is on web2 too" in barred[0]


def test_strict_waits() -> None:
    said = explain(words(wanted={"strict": True}), [])
    assert said[2] == "If a standby fails, writes wait until it is back (durability is strict)."


def test_one_copy() -> None:
    assert explain(contracted(acks=0, standbys=[]), []) == [
        "Writes go on with one copy: only web1 holds what it acknowledges (acks = 0).",
        "If web1 fails, nothing is promoted: no other server is known to hold every write.",
    ]


def test_nobody_serves_and_why() -> None:
    shut = word("web1", serves={"primary": False, "replica": False}, reason="web2 has claimed term 6")
    said = explain(words(shut, word("web2", reason="1 of 2 needed promises")), [])
    assert said[0] == "Nobody takes writes at this moment; the contract's primary is web1: web2 has claimed term 6."
    assert "web2 waits: 1 of 2 needed promises." in said
    silent = words()
    del silent["web1"]
    said = explain(silent, ["web1"])
    assert said[0].endswith("the contract's primary is web1, and the agent of web1 does not answer.")
    assert "Not reached: web1." in said


def test_paused() -> None:
    said = explain(words(word("lb1", paused=True)), [])
    assert said[1] == "The agents are paused: whatever fails now, they only watch (colonnade db resume)."


def test_too_few_machines_to_agree() -> None:
    said = explain({"web1": word("web1"), "web2": word("web2")}, ["lb1"])
    assert said[1] == "If web1 fails too, too few machines are left to agree on another primary."
    two = explain({"web1": word("web1"), "web2": word("web2")}, [])
    assert two[1] == said[1]


def test_how_the_term_began() -> None:
    claimed = {"at": AT, "node": "web1", "state": "standby", "action": "ClaimLease", "reason": "web2 was lost"}
    failed = claimed | {"at": AT + 1, "reason": "web2 was lost (failed: etcd: refused)"}
    when = "at 2026-01-02 03:04:05 UTC"

    def last(how: str) -> str:
        return explain(words(word("web1", successions=[succeeded(how)], history=[claimed, failed])), [])[-1]

    assert last("founded") == "web1 began the cluster."
    assert last("promoted") == f"web1 was promoted {when}, because web2 was lost; promised: web2 and web3."
    assert last("renewed") == f"web1 stayed the primary in a new term {when}, because web2 was lost."
    assert last("forced") == f"web1 became the primary by force {when} (forced): writes may have been lost."
    other = word("web1", successions=[succeeded("promoted", term=4)])
    assert len(explain(words(other), [])) == 3


def test_obstacles() -> None:
    said = explain(words(word("lb1", etcd=False), word("web2", warnings=["account app has SUPER"])), ["web4", "web3"])
    assert said[-3:] == ["Not reached: web3 and web4.", "lb1 does not reach etcd.", "web2: account app has SUPER."]


def test_the_newest_contract_counts_and_roles_follow_it() -> None:
    old = word("web2", contract=CONTRACT | {"revision": 9, "primary": "web2"})
    contract = newest_contract(words(old))
    assert contract == CONTRACT
    assert newest_contract({}) is None
    assert serving(words()) == ["web1"]
    assert [role(node, word(node), contract) for node in ("web1", "web2", "web3", "lb1")] == [
        "primary",
        "standby",
        "replica",
        "-",
    ]
    assert role("web2", word("web2"), CONTRACT | {"barred": ["web2"]}) == "replica"
    assert role("web4", None, None) == "-"


def test_history_is_in_the_order_of_time() -> None:
    one, two, three = ({"at": AT + n, "reason": str(n)} for n in range(3))
    assert history(words(word("web1", history=[one, three]), word("web2", history=[two]))) == [one, two, three]
