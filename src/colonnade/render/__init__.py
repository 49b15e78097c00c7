"""Topology to files: everything that a machine should be, as values."""

from colonnade.render.database import secret_names
from colonnade.render.machine import certificate_requests, packages, render_machine, sources
from colonnade.render.model import (
    Account,
    App,
    Certificate,
    CertificateRequest,
    DatabaseRole,
    Desired,
    Directory,
    EtcdRole,
    File,
    Package,
    Program,
    Release,
    Unit,
    User,
    Wave,
    fingerprint,
)
from colonnade.render.platform import Platform, platform_of

__all__ = [
    "Account",
    "App",
    "Certificate",
    "CertificateRequest",
    "DatabaseRole",
    "Desired",
    "Directory",
    "EtcdRole",
    "File",
    "Package",
    "Platform",
    "Program",
    "Release",
    "Unit",
    "User",
    "Wave",
    "certificate_requests",
    "fingerprint",
    "packages",
    "platform_of",
    "render_machine",
    "secret_names",
    "sources",
]
