"""What people do on purpose, under load: a switchover, an upgrade, a server provisioned anew, a wrong right."""

from dataclasses import replace

from colonnade import paths
from colonnade.drill.act import Act, Await, Do, Part
from colonnade.drill.database.cluster import CLONING
from colonnade.drill.database.limits import NOTHING, SILENCE, STANDBY_LOST, SWITCH
from colonnade.drill.database.process_faults import MYSQL, signal, started
from colonnade.drill.fault import Fault, Limits
from colonnade.render.web import WRITER

REBUILD: tuple[Act, ...] = (
    Do(Part.STANDBY, f"{paths.AGENT_COMMAND} rebuild", background=True),
    Await(Part.STANDBY, CLONING, seconds=20.0),
)

FAULTS = (
    Fault(
        "switchover",
        "the primary changes in order, under load",
        inject=(Do(Part.PRIMARY, f"{paths.AGENT_COMMAND} switchover --seconds 30"),),
        hold=2.0,
        limits=SWITCH,
    ),
    Fault(
        "mysql-upgraded",
        "what an upgrade of MySQL's package does on the primary: its scripts stop the unit, and start it a moment"
        " later",
        # The package itself stays as it is: what its maintainer scripts do to the unit (prerm, postinst) matters here.
        inject=(Do(Part.PRIMARY, f"deb-systemd-invoke stop {MYSQL}\nsleep 2\ndeb-systemd-invoke start {MYSQL}"),),
        heal=(started(Part.PRIMARY, MYSQL),),
        hold=2.0,
        limits=SILENCE,
    ),
    Fault(
        "clone-recipient-killed",
        "the standby is provisioned anew, and its mysqld dies meanwhile",
        inject=(*REBUILD, signal(Part.STANDBY, MYSQL, "SIGKILL")),
        heal=(started(Part.STANDBY, MYSQL),),
        hold=2.0,
        limits=replace(STANDBY_LOST, redundant=180.0),
    ),
    Fault(
        "clone-donor-killed",
        "the standby is provisioned anew, and the mysqld of the primary dies meanwhile",
        inject=(*REBUILD, signal(Part.PRIMARY, MYSQL, "SIGKILL")),
        heal=(started(Part.PRIMARY, MYSQL),),
        hold=2.0,
        # With one standby nobody can take over while it is being made: the primary itself must come back.
        limits=Limits(gap=20.0, redundant=180.0),
    ),
    Fault(
        "application-may-too-much",
        "the application's account has CONNECTION_ADMIN, which would survive the fence: some agent must warn of it",
        inject=(Do(Part.PRIMARY, f"mysql -u root -e \"GRANT CONNECTION_ADMIN ON *.* TO '{WRITER}'@'%'\""),),
        heal=(
            Do(
                Part.SERVERS,
                # On whoever is the primary by now; the others refuse, as they are read-only.
                f"timeout 5 mysql -u root -e \"REVOKE CONNECTION_ADMIN ON *.* FROM '{WRITER}'@'%'\" 2>/dev/null || :",
            ),
        ),
        hold=15.0,
        limits=NOTHING,
        warns="CONNECTION_ADMIN",
    ),
)
