"""The stack as values: one class for each table of the stack file, one field for each key.

What is written here about a key is what the reference page and the JSON schema say about it. Strict: a
number is no text, and a key that is not listed is an error. ``parse`` is the way in; what no single key
can say (two machines with one address) is checked there.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from colonnade.spec.checks import SYSTEM_SCHEMAS
from colonnade.spec.copies import MOST_STANDBYS, default_acks, default_standbys
from colonnade.spec.values import (
    Address,
    BufferPool,
    Command,
    Domain,
    EnvironmentName,
    EnvironmentValue,
    FilePath,
    Inside,
    InsideBelow,
    Label,
    Memory,
    Package,
    SchemaName,
    UrlPath,
    User,
)

Durability = Literal["available", "strict"]
PackageSource = Literal["debian-unstable", "distribution", "oracle"]
ImageKind = Literal["baked", "bare"]


class Table(BaseModel):
    """A table of the stack file: exactly the keys that are listed, of exactly their types."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class App(Table):
    """The code base, and how each server runs it."""

    path: Inside = Field(description="Directory of the code base, relative to the stack file.", examples=["app", "."])
    start: Command = Field(
        description=(
            "Shell command, run in the release's directory, that starts the app server and stays in the "
            "foreground. `$SOCKET` is the Unix socket to listen on, `$CONCURRENCY` the number of requests "
            "to handle at once."
        ),
        examples=["gunicorn --workers 2 --threads 4 --bind unix:$SOCKET wsgi:app"],
    )
    health: UrlPath = Field(
        default="/healthz",
        description=(
            "What the balancers ask each server for: 200 means that it can serve. It must not wait for a "
            "database, or every server is taken out at once when the database is."
        ),
        examples=["/healthz"],
    )
    static: InsideBelow | None = Field(
        default=None,
        description="Directory, relative to `path`, that Nginx itself serves under `/static/`.",
        examples=["static"],
    )
    migrate: Command | None = Field(
        default=None,
        description=(
            "Shell command that brings the database's schema up to date: run once per deploy, on one "
            "server, against the primary."
        ),
        examples=["python3 migrate.py"],
    )
    build: Command | None = Field(
        default=None,
        description=(
            "Shell command that makes a release ready: run once per release on each server, in the release's directory."
        ),
        examples=["python3 -m venv --system-site-packages .venv"],
    )
    packages: tuple[Package, ...] = Field(
        default=(),
        strict=False,  # TOML has arrays, which Python reads as lists; the items stay strict
        description="Debian packages that the app needs, installed on every server.",
        examples=[["gunicorn", "python3-pymysql"]],
    )
    timeout: int = Field(
        default=10,
        ge=1,
        le=300,
        description="Seconds that a request may take; a balancer gives up a little later.",
        examples=[10],
    )
    concurrency: int = Field(
        default=8,
        ge=1,
        le=512,
        description=(
            "Requests that the app server handles at once on one server (workers times threads). A balancer"
            " sends no more than that and queues the rest; the app has as many database connections."
        ),
        examples=[8],
    )
    env: dict[EnvironmentName, EnvironmentValue] = Field(
        default_factory=dict,
        repr=False,  # people put secrets here, whatever the documentation says
        description=(
            "Environment variables for the app. `SOCKET`, `CONCURRENCY`, `RELEASE`, `SERVER_NAME`, "
            "`DATABASE_URL` and `DATABASE_REPLICA_URL` are set by Colonnade, and are refused here."
        ),
        examples=[{"GREETING": "Hello"}],
        json_schema_extra={"additionalProperties": False},
    )


class Database(Table):
    """MySQL, which every server runs; the table may be left out."""

    engine: Literal["mysql"] = Field(
        default="mysql", description="The database system; MySQL is the only one.", examples=["mysql"]
    )
    durability: Durability = Field(
        default="available",
        description=(
            "What happens when the primary loses its last standby: `available` goes on with one copy and "
            "says so; `strict` stops accepting writes until a second copy is there, and needs two servers."
        ),
        examples=["available"],
    )
    standbys: int | None = Field(
        default=None,
        ge=0,
        le=MOST_STANDBYS,
        description=(
            "How many replicas are standbys: only they may be promoted, and a failover asks them all; the "
            "other replicas follow without being waited for. Default: every replica, but two at most."
        ),
        examples=[2],
    )
    acks: int | None = Field(
        default=None,
        ge=0,
        le=MOST_STANDBYS,
        description=(
            "How many standbys must hold a commit before the client is told that it succeeded. Default: 1 "
            "(with one server 0)."
        ),
        examples=[1],
    )
    name: SchemaName | None = Field(
        default=None,
        description=(
            "Name of the app's schema. Default: the stack's name with `-` turned into `_` (and `db_` before"
            " it, should that start with a digit or be the name of one of MySQL's own schemas)."
        ),
        examples=["foobar"],
    )
    packages: PackageSource | None = Field(
        default=None,
        description=(
            "Where MySQL comes from: `distribution` (Ubuntu has it), `debian-unstable` (pinned to what "
            "MySQL needs), `oracle` (their repository, its key pinned). Default: what fits the machine's "
            "system."
        ),
        examples=["debian-unstable"],
    )
    buffer_pool: BufferPool | None = Field(
        default=None,
        description=(
            "Size of MySQL's buffer pool on every server, in K, M or G bytes, 32M at least. Default: from "
            "the memory of the machine."
        ),
        examples=["128M"],
    )


class Ssh(Table):
    """How machines with an address are reached; the lab has a key of its own."""

    user: User = Field(
        default="root",
        description="User to log in as: root, or one that may use sudo without a password.",
        examples=["root"],
    )
    port: int = Field(default=22, ge=1, le=65535, description="TCP port of the machines' sshd.", examples=[22])
    key: FilePath | None = Field(
        default=None,
        description=(
            "File of the private key, relative to the stack file; `~` is the home directory. Default: the "
            "SSH agent and the user's usual keys."
        ),
        examples=["~/.ssh/id_ed25519"],
    )


class Lab(Table):
    """How the lab makes machines; of no meaning for machines with an address."""

    image: ImageKind = Field(
        default="baked",
        description=(
            "`baked`: the packages are in the image already, which is fast. `bare`: systemd and sshd and "
            "nothing else, as on a rented machine."
        ),
        examples=["baked"],
    )


class Machine(Table):
    """What balancers, servers and witnesses have alike."""

    address: Address | None = Field(
        default=None,
        description=(
            "IPv4 or IPv6 address at which the machine is reached over SSH and by the other machines. "
            "Either every machine has one or, for the lab, none. A balancer and a server may share one: "
            "they are then one machine. A witness has one of its own."
        ),
        examples=["192.0.2.11", "2001:db8::11"],
    )


class Balancer(Machine):
    """A machine that runs HAProxy and the zone's DNS server; `NAME` is its host name."""


class Server(Machine):
    """A machine that runs Nginx, the app server, a release and MySQL; `NAME` is its host name."""

    memory: Memory | None = Field(
        default=None,
        description=(
            "How much of the machine's memory Colonnade may plan with, in K, M or G bytes, 64M at least. "
            "Default: all of it."
        ),
        examples=["1G"],
    )


class Witness(Machine):
    """A small machine that only helps to decide who may be the primary, for a stack of two; `NAME` is its host name."""


class Stack(Table):
    """Everything that one `colonnade.toml` describes; tables of machines keep the order of the file."""

    name: Label = Field(description="Name of the stack: a DNS label of 40 characters at most.", examples=["foobar"])
    domain: Domain = Field(
        description=("Domain that is served, of two labels at least: `www.DOMAIN` is the site, `DOMAIN` leads there."),
        examples=["foobar.com"],
    )
    app: App = Field(description="The code base, and how each server runs it.")
    database: Database = Field(default_factory=Database, description="MySQL, which every server runs.")
    ssh: Ssh = Field(default_factory=Ssh, description="How machines with an address are reached.")
    lab: Lab = Field(default_factory=Lab, description="How the lab makes machines.")
    balancers: Annotated[dict[Label, Balancer], Field(min_length=1)] = Field(
        description="The balancers, one table `[balancers.NAME]` for each.",
        examples=[{"lb1": {}}],
        json_schema_extra={"additionalProperties": False},
    )
    servers: Annotated[dict[Label, Server], Field(min_length=1)] = Field(
        description="The servers, one table `[servers.NAME]` for each.",
        examples=[{"web1": {}, "web2": {}}],
        json_schema_extra={"additionalProperties": False},
    )
    witnesses: dict[Label, Witness] = Field(
        default_factory=dict,
        description="The witnesses, one table `[witnesses.NAME]` for each; most stacks need none.",
        examples=[{"witness1": {}}],
        json_schema_extra={"additionalProperties": False},
    )

    @property
    def in_lab(self) -> bool:
        """Whether the stack's machines are made in the lab: no machine has an address."""
        machines = (*self.balancers.values(), *self.servers.values(), *self.witnesses.values())
        return not any(machine.address for machine in machines)

    @property
    def machine_names(self) -> tuple[str, ...]:
        """The name of every balancer, server and witness; two of them are one machine if they share an address."""
        return (*self.balancers, *self.servers, *self.witnesses)

    @property
    def standbys(self) -> int:
        """How many replicas should be standbys."""
        written = self.database.standbys
        return default_standbys(len(self.servers)) if written is None else written

    @property
    def acks(self) -> int:
        """How many of them should hold a commit before it is acknowledged."""
        return default_acks(self.standbys) if self.database.acks is None else self.database.acks

    @property
    def database_name(self) -> str:
        """The name of the app's schema."""
        if self.database.name:
            return self.database.name
        derived = self.name.replace("-", "_")
        return f"db_{derived}" if derived[0].isdigit() or derived in SYSTEM_SCHEMAS else derived
