"""Machines that lose their cable or their power, or boot anew."""

from dataclasses import replace

from colonnade.drill.act import Cable, Do, Part, Pause, Power
from colonnade.drill.database.limits import NO_FIGURE, SILENCE, STANDBY_LOST
from colonnade.drill.database.process_faults import MYSQL, started
from colonnade.drill.fault import Fault

FLAPS = 5

FAULTS = (
    Fault(
        "primary-cable",
        "the primary's network cable is pulled",
        inject=(Cable(Part.PRIMARY, carries=False),),
        heal=(Cable(Part.PRIMARY, carries=True),),
        limits=SILENCE,
    ),
    Fault(
        "standby-cable",
        "the standby's network cable is pulled",
        inject=(Cable(Part.STANDBY, carries=False),),
        heal=(Cable(Part.STANDBY, carries=True),),
        limits=STANDBY_LOST,
    ),
    Fault(
        "flapping-cable",
        f"the primary's cable is out for a second, {FLAPS} times, with a second between",
        inject=(
            Cable(Part.PRIMARY, carries=False),
            *(
                act
                for _ in range(FLAPS - 1)
                for act in (
                    Pause(1.0),
                    Cable(Part.PRIMARY, carries=True),
                    Pause(1.0),
                    Cable(Part.PRIMARY, carries=False),
                )
            ),
            Pause(1.0),
            Cable(Part.PRIMARY, carries=True),
        ),
        heal=(Cable(Part.PRIMARY, carries=True),),
        hold=0.0,
        # Each cut may begin a failover of its own.
        limits=replace(SILENCE, gap=2 * FLAPS + 5.0, median=None),
    ),
    Fault(
        "primary-power",
        "the primary's machine loses its power",
        inject=(Power(Part.PRIMARY, runs=False),),
        heal=(Power(Part.PRIMARY, runs=True),),
        limits=replace(SILENCE, redundant=120.0),
    ),
    Fault(
        "standby-power",
        "the standby's machine loses its power",
        inject=(Power(Part.STANDBY, runs=False),),
        heal=(Power(Part.STANDBY, runs=True),),
        limits=replace(STANDBY_LOST, redundant=120.0),
    ),
    Fault(
        "servers-power",
        "every server loses its power at once, and gets it back",
        inject=(Power(Part.SERVERS, runs=False),),
        heal=(Power(Part.SERVERS, runs=True),),
        hold=5.0,
        limits=NO_FIGURE,
    ),
    Fault(
        "primary-reboot",
        "the primary's machine is told to reboot, and does so in order",
        # In a moment, so that the way to the machine is not cut off under the command.
        inject=(Do(Part.PRIMARY, "systemd-run --quiet --on-active=100ms systemctl reboot"),),
        hold=15.0,
        limits=replace(SILENCE, redundant=120.0),
    ),
    Fault(
        "stop-without-standby",
        "MySQL is stopped on the primary (systemctl stop) while commits wait for a standby that is cut off",
        inject=(
            Cable(Part.STANDBY, carries=False),
            # Less than the hold-off after which the contract may be loosened: commits wait now.
            Pause(0.4),
            Do(Part.PRIMARY, f"systemctl stop {MYSQL}"),
        ),
        # The standby alone first: what the primary acknowledged wrongly is missing on it.
        heal=(Cable(Part.STANDBY, carries=True), Pause(6.0), started(Part.PRIMARY, MYSQL)),
        hold=3.0,
        limits=NO_FIGURE,
    ),
)
