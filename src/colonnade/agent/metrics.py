"""The agent's figures in Prometheus' text format; every name is in docs/reference/metrics.md."""

from colonnade.agent.loop import Agent
from colonnade.ha.states import State, state

PREFIX = "colonnade_"
METRICS = {
    "agent_start_time_seconds": "When the agent started, seconds since 1970.",
    "serves_primary": "1 while clients may write here.",
    "serves_replica": "1 while clients may read here as from a replica.",
    "agent_view_age_seconds": "Age of the agent's last view.",
    "etcd_answers": "1 if etcd answered the agent's last question.",
    "paused": "1 while a person has the agents only watch.",
    "state": "1 for the state that this server is in.",
    "mysql_answers": "1 if this machine's MySQL answers its agent.",
    "term": "The term of the contract.",
    "contract_acks": "Acknowledgements that a commit waits for by the contract.",
    "contract_standbys": "Standbys that the contract lists.",
    "replication_lag_seconds": "How late this replica is.",
    "commits_waiting": "Sessions that wait for an acknowledgement.",
}
"""Every figure, without the prefix, and what it is; all are gauges."""


def metrics_text(agent: Agent, now: float) -> str:
    """Return all figures."""
    view = agent.view
    lines: list[str] = []

    def gauge(name: str, *values: tuple[str, float]) -> None:
        lines.append(f"# HELP {PREFIX}{name} {METRICS[name]}")
        lines.append(f"# TYPE {PREFIX}{name} gauge")
        lines.extend(f"{PREFIX}{name}{labels} {value:.15g}" for labels, value in values)

    gauge("agent_start_time_seconds", ("", agent.started))
    gauge("serves_primary", ("", float(agent.serves)))
    gauge("serves_replica", ("", float(agent.serves_reads)))
    if view is None:
        return "\n".join(lines) + "\n"
    gauge("agent_view_age_seconds", ("", now - view.now))
    gauge("etcd_answers", ("", float(view.record.current)))
    gauge("paused", ("", float(view.paused)))
    if agent.server is not None:
        here = state(view)
        gauge(
            "state",
            *((f'{{state="{s.value}"}}', float(s is here)) for s in State),
        )
        gauge("mysql_answers", ("", float(view.mysql is not None)))
    contract = view.record.contract
    if contract is not None:
        gauge("term", ("", float(contract.term)))
        gauge("contract_acks", ("", float(contract.acks)))
        gauge("contract_standbys", ("", float(len(contract.standbys))))
    seen = agent.observer.seen
    if seen is not None and seen.lag is not None:
        gauge("replication_lag_seconds", ("", seen.lag))
    if view.mysql is not None:
        gauge("commits_waiting", ("", float(view.mysql.source.waiting)))
    return "\n".join(lines) + "\n"
