"""Fills in the parts of the documentation that follow from the code.

Such a part stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; docs/reference/file.md is made whole.
``python docs/generate.py`` writes what has changed; with ``--check`` it writes nothing, names what is out of
date and ends with 1.
"""
# ruff: noqa: INP001  a script beside the pages that it writes, no package

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from colonnade import diagram, paths
from colonnade.cli.main import INTERRUPTED, cli
from colonnade.errors import ColonnadeError
from colonnade.ha import transitions
from colonnade.render import (
    Certificate,
    Desired,
    Platform,
    Program,
    Release,
    Unit,
    certificate_requests,
    render_machine,
    secret_names,
)
from colonnade.secret import Secret
from colonnade.spec import parse, reference
from colonnade.topology import (
    AGENT_PORT,
    DNS_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    HTTP_PORT,
    LOCAL_PRIMARY_PORT,
    LOCAL_REPLICA_PORT,
    MYSQL_PORT,
    NGINX_PORT,
    Machine,
    Topology,
    resolve,
)

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "guestbook" / "colonnade.toml"
WIDTH = 100


def example() -> Topology:
    """Return the classic stack; a machine's name stands where its address would."""
    stack = parse(EXAMPLE.read_text(), filename=str(EXAMPLE))
    return resolve(stack, {name: name for name in stack.machine_names})


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def text_diagram() -> str:
    """Return the picture for a terminal."""
    return f"```text\n{diagram.text(example())}\n```"


def mermaid_diagram() -> str:
    """Return the picture as Mermaid."""
    return f"```mermaid\n{diagram.mermaid(example())}\n```"


def states() -> str:
    """Return the picture of the states of a server in the cluster, as Mermaid."""
    return f"```mermaid\n{transitions.mermaid()}\n```"


def commands() -> str:
    """Return every command's own help, word for word."""
    return "\n\n".join(f"## `{name}`\n\n```text\n{text}\n```" for name, text in helps(cli, "colonnade"))


def helps(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and help of a command and of those below it."""
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            if below is not None and not below.hidden:
                yield from helps(below, word, context)


def exit_codes() -> str:
    """Return the table of exit codes, from the tree of errors."""
    rows = [("0", "Done; for `status` and `up`: and everything is well.")]
    rows += [(str(error.exit_code), first_line(error)) for error in tree(ColonnadeError)]
    rows += [
        (str(INTERRUPTED), "Interrupted (Ctrl-C), or a question was answered with no."),
        ("255", "`exec` only: it failed before or after the command; any other code is the command's own."),
    ]
    return table(("Code", "Meaning"), rows)


def tree(error: type[ColonnadeError]) -> Iterator[type[ColonnadeError]]:
    """Yield an error and those below it, by exit code."""
    yield error
    for below in sorted(error.__subclasses__(), key=lambda kind: (kind.exit_code, kind.__name__)):
        yield from tree(below)


def first_line(thing: object) -> str:
    """Return what a docstring's first line says before its first semicolon."""
    return (thing.__doc__ or "").strip().splitlines()[0].partition(";")[0].rstrip(".") + "."


def rendered(choose: Callable[[Topology], Machine]) -> Desired:
    """Return all that one machine of the example should be, with Debian 13 and half a gigabyte."""
    topology = example()
    secrets = {name: Secret("not shown") for name in secret_names(topology)}
    platform = Platform("debian", "13", 512 * 1024**2)
    unseen = Certificate("not shown", Secret("not shown"), "not shown")
    certificates = {request.name: unseen for request in certificate_requests(topology)}
    release, program = Release("RELEASE", b""), Program("PROGRAM", b"")
    return render_machine(
        topology, choose(topology), platform, secrets, release, program=program, certificates=certificates
    )


def balancer() -> str:
    """Return what is on a balancer."""
    return role(rendered(lambda topology: topology.balancers[0]))


def server() -> str:
    """Return what is on a server."""
    return role(rendered(lambda topology: topology.primary))


def role(desired: Desired) -> str:
    """Return the tables of one machine."""
    packages = ((f"`{p.name}`", f"Debian's `{p.suite}`" if p.suite else "the system's own") for p in desired.packages)
    parts = [table(("Package", "From"), packages)]
    if desired.users:
        parts.append(table(("Account", "Home"), ((f"`{user.name}`", f"`{user.home}`") for user in desired.users)))
    directories = ((f"`{d.path}`", f"`{d.mode:o}`", f"{d.owner}:{d.group}") for d in desired.directories)
    parts.append(table(("Directory", "Mode", "Owner"), directories))
    files = (
        (
            f"`{file.path}`" + (" (secret)" if file.secret else ""),
            f"`{file.mode:o}`",
            f"{file.owner}:{file.group}",
            f"`{checker(file.check)}`" if file.check else "",
            ", ".join(readers(desired.units, file.path)),
        )
        for file in desired.all_files
    )
    parts.append(table(("File", "Mode", "Owner", "Checked by", "A change"), files))
    waves = {
        "none": "",
        "server": "servers, drained",
        "balancer": "balancers",
        "database": "MySQL, the primary last, after a switchover",
        "etcd": "etcd, the leader last",
        "agent": "agents, the primary's last",
    }
    units = (
        (f"`{unit.name}`", "enabled, runs" if unit.runs else "as the system has it", waves[unit.wave.value])
        for unit in desired.units
    )
    parts.append(table(("Unit", "State", "One after the other, with the"), units))
    return "\n\n".join(parts)


def checker(command: str) -> str:
    """Return the program that checks a file: the last of a pipe."""
    return command.rpartition("| ")[2].split()[0]


def readers(units: Iterable[Unit], path: str) -> Iterator[str]:
    """Yield what a change of a file asks of the units that read it."""
    for unit in units:
        if path in unit.restart:
            yield f"restarts `{unit.name}`"
        elif path in unit.reload:
            yield f"reloads `{unit.name}`"


def ports() -> str:
    """Return the table of what listens where."""
    rows = (
        ("balancer", "its address", HTTP_PORT, "HAProxy", "everybody"),
        ("balancer", "its address", DNS_PORT, "Knot, over TCP and UDP", "everybody"),
        ("server", "its address", NGINX_PORT, "Nginx", "the balancers"),
        ("server", "its address", MYSQL_PORT, "MySQL", "the servers"),
        ("member of etcd", "its address, 127.0.0.1", ETCD_CLIENT_PORT, "etcd", "every machine of the stack"),
        ("member of etcd", "its address", ETCD_PEER_PORT, "etcd", "the other members"),
        ("every machine", "its address, 127.0.0.1", AGENT_PORT, "the agent", "every machine of the stack"),
        ("server", "127.0.0.1", LOCAL_PRIMARY_PORT, "HAProxy, to the primary", "the application"),
        ("server", "127.0.0.1", LOCAL_REPLICA_PORT, "HAProxy, to a replica", "the application"),
        ("every machine", "as you have it", 22, "sshd", "you"),
    )
    cells = ((where, address, str(port), program, whom) for where, address, port, program, whom in rows)
    sockets = (
        ("server", "Unix socket", f"`{paths.APP_SOCKET}`", "the application", "Nginx"),
        ("server", "Unix socket", f"`{paths.MYSQL_SOCKET}`", "MySQL", "root of the machine"),
        ("balancer, server", "Unix socket", f"`{paths.HAPROXY_SOCKET}`", "HAProxy", "root of the machine"),
    )
    return table(("Machine", "Address", "Port", "Program", "For"), (*cells, *sockets))


def accounts() -> str:
    """Return the table of MySQL's accounts."""
    role = rendered(lambda topology: topology.primary).database
    if role is None:
        raise AssertionError("a server has a database")
    rows = (
        (
            f"`{account.name}`",
            "<br>".join(f"`` {grant} ``" for grant in account.grants),
            "required" if account.tls else "",
        )
        for account in role.accounts
    )
    return table(("Account", "May", "TLS"), rows)


def own() -> str:
    """Return the table of what Colonnade keeps for itself."""
    rows = (
        (paths.MANIFEST, "digest and path of every managed file: tells a change of ours from one made by hand"),
        (paths.LOADED, "per unit, fingerprints of what it was last restarted and reloaded with"),
        (paths.GENERATION, "names the last apply, so that two at once notice each other"),
        (paths.MIGRATED, "releases whose migration has run"),
        (paths.INSTALLED, "packages that were not there before: what `destroy` removes"),
        (paths.ORIGINALS, "files of others that ours replaced, as they were: what `destroy` puts back"),
        (paths.DRAINED, "on a balancer: servers that an apply has drained and not yet put back"),
        (paths.STAGING, "what the apply that is under way has received; root's alone"),
        (paths.LOCK, "held by the apply that is under way"),
        (paths.RELEASES, "releases of the code base, each immutable"),
        (paths.CURRENT, "symbolic link to the release that runs"),
        (paths.ETCD_DATA, "etcd's data directory, on its members"),
        (paths.ETCD_JOINED, "this machine was a member of etcd: with empty data it must be added anew"),
        (paths.ETCD_RECOVERED, "after `etcd recover`: when it was, and the identity of the cluster since then"),
        (paths.ETCD_RECOVERY, "while `etcd recover` runs: the cluster that is being made"),
        (paths.ETCD_JOIN, "while a member starts for the first time: that it may, and in which cluster"),
        (paths.AGENT_PROGRAMS, "the agent's program, a directory for each version"),
        (paths.AGENT_STATE, "what the agent has promised, and its history"),
        (
            paths.AGENT_ERRANT,
            "transactions that were acknowledged to nobody, saved as SQL; `destroy` keeps them with the data",
        ),
        (paths.DRILL, "while a drill runs: its clients' program, and what they wrote down"),
        (paths.MYSQL_DATA, "MySQL's data directory; one that was there before is never touched"),
    )
    return table(("Path", "What it is"), ((f"`{path}`", what) for path, what in rows))


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"diagram": text_diagram, "mermaid": mermaid_diagram},
    "docs/explanation/states-and-invariants.md": {"states": transitions.table, "picture": states},
    "docs/reference/commands.md": {"commands": commands},
    "docs/reference/exit-codes.md": {"exit codes": exit_codes},
    "docs/reference/machine.md": {
        "balancer": balancer,
        "server": server,
        "ports": ports,
        "accounts": accounts,
        "own": own,
    },
}


def filled(page: str) -> str:
    """Return a page with its parts as they should be.

    Raises:
        ValueError: the page has no place for one of them.

    """
    text = (ROOT / page).read_text()
    for name, make in PARTS[page].items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{page} has no {begin.strip()} with its end")
        text = before + begin + make() + end + after
    return text


def main(arguments: list[str]) -> int:
    """Write or check every page."""
    pages = {page: filled(page) for page in PARTS} | {"docs/reference/file.md": reference()}
    outdated = [page for page, text in pages.items() if (ROOT / page).read_text() != text]
    for page in outdated:
        if "--check" in arguments:
            sys.stdout.write(f"{page} is out of date: python docs/generate.py\n")
        else:
            (ROOT / page).write_text(pages[page])
            sys.stdout.write(f"{page} written\n")
    return 1 if outdated and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
