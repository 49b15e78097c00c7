"""Every fault of the database that can be rehearsed, in the order in which ``--all`` goes through them."""

from colonnade.drill.database import disk_fault, machine_faults, network_faults, planned_faults, process_faults
from colonnade.drill.fault import named

FAULTS = named(
    (
        *process_faults.FAULTS,
        *machine_faults.FAULTS,
        *network_faults.FAULTS,
        *planned_faults.FAULTS,
        *disk_fault.FAULTS,
    )
)

LEFT_OUT = {
    "growth": "from one to three servers under load: it changes the stack file and applies it, while a drill works on"
    " the stack as it is; the lab's tests grow a stack",
}
"""What is not rehearsed by a drill, and why."""
