"""Is this a real TPM, and does its AK speak for it? The EK's chain, both keys' attributes, and the credential."""

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from dev.parts.tpm_service import TpmStack
from tests.tpm import tpm2_tools
from tests.tpm.verifier.certificates import OAEP, TLS_SERVER, Authority, authority, ek_certificate, for_oaep
from tests.tpm.verifier.forger import SIGNING, Forger, attest_head, ecc_public, failed, sized
from tpm.client import Key, TpmClient, TpmRefused
from tpm.verifier.certification import Certification, certification_nonce, eosio_public_key, verify_certification
from tpm.verifier.credential import CREDENTIAL_BYTES_MAX, id_object, make_credential
from tpm.verifier.endorsement import Identity, identity_checks, trusted_certificates
from tpm.verifier.errors import AttestationError, MalformedError, UnsupportedError
from tpm.verifier.fields import from_base64
from tpm.verifier.steps import Step, accepted, reason, take
from tpm.verifier.structures import ALG_AES, ALG_CFB, Attributes, Clock, Symmetric, parse_public

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = ["ek_certificate", "ek_use", "ek_public", "ek_attributes", "ak_attributes", "ak_name"]


def with_attributes(public: bytes, attributes: int) -> bytes:
    return public[:4] + struct.pack(">I", attributes) + public[8:]


@dataclass
class Maker:
    """A root, a CA below it, and the service's identity with a certificate that this maker gave its EK."""

    root: Authority
    ca: Authority
    identity: Identity

    @property
    def roots(self) -> str:
        return self.root.pem + self.ca.pem

    def certified(self, issuer: Authority | None = None, **other: Any) -> Identity:
        ek = parse_public(self.identity.ek_public).key
        return replace(self.identity, ek_certificate=ek_certificate(ek, issuer or self.ca, **other))


@pytest.fixture(scope="module")
def answer(tpm_client: TpmClient) -> dict[str, Any]:
    return tpm_client.identity()


@pytest.fixture(scope="module")
def maker(answer: dict[str, Any]) -> Maker:
    root = authority("TPM root")
    made = Maker(root, authority("TPM CA", root), Identity.parse(answer))
    return replace(made, identity=made.certified())


def judged(identity: Identity, roots: str) -> list[Step]:
    return take(identity_checks(identity, roots_pem=roots.encode(), now=NOW))


def test_the_identity_of_a_real_swtpm(tpm_stack: TpmStack, answer: dict[str, Any]) -> None:
    roots = tpm_stack.swtpm.ek_root.read_text() + tpm_stack.swtpm.ek_issuer.read_text()
    steps = take(identity_checks(Identity.parse(answer), roots_pem=roots.encode(), now=datetime.now(UTC)))
    assert [step.name for step in steps] == STEPS
    assert accepted(steps), reason(steps)


def test_the_issuer_alone_is_no_root(tpm_stack: TpmStack) -> None:
    with pytest.raises(MalformedError, match="at least one root"):
        trusted_certificates(tpm_stack.swtpm.ek_issuer.read_bytes())


def test_a_chain_is_followed_to_a_pinned_root(maker: Maker) -> None:
    assert accepted(judged(maker.identity, maker.roots))
    assert accepted(judged(maker.certified(maker.root), maker.root.pem))


@pytest.mark.parametrize(
    ("other", "step"),
    [
        ({"end": datetime(2025, 1, 1, tzinfo=UTC)}, "ek_certificate"),
        ({"start": datetime(2027, 1, 1, tzinfo=UTC)}, "ek_certificate"),
        ({"critical": ObjectIdentifier("1.2.3.4")}, "ek_certificate"),
        ({"usages": [TLS_SERVER]}, "ek_use"),
        ({"encrypts": False}, "ek_use"),
        ({"ca": True}, "ek_use"),
    ],
)
def test_certificates_that_are_no_good(maker: Maker, other: dict[str, Any], step: str) -> None:
    assert failed(judged(maker.certified(**other), maker.roots)) == [step]


def test_an_ek_of_another_ca(maker: Maker) -> None:
    """Its names are the same, its keys are not."""
    root = authority("TPM root")
    other = maker.certified(authority("TPM CA", root))
    steps = judged(other, maker.roots)
    assert failed(steps) == ["ek_certificate"]
    assert "no pinned certificate signed it" in reason(steps)


CHAINS: dict[str, Callable[[Authority], Authority]] = {
    "no CA": lambda root: authority("TPM CA", root, ca=False),
    "may not sign": lambda root: authority("TPM CA", root, usage=False),
    "expired": lambda root: authority("TPM CA", root, end=datetime(2025, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("kind", CHAINS)
def test_cas_that_may_not_sign(maker: Maker, kind: str) -> None:
    ca = CHAINS[kind](maker.root)
    assert failed(judged(maker.certified(ca), maker.root.pem + ca.pem)) == ["ek_certificate"]


def test_the_path_length_is_kept(maker: Maker) -> None:
    root = authority("short", path_length=0)
    ca = authority("below", root)
    steps = judged(maker.certified(ca), root.pem + ca.pem)
    assert failed(steps) == ["ek_certificate"]
    assert "path length" in reason(steps)
    assert accepted(judged(maker.certified(root), root.pem))


def test_a_chain_without_end(maker: Maker) -> None:
    last = maker.root
    pem = last.pem
    for number in range(8):
        last = authority(f"CA {number}", last)
        pem += last.pem
    assert "at most" in reason(judged(maker.certified(last), pem))


def test_the_certificate_of_another_ek(maker: Maker) -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    identity = replace(maker.identity, ek_certificate=ek_certificate(other, maker.ca))
    assert failed(judged(identity, maker.roots)) == ["ek_public"]


@pytest.mark.parametrize("algorithm", OAEP.values(), ids=OAEP)
def test_a_key_that_is_for_oaep_alone(maker: Maker, algorithm: str) -> None:
    """It is the same key, whatever it is said to be for; another one it does not become."""
    issuer, key = maker.ca, parse_public(maker.identity.ek_public).key
    good = for_oaep(ek_certificate(key, issuer), issuer, algorithm)
    assert accepted(judged(replace(maker.identity, ek_certificate=good), maker.roots))
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    bad = for_oaep(ek_certificate(other, issuer), issuer, algorithm)
    assert failed(judged(replace(maker.identity, ek_certificate=bad), maker.roots)) == ["ek_public"]


def test_what_is_there_and_not_understood_is_not_missing(maker: Maker) -> None:
    steps = judged(replace(maker.identity, ek_certificate=b"\x10\x01\x00\x00\x02ab"), maker.roots)
    assert failed(steps)[0] == "ek_certificate" and "not X.509 in DER" in reason(steps)


def test_a_tpm_without_a_certificate(maker: Maker) -> None:
    assert failed(judged(replace(maker.identity, ek_certificate=None), maker.roots))[0] == "ek_certificate"


@pytest.mark.parametrize(
    ("lost", "gained"),
    [
        *((flag, 0) for flag in Attributes if flag.name in {"FIXED_TPM", "FIXED_PARENT", "SENSITIVE_DATA_ORIGIN"}),
        (Attributes.RESTRICTED, 0),
        (Attributes.DECRYPT, 0),
        (0, Attributes.SIGN),
    ],
)
def test_an_ek_that_is_none(maker: Maker, lost: int, gained: int) -> None:
    attributes = parse_public(maker.identity.ek_public).attributes & ~lost | gained
    identity = replace(maker.identity, ek_public=with_attributes(maker.identity.ek_public, attributes))
    assert failed(judged(identity, maker.roots)) == ["ek_attributes"]


@pytest.mark.parametrize(
    ("lost", "gained"),
    [
        *((flag, 0) for flag in Attributes if flag.name in {"FIXED_TPM", "FIXED_PARENT", "SENSITIVE_DATA_ORIGIN"}),
        (Attributes.RESTRICTED, 0),  # it would sign whatever looks like a quote
        (Attributes.SIGN, 0),
        (0, Attributes.DECRYPT),
    ],
)
def test_an_ak_that_was_weakened(maker: Maker, lost: int, gained: int) -> None:
    ak = with_attributes(maker.identity.ak_public, parse_public(maker.identity.ak_public).attributes & ~lost | gained)
    identity = replace(maker.identity, ak_public=ak, ak_name=parse_public(ak).name)
    assert failed(judged(identity, maker.roots)) == ["ak_attributes"]


def test_an_ak_under_another_name(maker: Maker) -> None:
    name = maker.identity.ak_name[:-1] + bytes([maker.identity.ak_name[-1] ^ 1])
    assert failed(judged(replace(maker.identity, ak_name=name), maker.roots)) == ["ak_name"]


def test_a_certificate_whose_subject_is_no_name(maker: Maker) -> None:
    """The library reads it only when it is asked for it."""
    der = authority("NO NAME", maker.root).certificate.public_bytes(Encoding.DER).replace(b"NO NAME", b"\xff\xfe NAME")
    steps = judged(replace(maker.identity, ek_certificate=der), authority("TPM root").pem)
    assert failed(steps)[0] == "ek_certificate"
    assert "no pinned certificate signed it" in reason(steps)


def test_a_certificate_of_no_known_version(maker: Maker) -> None:
    """Bytes 0 and 2 are versions 1 and 3 (RFC 5280, section 4.1.2.1); for another the library has its own error."""
    der = (maker.identity.ek_certificate or b"").replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020101"), 1)
    assert failed(judged(replace(maker.identity, ek_certificate=der), maker.roots))[0] == "ek_certificate"


@given(data=st.binary(max_size=300), at=st.integers(0, 900))
def test_hostile_certificates_raise_nothing_else(maker: Maker, data: bytes, at: int) -> None:
    real = maker.identity.ek_certificate or b""
    for certificate in (data, real[:at] + data[:4] + real[at + len(data[:4]) :]):
        steps = judged(replace(maker.identity, ek_certificate=certificate), maker.roots)
        assert [step.name for step in steps] == STEPS


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)


@given(ek=JSON, ak=JSON)
def test_hostile_identities_raise_nothing_else(ek: Any, ak: Any) -> None:
    with pytest.raises(AttestationError):
        Identity.parse({"ek": ek, "ak": ak})


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"])
def test_roots_that_cannot_be_read(pem: bytes) -> None:
    with pytest.raises(MalformedError):
        trusted_certificates(pem)


# --- the credential


def test_the_tpm_opens_our_credential(answer: dict[str, Any], tpm_client: TpmClient) -> None:
    identity, credential = Identity.parse(answer), secrets.token_bytes(32)
    challenge = make_credential(parse_public(identity.ek_public), identity.ak_name, credential)
    assert tpm_client.activate(challenge.credential_blob, challenge.secret) == credential


def test_a_credential_for_another_ak_stays_closed(answer: dict[str, Any], tpm_client: TpmClient) -> None:
    """Who holds another AK than the one beside this EK cannot answer."""
    identity = Identity.parse(answer)
    other = parse_public(ecc_public(Forger().ak.public_key())).name
    challenge = make_credential(parse_public(identity.ek_public), other, secrets.token_bytes(32))
    with pytest.raises(TpmRefused):
        tpm_client.activate(challenge.credential_blob, challenge.secret)


def test_it_is_made_as_tpm2_makecredential_makes_it(tmp_path: Path) -> None:
    """With the same seed, byte for byte: the tool's seed is known because here the EK's private key is."""
    ek = rsa.generate_private_key(65537, 2048)
    pem = ek.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    ak_name, credential = b"\x00\x0b" + secrets.token_bytes(32), secrets.token_bytes(32)
    made = tpm2_tools.make_credential(tmp_path, ek_pem=pem, ak_name=ak_name, secret=credential)
    blob, secret = (from_base64(made[part], part) for part in ("credential_blob", "secret"))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0")
    seed = ek.decrypt(secret[2:], oaep)
    assert id_object(Symmetric(ALG_AES, 128, ALG_CFB), "sha256", seed, ak_name, credential) == blob


@pytest.mark.parametrize("size", [0, CREDENTIAL_BYTES_MAX + 1])
def test_credentials_have_a_size(answer: dict[str, Any], size: int) -> None:
    identity = Identity.parse(answer)
    with pytest.raises(MalformedError, match="1 to 32 bytes"):
        make_credential(parse_public(identity.ek_public), identity.ak_name, bytes(size))


def test_no_credential_for_a_key_that_signs() -> None:
    with pytest.raises(UnsupportedError):
        make_credential(parse_public(ecc_public(Forger().ak.public_key())), b"name", bytes(32))


# --- certified keys


@pytest.fixture(scope="module")
def key(tpm_client: TpmClient) -> Key:
    return tpm_client.key_create("verifier")


@pytest.fixture(scope="module")
def certification(tpm_client: TpmClient, key: Key) -> Certification:
    return Certification.parse(tpm_client.certify(key.name, certification_nonce(None)))


def certified(certification: Certification, answer: dict[str, Any], key: Key, **other: Any) -> list[Step]:
    known = {"ak_public": Identity.parse(answer).ak_public, "nonce": certification_nonce(None)}
    return verify_certification(certification, **{**known, "public_key_eosio": key.public_key_eosio, **other})


def test_a_key_that_was_made_in_the_tpm(certification: Certification, answer: dict[str, Any], key: Key) -> None:
    steps = certified(certification, answer, key)
    assert [step.name for step in steps] == ["format", "signature", "binding", "name", "attributes", "public_key"]
    assert accepted(steps), reason(steps)


def test_a_certification_by_another_ak(certification: Certification, answer: dict[str, Any], key: Key) -> None:
    other = ecc_public(Forger().ak.public_key())
    assert failed(certified(certification, answer, key, ak_public=other)) == ["signature"]


def test_a_certification_for_another_request(certification: Certification, answer: dict[str, Any], key: Key) -> None:
    assert failed(certified(certification, answer, key, nonce=bytes(32))) == ["binding"]


def test_a_certification_of_another_key(
    certification: Certification, answer: dict[str, Any], key: Key, tpm_client: TpmClient
) -> None:
    other = tpm_client.key_create("verifier-2")
    assert failed(certified(certification, answer, other)) == ["public_key"]
    public = Certification.parse(tpm_client.certify("verifier-2", bytes(32))).public
    mixed = replace(certification, public=public)
    assert failed(certified(mixed, answer, other)) == ["name"]


@pytest.mark.parametrize(
    "attributes",
    [
        *(SIGNING & ~(1 << bit) for bit in (1, 4, 5, 18)),
        SIGNING | Attributes.DECRYPT,
        SIGNING | Attributes.RESTRICTED,
    ],
)
def test_keys_that_may_leave_or_came_from_elsewhere(attributes: int) -> None:
    forger = Forger()
    public = ecc_public(forger.release_key.public_key(), attributes=attributes)
    name = parse_public(public).name
    statement = attest_head(0x8017, bytes(32), Clock(1, 1, 1, True)) + sized(name) + sized(name)
    made = Certification(public, statement, forger.sign(statement))
    ak, eosio = ecc_public(forger.ak.public_key()), eosio_public_key(parse_public(public))
    steps = verify_certification(made, ak_public=ak, nonce=bytes(32), public_key_eosio=eosio)
    assert failed(steps) == ["attributes"]


@given(public=st.binary(max_size=120), attest=st.binary(max_size=120), signature=st.binary(max_size=80))
def test_hostile_certifications_raise_nothing_else(public: bytes, attest: bytes, signature: bytes) -> None:
    forger = Forger()
    ak = ecc_public(forger.ak.public_key())
    for signed in (signature, forger.sign(attest)):
        made = Certification(public, attest, signed)
        assert not accepted(verify_certification(made, ak_public=ak, nonce=bytes(32), public_key_eosio="PUB_R1_x"))
