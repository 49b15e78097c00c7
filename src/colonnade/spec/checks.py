"""The checks of single values: a name that fits a host name, a path that stays inside, a usable address.

Each takes what was written, returns what the rest of Colonnade may rely on, and refuses all else with a
way out, as pydantic's own kind of error, so that pydantic collects it with the others.
"""

import ipaddress
import re
import unicodedata
from typing import Final

from colonnade.spec.refusal import matches, refused, shown

LONGEST_LABEL: Final = 40
"""DNS allows 63; the rest is room for what Colonnade puts before or after a name."""

LONGEST_DOMAIN: Final = 253 - len("www.")
RESERVED_ENVIRONMENT: Final = frozenset(
    {"CONCURRENCY", "DATABASE_REPLICA_URL", "DATABASE_URL", "RELEASE", "SERVER_NAME", "SOCKET"}
)
SYSTEM_SCHEMAS: Final = frozenset({"information_schema", "mysql", "performance_schema", "sys"})

LABEL_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
ENVIRONMENT_PATTERN: Final = r"^[A-Z_][A-Z0-9_]*$"
SCHEMA_PATTERN: Final = r"^[a-z][a-z0-9_]{0,63}$"
PACKAGE_PATTERN: Final = r"^[a-z0-9][a-z0-9.+-]+$"
USER_PATTERN: Final = r"^[a-z_][a-z0-9_-]{0,31}$"
# Both stand in the files of HAProxy and Nginx, which have no way to quote everything (a `$`, for one).
URL_PATH_PATTERN: Final = r"^/[A-Za-z0-9/._~&=+,:@%?-]*$"
SAFE_PATH_PATTERN: Final = r"^[A-Za-z0-9@_+./-]+$"

_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")
_DOMAIN_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def label(value: str) -> str:
    """Check a name that becomes a host name or a part of one."""
    if matches(LABEL_PATTERN, value):
        return value
    repaired = re.sub(r"[^a-z0-9]+", "-", value.lower())[:LONGEST_LABEL].strip("-")
    do = f"did you mean {shown(repaired)}?" if repaired else 'write a name such as "foobar"'
    if len(value) > LONGEST_LABEL and _DOMAIN_LABEL.fullmatch(value):
        raise refused(f"has {len(value)} characters; {LONGEST_LABEL} is the most", do)
    rule = "small letters, digits and hyphens, a letter or digit at both ends"
    raise refused(f"is {shown(value)}, which is no DNS label ({rule})", do)


def domain(value: str) -> str:
    """Check a DNS domain of at least two labels, and lower-case it."""
    lowered = value.lower()
    labels = lowered.split(".")
    fits = value.isascii() and len(lowered) <= LONGEST_DOMAIN and all(map(_DOMAIN_LABEL.fullmatch, labels))
    if fits and len(labels) > 1 and not labels[-1].isdigit():
        return lowered
    if fits and len(labels) == 1:
        raise refused(f"is {shown(value)}, which has one label; a domain has two", f'write "{lowered}.com"')
    bare = re.sub(r"^[a-z]+://|[:/].*$|\.+$", "", re.sub(r"^[a-z]+://", "", lowered))
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode("ascii")
        except UnicodeError:
            bare = ""
    worth_saying = bare != lowered and "." in bare and all(map(_DOMAIN_LABEL.fullmatch, bare.split(".")))
    raise refused(
        f"is {shown(value)}, which is no DNS domain",
        f'did you mean "{bare}"?' if worth_saying else 'write a domain such as "foobar.com"',
    )


def address(value: str) -> str:
    """Check the IPv4 or IPv6 address of a machine, and write it in its one canonical form."""
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        raise refused(f"is {shown(value)}, which is no IPv4 or IPv6 address", _address_in(value)) from None
    kind = _unusable(found)
    if kind:
        raise refused(f"is {shown(value)}, {kind}", "write the address at which the other machines reach it")
    return str(found)


def _address_in(value: str) -> str:
    """Say which address may be meant by one with a port, a prefix length or brackets."""
    for candidate in re.findall(r"[0-9.]{7,}|(?<=\[)[0-9a-fA-F:.]+|[0-9a-fA-F:]+(?=/)", value):
        try:
            return f'did you mean "{ipaddress.ip_address(candidate)}"?'
        except ValueError:
            continue
    return 'write the address itself, such as "192.0.2.11"'


def _unusable(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Say why no machine can be reached at an address; empty if one can."""
    reasons = (
        (getattr(found, "ipv4_mapped", None), "an IPv4 address in IPv6 clothes"),
        (
            getattr(found, "scope_id", None),
            "an address with a zone, which means something on one machine only",
        ),
        (found.is_loopback, "a loopback address, which every machine has for itself"),
        (found.is_unspecified or found in _THIS_NETWORK, "an unspecified address"),
        (found.is_multicast, "a multicast address"),
        (found.is_link_local, "a link-local address, which means another machine on every link"),
        (found.is_reserved, "a reserved address"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def url_path(value: str) -> str:
    """Check the path (and query) of a request to the app."""
    if matches(URL_PATH_PATTERN, value) and not re.search(r"%(?![0-9A-Fa-f]{2})", value):
        return value
    if not value.startswith("/"):
        bare = re.sub(r"^[a-z]+://[^/]*", "", value).lstrip("/")
        guess = f"/{bare}" if matches(URL_PATH_PATTERN, f"/{bare}") and bare else "/healthz"
        raise refused(f"is {shown(value)}, which does not start with /", f'did you mean "{guess}"?')
    raise refused(
        f"is {shown(value)}, which holds a character that a URL or a balancer's file cannot carry",
        "use letters, digits and / . _ ~ - ? & = + , : @, anything else as %XX",
    )


def inside(value: str) -> str:
    """Check a relative path that stays below where it starts, and write it without ``./`` and ``//``."""
    _printable(value, "a directory's name")
    if value.startswith("/"):
        raise refused(f"is {shown(value)}, which is absolute", "write it relative, without the first /")
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise refused(f"is {shown(value)}, which leads out of its directory", "write a path without ..")
    return "/".join(parts) or "."


def inside_below(value: str) -> str:
    """Check a relative path that names a directory strictly below where it starts, fit for Nginx's file."""
    path = inside(value)
    if path == ".":
        raise refused(
            f"is {shown(value)}, which would show the whole code base to everybody",
            'put what everybody may read into a directory of its own, such as "static"',
        )
    if not matches(SAFE_PATH_PATTERN, path):
        raise refused(
            f"is {shown(value)}, which holds a character that Nginx's file cannot carry",
            "use letters, digits and / . _ - + @",
        )
    return path


def command(value: str) -> str:
    """Check a shell command of one line."""
    return _printable(value, "a command", "join commands with &&, or put them into a script")


def file_path(value: str) -> str:
    """Check the name of a file on the operator's machine; it need not be there."""
    return _printable(value, "a file's name")


def environment_value(value: str) -> str:
    """Check the value of an environment variable, which may be empty; never shown, it may be a secret."""
    return _one_line(value, "encode it (base64), or keep it in a file of the code base")


def environment_name(value: str) -> str:
    """Check the name of an environment variable that is not one of ours."""
    if value in RESERVED_ENVIRONMENT:
        raise refused("is set by Colonnade itself", "choose another name; see the reference of the stack file")
    if matches(ENVIRONMENT_PATTERN, value):
        return value
    repaired = re.sub(r"[^A-Z0-9_]+", "_", value.upper())
    usable = matches(ENVIRONMENT_PATTERN, repaired) and repaired not in RESERVED_ENVIRONMENT
    do = f"did you mean `{repaired}`?" if usable else "write a name such as `GREETING`"
    raise refused("is no name for a variable (capital letters, digits and _, no digit first)", do)


def schema_name(value: str) -> str:
    """Check the name of a MySQL schema that is not MySQL's own."""
    if value in SYSTEM_SCHEMAS:
        raise refused(f"is {shown(value)}, which is MySQL's own", f'did you mean "{value}_app"?')
    if matches(SCHEMA_PATTERN, value):
        return value
    repaired = re.sub(r"[^a-z0-9_]+", "_", value.lower()).lstrip("_0123456789")[:64]
    do = f'did you mean "{repaired}"?' if matches(SCHEMA_PATTERN, repaired) else 'write a name such as "shop"'
    raise refused(
        f"is {shown(value)}, which is no schema's name (small letters, digits and _, a letter first)",
        do,
    )


def package(value: str) -> str:
    """Check the name of a Debian package (Debian Policy, 5.6.1)."""
    if matches(PACKAGE_PATTERN, value):
        return value
    name = re.match(r"[a-z0-9][a-z0-9.+-]+(?=[=<>~/:]|$)", value.lower())
    do = f'did you mean "{name[0]}"?' if name else 'write a name such as "gunicorn"'
    raise refused(f"is {shown(value)}, which is no Debian package's name", do)


def user(value: str) -> str:
    """Check the name of a Linux user."""
    if matches(USER_PATTERN, value):
        return value
    raise refused(f"is {shown(value)}, which is no Linux user's name", 'write a name such as "root"')


def _one_line(value: str, do: str) -> str:
    """Refuse what could end a line, or a string, in a unit file, a shell or an environment file."""
    for character in value:
        if character != "\t" and unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            name = {"\n": "a line break", "\r": "a carriage return", "\0": "a NUL"}.get(character)
            raise refused(f"holds {name or f'the control character U+{ord(character):04X}'}", do)
    return value


def _printable(value: str, noun: str, do: str = "take the character out") -> str:
    if not value.strip():
        raise refused("is empty", f"write {noun}, or leave the key out if it is optional")
    return _one_line(value, do)
