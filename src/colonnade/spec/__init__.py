"""What the user wrote: the text of a ``colonnade.toml``, read strictly into a ``Stack``.

Pure: a text comes in, values or one ``SpecError`` come out. Reading the file, and asking whether a
directory is there, is the caller's part.
"""

from colonnade.spec.model import (
    App,
    Balancer,
    Database,
    Durability,
    ImageKind,
    Lab,
    PackageSource,
    Server,
    Ssh,
    Stack,
    Witness,
)
from colonnade.spec.parse import parse
from colonnade.spec.reference import reference
from colonnade.spec.schema import schema
from colonnade.spec.sizes import Size
from colonnade.spec.starter import starter
from colonnade.spec.syntax import decode

__all__ = [
    "App",
    "Balancer",
    "Database",
    "Durability",
    "ImageKind",
    "Lab",
    "PackageSource",
    "Server",
    "Size",
    "Ssh",
    "Stack",
    "Witness",
    "decode",
    "parse",
    "reference",
    "schema",
    "starter",
]
