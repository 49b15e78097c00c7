"""What has to be known of a machine before anything can be planned for it."""

from colonnade.facts import Question, Wanted
from colonnade.render import Desired
from colonnade.topology import NGINX_PORT, Machine, Topology

APPLY_WAIT_SECONDS = 120
"""How long the facts wait for an apply that somebody's lost connection left running."""


def question_for(topology: Topology, machine: Machine, desired: Desired, *, wait: bool) -> Question:
    """Return the question whose answer ``plan`` compares with ``desired``."""
    app = topology.stack.app
    return Question(
        files=tuple(Wanted(file.path, file.sha256, show=not file.secret) for file in desired.all_files),
        directories=tuple(directory.path for directory in desired.directories),
        units=tuple(unit.name for unit in desired.units),
        packages=tuple(package.name for package in desired.packages),
        users=tuple(user.name for user in desired.users),
        database=desired.database is not None,
        variables=tuple(sorted(desired.database.settings)) if desired.database else (),
        etcd=True,
        agent=True,
        proxy=True,
        ports=desired.ports,
        wait_seconds=APPLY_WAIT_SECONDS if wait else 0,
        nginx=(f"http://{machine.host}:{NGINX_PORT}/.colonnade/nginx", topology.www) if machine.server else None,
        app=(app.health, topology.www) if machine.server else None,
    )
