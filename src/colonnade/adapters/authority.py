"""The stack's own certificate authority: made once, kept in the private directory, its key nowhere else.

Certificates are kept too, and only issued anew when they have to be: so every plan renders the same
files until one of them is worn, and then the plan says so.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from colonnade.errors import ColonnadeError
from colonnade.render import Certificate, CertificateRequest
from colonnade.secret import Secret

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
RENEWED_BELOW = 1 / 3
"""Share of a certificate's life; with less than that left it is issued anew."""
BACKDATED = timedelta(hours=1)
"""Certificates are valid from a little earlier, for machines whose clock is behind."""

KEY, CERTIFICATE, KEPT = "ca.key", "ca.crt", "certificates.json"


class PrivateFiles(Protocol):
    """Files that nobody else reads."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes out meanwhile."""
        ...

    def read(self, name: str) -> str | None:
        """Return a file's text; None if there is none."""
        ...

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all."""
        ...


class Authority:
    """Issues what machines show each other; ``now`` is the moment that validity is judged at."""

    def __init__(self, files: PrivateFiles, stack: str, now: datetime) -> None:
        self._files = files
        self._stack = stack
        self._now = now

    def issue(self, requests: Iterable[CertificateRequest]) -> dict[str, Certificate]:
        """Return a certificate for each request, by its name: the one that is kept, or a new one.

        Raises:
            ColonnadeError: the authority's files cannot be read; they are never replaced, since the machines trust it.

        """
        with self._files.locked():
            certificate, key = self._authority()
            kept = self._kept()
            wanted = list(requests)
            fresh = {
                r.name: _new(r, certificate, key, self._now) for r in wanted if not self._good(r, kept, certificate)
            }
            if fresh:
                kept |= fresh
                self._files.write(KEPT, json.dumps(kept, indent=1, sort_keys=True) + "\n")
        authority = _pem(certificate)
        return {
            r.name: Certificate(kept[r.name]["certificate"], Secret(kept[r.name]["key"]), authority) for r in wanted
        }

    def _authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        stored_key, stored = self._files.read(KEY), self._files.read(CERTIFICATE)
        if stored_key is None and stored is None:
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _self_signed(self._stack, key, self._now)
            self._files.write(KEY, _private_pem(key))
            self._files.write(CERTIFICATE, _pem(certificate))
            return certificate, key
        lost = ColonnadeError(
            f"{KEY} and {CERTIFICATE} of the stack's own authority cannot be used together",
            do="Restore both from a copy of the stack's private directory: the machines trust no other.",
        )
        if stored_key is None:
            raise lost
        try:
            loaded = serialization.load_pem_private_key(stored_key.encode(), None)
        except (ValueError, TypeError) as error:
            raise lost from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise lost
        if stored is None:  # killed between the two files: nobody has seen the certificate yet
            certificate = _self_signed(self._stack, loaded, self._now)
            self._files.write(CERTIFICATE, _pem(certificate))
            return certificate, loaded
        try:
            certificate = x509.load_pem_x509_certificate(stored.encode())
        except ValueError as error:
            raise lost from error
        if certificate.public_key() != loaded.public_key():
            raise lost
        return certificate, loaded

    def _kept(self) -> dict[str, dict[str, str]]:
        """Return the certificates issued so far; if they cannot be read, all are issued anew."""
        try:
            kept: dict[str, dict[str, str]] = json.loads(self._files.read(KEPT) or "{}")
        except ValueError:
            return {}
        return kept

    def _good(self, request: CertificateRequest, kept: Mapping[str, Mapping[str, str]], by: x509.Certificate) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(kept[request.name]["certificate"].encode())
            key = serialization.load_pem_private_key(kept[request.name]["key"].encode(), None)
            certificate.verify_directly_issued_by(by)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (KeyError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return (
            certificate.public_key() == key.public_key()
            and names == _names(request)
            and usage == _usage(request)
            and certificate.subject == _subject(request, by)
            and end - self._now >= (end - begin) * RENEWED_BELOW
        )


def _self_signed(stack: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Colonnade stack {stack}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{stack} authority"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _new(
    request: CertificateRequest, by: x509.Certificate, authority: ec.EllipticCurvePrivateKey, now: datetime
) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_subject(request, by), by.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(request), critical=False)
        .add_extension(_names(request), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )
    return {"certificate": _pem(certificate), "key": _private_pem(key)}


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    begin = now.astimezone(UTC) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _subject(request: CertificateRequest, by: x509.Certificate) -> x509.Name:
    organization = by.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0]
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, request.common_name)])


def _names(request: CertificateRequest) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for host in request.hosts:
        try:
            names.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def _usage(request: CertificateRequest) -> x509.ExtendedKeyUsage:
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return x509.ExtendedKeyUsage(both if request.server else both[1:])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
