"""Processes that die, freeze or are stopped: mysqld, the agent, etcd."""

from dataclasses import replace

from colonnade import paths
from colonnade.drill.act import Act, Do, Part
from colonnade.drill.database.limits import CRASH, NO_FIGURE, NOTHING, SILENCE
from colonnade.drill.fault import Fault

MYSQL = "mysql.service"


def signal(on: Part, unit: str, name: str) -> Do:
    """Send a signal to a unit's main process, as if somebody else had: systemd is not asked to stop it."""
    return Do(on, f"systemctl kill --kill-whom=main --signal={name} {unit}")


def resumed(on: Part, unit: str) -> Do:
    """Let what stands still go on; one that was killed and started meanwhile does not mind."""
    return Do(on, f"systemctl kill --kill-whom=main --signal=SIGCONT {unit} || :")


def started(on: Part, unit: str) -> Do:
    """Make sure that a unit runs; one that runs already is left alone."""
    return Do(on, f"systemctl reset-failed {unit} 2>/dev/null || :\nsystemctl start --no-block {unit}")


MYSQL_STARTED: tuple[Act, ...] = (started(Part.PRIMARY, MYSQL),)

FAULTS = (
    Fault(
        "mysqld-killed",
        "the primary's mysqld dies: SIGKILL",
        inject=(signal(Part.PRIMARY, MYSQL, "SIGKILL"),),
        heal=MYSQL_STARTED,
        limits=CRASH,
    ),
    Fault(
        "mysqld-terminated",
        "somebody ends the primary's mysqld past systemd: SIGTERM, which it obeys",
        inject=(signal(Part.PRIMARY, MYSQL, "SIGTERM"),),
        heal=MYSQL_STARTED,
        limits=SILENCE,
    ),
    Fault(
        "mysqld-frozen",
        "the primary's mysqld stands still and its connections stay open: SIGSTOP, later SIGCONT",
        inject=(signal(Part.PRIMARY, MYSQL, "SIGSTOP"),),
        heal=(resumed(Part.PRIMARY, MYSQL), *MYSQL_STARTED),
        limits=SILENCE,
    ),
    Fault(
        "agent-frozen",
        "the primary's agent stands still: SIGSTOP, later SIGCONT; its MySQL is well",
        inject=(signal(Part.PRIMARY, paths.AGENT_UNIT, "SIGSTOP"),),
        heal=(resumed(Part.PRIMARY, paths.AGENT_UNIT), started(Part.PRIMARY, paths.AGENT_UNIT)),
        limits=SILENCE,
    ),
    Fault(
        "agent-killed",
        "the primary's agent dies: SIGKILL; its MySQL is well",
        inject=(signal(Part.PRIMARY, paths.AGENT_UNIT, "SIGKILL"),),
        heal=(started(Part.PRIMARY, paths.AGENT_UNIT),),
        limits=NOTHING,
    ),
    Fault(
        "etcd-member-killed",
        "the member of etcd that leads dies: SIGKILL",
        inject=(signal(Part.ETCD_LEADER, paths.ETCD_UNIT, "SIGKILL"),),
        heal=(started(Part.ETCD_LEADER, paths.ETCD_UNIT),),
        limits=NOTHING,
    ),
    Fault(
        "etcd-majority-killed",
        "a majority of etcd's members dies and stays down for a while: SIGKILL, and no restart",
        inject=(
            Do(
                Part.ETCD_MAJORITY,
                f"systemctl kill --kill-whom=all --signal=SIGKILL {paths.ETCD_UNIT}; systemctl stop {paths.ETCD_UNIT}",
            ),
        ),
        heal=(started(Part.ETCD_MAJORITY, paths.ETCD_UNIT),),
        hold=15.0,
        limits=replace(NOTHING, redundant=NO_FIGURE.redundant),
    ),
)
