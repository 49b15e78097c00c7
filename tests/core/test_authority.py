"""The stack's own authority: who it vouches for, when it issues anew, and what it never does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from colonnade.adapters.authority import CERTIFICATE, KEPT, KEY, LEAF_DAYS, Authority
from colonnade.adapters.private import PrivateDirectory
from colonnade.errors import ColonnadeError
from colonnade.render import Certificate, CertificateRequest

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
MEMBER = CertificateRequest("etcd-member-lb1", "etcd-member", ("lb1", "198.18.0.2", "localhost", "::1"), server=True)
AGENT = CertificateRequest("etcd-client-lb1", "lb1", ("lb1", "198.18.0.2"), server=False)


@dataclass
class Files:
    """Private files in memory; ``stop_after`` is how many writes succeed before the process is killed."""

    texts: dict[str, str] = field(default_factory=dict)
    stop_after: int = 99

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def read(self, name: str) -> str | None:
        return self.texts.get(name)

    def write(self, name: str, text: str) -> None:
        if self.stop_after == 0:
            raise KeyboardInterrupt
        self.stop_after -= 1
        self.texts[name] = text


def issue(files: Files, *requests: CertificateRequest, now: datetime = NOW) -> dict[str, Certificate]:
    return Authority(files, "foobar", now).issue(requests)


def loaded(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.text.encode())


def trusting(certificate: Certificate, now: datetime) -> verification.PolicyBuilder:
    store = verification.Store([x509.load_pem_x509_certificate(certificate.authority.encode())])
    return verification.PolicyBuilder().store(store).time(now)


def test_a_member_is_trusted_under_each_of_its_names_and_no_other() -> None:
    made = issue(Files(), MEMBER)[MEMBER.name]
    policy = trusting(made, NOW)
    for host in ("lb1", "localhost"):
        policy.build_server_verifier(x509.DNSName(host)).verify(loaded(made), [])
    with pytest.raises(verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("web1")).verify(loaded(made), [])
    policy.build_client_verifier().verify(loaded(made), [])  # members are each other's clients


def test_an_agent_may_ask_and_never_answer() -> None:
    made = issue(Files(), AGENT)[AGENT.name]
    trusting(made, NOW).build_client_verifier().verify(loaded(made), [])
    with pytest.raises(verification.VerificationError):
        trusting(made, NOW).build_server_verifier(x509.DNSName("lb1")).verify(loaded(made), [])


def test_keys_are_p256_and_each_certificate_has_its_own() -> None:
    files = Files()
    made = issue(files, MEMBER, AGENT)
    keys = [loaded(certificate).public_key() for certificate in made.values()]
    assert all(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" for key in keys)
    assert keys[0] != keys[1]
    assert files.texts[KEY] not in {certificate.key.reveal() for certificate in made.values()}


def test_what_is_good_is_kept_so_that_a_plan_stays_empty() -> None:
    files = Files()
    first = issue(files, MEMBER, AGENT)
    before = dict(files.texts)
    assert issue(files, MEMBER, AGENT, now=NOW + timedelta(days=LEAF_DAYS * 0.6)) == first
    assert files.texts == before


def test_with_less_than_a_third_of_its_life_left_it_is_issued_anew() -> None:
    files = Files()
    first = issue(files, MEMBER)[MEMBER.name]
    worn = NOW + timedelta(days=LEAF_DAYS * 0.7)
    second = issue(files, MEMBER, now=worn)[MEMBER.name]
    assert second.text != first.text
    assert second.authority == first.authority
    assert loaded(second).not_valid_after_utc > worn + timedelta(days=LEAF_DAYS - 1)
    trusting(second, worn).build_server_verifier(x509.DNSName("lb1")).verify(loaded(second), [])


@pytest.mark.parametrize(
    "changed",
    [
        replace(MEMBER, hosts=("lb1", "198.18.0.9", "localhost", "::1")),
        replace(MEMBER, common_name="other"),
        replace(MEMBER, server=False),
    ],
)
def test_another_address_name_or_purpose_is_another_certificate(changed: CertificateRequest) -> None:
    files = Files()
    first = issue(files, MEMBER, AGENT)
    second = issue(files, changed, AGENT)
    assert second[MEMBER.name].text != first[MEMBER.name].text
    assert second[AGENT.name] == first[AGENT.name]


def test_the_authority_is_made_once_and_lives_ten_years() -> None:
    files = Files()
    made = issue(files, MEMBER)[MEMBER.name]
    authority = x509.load_pem_x509_certificate(files.texts[CERTIFICATE].encode())
    assert authority.not_valid_after_utc - NOW > timedelta(days=3649)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.authority == files.texts[CERTIFICATE]
    assert issue(files, AGENT)[AGENT.name].authority == made.authority


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_between_two_files_it_goes_on_with_what_is_there(writes: int) -> None:
    files = Files(stop_after=writes)
    with pytest.raises(KeyboardInterrupt):
        issue(files, MEMBER)
    key = files.texts.get(KEY)
    files.stop_after = 99
    made = issue(files, MEMBER)[MEMBER.name]
    assert key in {None, files.texts[KEY]}
    trusting(made, NOW).build_server_verifier(x509.DNSName("lb1")).verify(loaded(made), [])


@pytest.mark.parametrize("damage", ["no key", "another key", "garbage key", "garbage certificate"])
def test_a_damaged_authority_is_refused_and_never_replaced(damage: str) -> None:
    files, other = Files(), Files()
    issue(files, MEMBER)
    issue(other, MEMBER)
    match damage:
        case "no key":
            del files.texts[KEY]
        case "another key":
            files.texts[KEY] = other.texts[KEY]
        case "garbage key":
            files.texts[KEY] = "x"
        case _:
            files.texts[CERTIFICATE] = "x"
    before = dict(files.texts)
    with pytest.raises(ColonnadeError, match="authority"):
        issue(files, MEMBER)
    assert files.texts == before


@pytest.mark.parametrize(
    "text", ["", "{}", "[", '{"etcd-member-lb1": {}}', '{"etcd-member-lb1": {"certificate": "x"}}']
)
def test_lost_certificates_are_issued_anew(text: str) -> None:
    files = Files()
    issue(files, MEMBER)
    files.texts[KEPT] = text
    made = issue(files, MEMBER)[MEMBER.name]
    trusting(made, NOW).build_server_verifier(x509.DNSName("lb1")).verify(loaded(made), [])


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    private = PrivateDirectory(tmp_path, "foobar")
    made = Authority(private, "foobar", NOW).issue([MEMBER])[MEMBER.name]
    assert {(private.path / name).stat().st_mode & 0o777 for name in (KEY, KEPT)} == {0o600}
    assert private.authority.read_text() == made.authority
    assert "PRIVATE" not in repr(made)
