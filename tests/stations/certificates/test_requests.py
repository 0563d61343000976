"""Which certificate requests are signed, and what is said of the others; without a TPM."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from stations.certificates import pki, requests
from stations.certificates.csr import PEM_MAX, Expected, csr_judge
from stations.certificates.errors import RequestRefusedError
from stations.models import CertificateRequest, Station
from tests.stations.certificates.asking import OPERATOR, csr_pem, key_make

EXPECTED = Expected(["CP-HARBOUR-7", "SN 0815"], OPERATOR)
State = CertificateRequest.State
RSA_2048 = rsa.generate_private_key(65_537, 2048)


def refusal(text: str, expected: Expected = EXPECTED) -> str:
    with pytest.raises(RequestRefusedError) as error:
        csr_judge(text, expected=expected)
    return str(error.value)


@pytest.mark.parametrize(
    "key", [RSA_2048, *(ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))]
)
def test_keys_that_are_signed(key: object) -> None:
    assert csr_judge(csr_pem(key, "CP-HARBOUR-7"), expected=EXPECTED).is_signature_valid
    assert csr_judge(csr_pem(key, "SN 0815", algorithm=SHA512()), expected=EXPECTED)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65_537, 1024), "expected an RSA key of 2048 to 8192 bits, got 1024"),  # noqa: S505
        (rsa.generate_private_key(3, 2048), "expected an RSA exponent of at least 65537, got 3"),
        (ec.generate_private_key(ec.SECP256K1()), "got secp256k1"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "got brainpoolP256r1"),
        (ec.generate_private_key(ec.SECP224R1()), "got secp224r1"),
    ],
)
def test_keys_that_are_not(key: object, words: str) -> None:
    assert words in refusal(csr_pem(key, "CP-HARBOUR-7"))


def test_keys_of_other_kinds() -> None:
    ed = ed25519.Ed25519PrivateKey.generate()
    name = pki.name_of(organization=OPERATOR, common_name="CP-HARBOUR-7")
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    assert "got none" in refusal(builder.sign(ed, None).public_bytes(Encoding.PEM).decode())
    assert "RSA or ECDSA" in refusal(csr_pem(dsa.generate_private_key(2048), "CP-HARBOUR-7"))


@pytest.mark.parametrize(
    ("name", "organization", "words"),
    [
        ("CP-HARBOUR-8", OPERATOR, "expected the CN CP-HARBOUR-7 or SN 0815, got CP-HARBOUR-8"),
        (None, OPERATOR, "expected one CN"),
        ("CP-HARBOUR-7", "Somebody", "expected the organization (O) Harbour Charging, got Somebody"),
        ("CP-HARBOUR-7", None, "expected one O"),
        ("CP-HARBOUR-7\n", OPERATOR, "printable"),
    ],
)
def test_names_that_are_not_its_own(name: str | None, organization: str | None, words: str) -> None:
    assert words in refusal(csr_pem(RSA_2048, name, organization))


def test_names_in_other_letters_and_without_an_operator() -> None:
    """Identities are compared as OCPP does; who set no name takes any organization."""
    assert csr_judge(csr_pem(RSA_2048, "cp-harbour-7"), expected=EXPECTED)
    assert csr_judge(csr_pem(RSA_2048, "CP-HARBOUR-7", None), expected=Expected(["CP-HARBOUR-7"]))


def test_two_names_are_none() -> None:
    more = (x509.NameAttribute(NameOID.COMMON_NAME, "CP-HARBOUR-8"),)
    assert "got 2" in refusal(csr_pem(RSA_2048, "CP-HARBOUR-7", more=more))


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (x509.BasicConstraints(ca=True, path_length=None), "an authority's (CA)"),
        (
            x509.KeyUsage(False, False, False, False, False, True, False, False, False),
            "expected the usage digitalSignature",
        ),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), "expected the extended usage clientAuth"),
    ],
)
def test_it_asks_for_more_than_a_station_needs(extension: x509.ExtensionType, words: str) -> None:
    assert words in refusal(csr_pem(RSA_2048, "CP-HARBOUR-7", extensions=(extension,)))


def test_what_a_station_may_ask_for() -> None:
    asked = (
        x509.BasicConstraints(ca=False, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectAlternativeName([x509.DNSName("cp-harbour-7")]),
    )
    assert csr_judge(csr_pem(RSA_2048, "CP-HARBOUR-7", extensions=asked), expected=EXPECTED)


def test_a_signature_of_another_key() -> None:
    """One byte of the signature, the last in the DER, is another."""
    der = bytearray(x509.load_pem_x509_csr(csr_pem(RSA_2048, "CP-HARBOUR-7").encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    altered = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    assert "signature of the key" in refusal(altered)


def test_what_is_too_long() -> None:
    assert str(PEM_MAX) in refusal(csr_pem(RSA_2048, "CP-HARBOUR-7") + " " * PEM_MAX)


DER = x509.load_pem_x509_csr(csr_pem(key_make(), "CP-HARBOUR-7").encode()).public_bytes(Encoding.DER)


@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
@example(8, 1)  # the version
def test_any_byte_that_is_altered(place: int, by: int) -> None:
    """Whatever byte of a request is another, it is refused in words, or asks for the very same: never anything else.

    The same it is where the byte says how many bits at the signature's end are not used.
    """
    altered = bytearray(DER)
    altered[place] ^= by
    try:
        found = csr_judge(pem_of(bytes(altered)), expected=EXPECTED)
    except RequestRefusedError as error:
        assert str(error)
    else:
        assert found.tbs_certrequest_bytes == x509.load_der_x509_csr(DER).tbs_certrequest_bytes


@given(st.text(max_size=200), st.binary(max_size=300))
def test_what_is_no_request(text: str, data: bytes) -> None:
    assert refusal(text) and refusal(pem_of(data))


def pem_of(der: bytes) -> str:
    body = base64.b64encode(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n"


@given(st.integers(1, 2**159))
def test_serial_numbers_are_numbers(number: int) -> None:
    """Whatever tool wrote it: with colons, capitals, a leading zero."""
    text = pki.serial_text(number)
    padded = text.zfill(len(text) + len(text) % 2).upper()
    colons = ":".join(padded[at : at + 2] for at in range(0, len(padded), 2))
    assert pki.serial_number(text) == pki.serial_number(padded) == pki.serial_number(colons) == number
    assert len(text) <= 40 and not text.startswith("0")


# --- what becomes of a request


@pytest.fixture
def named(settings: Settings) -> None:
    settings.OCPP_ORGANIZATION = OPERATOR


def test_the_same_request_waits_once(station: Station, named: None) -> None:
    """A station repeats itself; a new request takes the place of the old one."""
    first, second = (csr_pem(key_make(), station.identity) for _ in range(2))
    assert requests.certificate_requested(station, first) and requests.certificate_requested(station, first, "")
    assert CertificateRequest.objects.get().count == 2
    assert requests.certificate_requested(station, second)
    assert [*CertificateRequest.objects.order_by("pk").values_list("state", flat=True)] == [
        State.REPLACED,
        State.WAITING,
    ]
    assert requests.requests_waiting() == [CertificateRequest.objects.get(csr_pem=second).pk]


def test_refusals_are_counted_and_open_again(station: Station, named: None) -> None:
    """One row for each reason, which an operator settles; said again it is open again."""
    wrong = csr_pem(key_make(), "CP-OTHER")
    assert not requests.certificate_requested(station, wrong) and not requests.certificate_requested(station, wrong)
    row = CertificateRequest.objects.get()
    assert (row.state, row.count) == (State.REFUSED, 2) and "got CP-OTHER" in row.reason
    requests.request_settle(row=row, by=None)
    row.refresh_from_db()
    assert row.settled_at is not None
    assert not requests.certificate_requested(station, wrong)
    row.refresh_from_db()
    assert row.settled_at is None and row.count == 3
    assert not requests.certificate_requested(station, "nonsense" * 5000, "V2GCertificate")
    assert CertificateRequest.objects.count() == 2


def test_certificates_for_the_car_are_not_ours(station: Station, named: None) -> None:
    assert not requests.certificate_requested(station, csr_pem(key_make(), station.identity), "V2GCertificate")
    assert "V2GCertificate" in CertificateRequest.objects.get().reason


def test_the_serial_number_is_a_name_but_not_another_stations(station: Station, named: None) -> None:
    """It is what the station says of itself: with another's identity in it, it gets no certificate for that name."""
    Station.objects.create(site=station.site, identity="CP-HARBOUR-8")
    station.serial_number = "SN-0815"
    assert requests.certificate_requested(station, csr_pem(key_make(), "sn-0815"))
    station.serial_number = "cp-harbour-8"
    assert not requests.certificate_requested(station, csr_pem(key_make(), "CP-HARBOUR-8"))
