"""The file that ``colonnade init`` writes: complete, commented, and valid as it stands.

Lines of explanation begin with ``# ``; keys that may be turned on begin with ``#`` and no space.
"""

from collections.abc import Callable
from typing import Final

from pydantic_core import PydanticCustomError

from colonnade.errors import UsageError
from colonnade.spec.checks import domain as checked_domain
from colonnade.spec.checks import label

_STARTER: Final = """\
# A stack, as Colonnade reads it. `colonnade up` brings it up: on this machine, in the lab, as long as no
# machine has an address. All keys: docs/reference/file.md; `colonnade schema` prints a schema for editors.

name   = "{name}"
domain = "{domain}"   # www.{domain} is the site; {domain} leads there

[app]
path    = "app"   # the code base, relative to this file
# Runs on every server and stays in the foreground; $SOCKET is the Unix socket to listen on.
start   = "gunicorn --workers 2 --threads 4 --bind unix:$SOCKET wsgi:app"
health  = "/healthz"   # answers 200 while the app can serve, and waits for no database
packages = ["gunicorn", "python3-pymysql"]   # Debian packages that the app needs
concurrency = 8   # requests at once on one server: workers x threads
timeout = 10   # seconds that a request may take
#static = "static"   # Nginx serves this directory of the code base under /static/
#migrate = "python3 migrate.py"   # once per deploy, against the primary
#build = "python3 -m compileall -q ."   # once per release, on each server

# What the app finds in its environment, beside $DATABASE_URL (the primary) and $DATABASE_REPLICA_URL.
#[app.env]
#GREETING = "Hello"

[database]
engine     = "mysql"
durability = "available"   # or "strict": rather block writes than run on one copy
#standbys = 1   # replicas that may be promoted; default: all, but two at most
#acks = 1   # of them, how many hold a commit before it is acknowledged
#buffer_pool = "128M"   # default: from the memory of the machine

# How machines with an address are reached.
#[ssh]
#user = "root"
#port = 22
#key = "~/.ssh/id_ed25519"

# Machines: a table each, its name is the host name. Give all of them an address, or none.
[balancers.lb1]
#address = "192.0.2.11"

[balancers.lb2]
#address = "192.0.2.12"

[servers.web1]
#address = "192.0.2.21"
#memory = "1G"   # default: all of the machine's memory

[servers.web2]
#address = "192.0.2.22"

# Automatic failover takes three machines. Two can have a small third that only helps to decide:
#[witnesses.witness1]
#address = "192.0.2.31"
"""


def starter(name: str, domain: str) -> str:
    """Write the commented file of a new stack; ``UsageError`` if the name or the domain cannot be one."""
    return _STARTER.format(name=_checked("name", name, label), domain=_checked("domain", domain, checked_domain))


def _checked(noun: str, value: str, check: Callable[[str], str]) -> str:
    try:
        return check(value)
    except PydanticCustomError as error:
        context = error.context or {}
        raise UsageError(f"the {noun} {context['what']}", do=str(context["do"])) from None
