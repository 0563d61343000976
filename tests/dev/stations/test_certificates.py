"""A simulated station makes its key, asks for a certificate, takes the one for its key, and lists what is installed."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from dev.stations.charger import charger
from tests.dev.stations.csms import CREDENTIAL, Csms, Json, played

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a root")])


def certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
    """By the root for a key, which may be its own."""
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(issuer_name=NAME, subject_name=subject, public_key=key)
    made = made.serial_number(0x0ABC).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(KEY, hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(serialization.Encoding.PEM).decode()


ROOT = certificate(NAME, KEY.public_key())


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_certificate_is_asked_for_and_taken_for_the_key_alone(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            trigger = ("ExtendedTriggerMessage", "SignChargePointCertificate")
            action, wanted = trigger if version == "1.6" else ("TriggerMessage", "SignChargingStationCertificate")
            assert (await csms.tell(action, {"requestedMessage": wanted}))["status"] == "Accepted"
            await cp.quiet()
            request = x509.load_pem_x509_csr(csms.of("SignCertificate")[0]["csr"].encode())
            assert request.is_signature_valid
            names = [part.value for part in request.subject]
            assert names == ["CP-1", "EVPortal"]
            public = request.public_key()
            assert isinstance(public, ec.EllipticCurvePublicKey)
            strangers = certificate(request.subject, ec.generate_private_key(ec.SECP256R1()).public_key())
            assert (await csms.tell("CertificateSigned", {"certificateChain": pem(strangers)}))["status"] == "Rejected"
            assert cp.state.chain == ""
            own = pem(certificate(request.subject, public))
            assert (await csms.tell("CertificateSigned", {"certificateChain": own}))["status"] == "Accepted"
            assert cp.state.chain == own and cp.state.private_key and not cp.state.next_private_key
            await cp.quiet()
            kinds = [one["type"] for one in csms.of("SecurityEventNotification")]
            assert kinds == ["InvalidChargingStationCertificate"]

    played(story)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_roots_are_installed_listed_and_deleted(version: str) -> None:
    kind = "CentralSystemRootCertificate" if version == "1.6" else "CSMSRootCertificate"

    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version):
            asked = {"certificateType": kind if version == "1.6" else [kind]}
            assert (await csms.tell("GetInstalledCertificateIds", asked))["status"] == "NotFound"
            for text, word in ((pem(ROOT), "Accepted"), (pem(ROOT), "Accepted"), ("no certificate", "Rejected")):
                told = {"certificateType": kind, "certificate": text}
                assert (await csms.tell("InstallCertificate", told))["status"] == word
            listed = await csms.tell("GetInstalledCertificateIds", asked)
            (hashed,) = listed["certificateHashData"] if version == "1.6" else [_data(listed)]
            request = ocsp.OCSPRequestBuilder().add_certificate(ROOT, ROOT, hashes.SHA256()).build()
            assert hashed["issuerKeyHash"] == request.issuer_key_hash.hex(), "as OCSP hashes it"
            assert hashed["issuerNameHash"] == request.issuer_name_hash.hex() and hashed["serialNumber"] == "abc"
            for word in ("Accepted", "NotFound"):
                assert (await csms.tell("DeleteCertificate", {"certificateHashData": hashed}))["status"] == word

    played(story)


def _data(listed: Json) -> Json:
    (one,) = listed["certificateHashDataChain"]
    return dict(one["certificateHashData"])
