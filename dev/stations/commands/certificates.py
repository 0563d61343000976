"""Keys and certificates of a station: made, asked to be signed, taken, installed and listed, in all versions."""

import hashlib
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.commands.shared import security_event
from dev.stations.device.state import Json
from dev.stations.device.wire import Offline, Refused

if TYPE_CHECKING:
    from dev.stations.station import Station

V16, V2 = Registry(), Registry()
OURS = "ChargingStationCertificate"
PEM = serialization.Encoding.PEM


def ask_to_sign(station: "Station", kind: str = OURS) -> None:
    """Make a new key, and ask for its certificate when the command was answered."""

    async def ask() -> None:
        payload: Json = {"csr": signing_request(station)}
        if station.told.version != "1.6":
            payload["certificateType"] = kind
        try:
            answer = await station.call("SignCertificate", payload)
        except (Offline, Refused, TimeoutError) as error:
            station.note(f"SignCertificate: {error!r}")
            return
        if answer["status"] != "Accepted":
            station.state.next_private_key = ""
            station.state.keep()

    station.later(ask)


def signing_request(station: "Station") -> str:
    """A PKCS #10 request in PEM for a new P-256 key, which is kept until a certificate comes for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    station.state.next_private_key = key.private_bytes(PEM, *plain).decode()
    station.state.keep()
    organization = station.settings.text("organization")
    name = [x509.NameAttribute(NameOID.COMMON_NAME, station.told.identity)]
    name.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name)).sign(key, hashes.SHA256())
    return request.public_bytes(PEM).decode()


@V16("CertificateSigned")
@V2("CertificateSigned")
def _signed(station: "Station", said: Json) -> Json:
    """Taken only for the key that was asked for; used from the next connection on."""
    state = station.state
    try:
        own = x509.load_pem_x509_certificates(said["certificateChain"].encode())[0]
        key = serialization.load_pem_private_key(state.next_private_key.encode(), None)
    except ValueError:
        security_event(station, "InvalidChargingStationCertificate")
        return status("Rejected")
    if own.public_key() != key.public_key():
        security_event(station, "InvalidChargingStationCertificate")
        return status("Rejected")
    state.private_key, state.next_private_key, state.chain = state.next_private_key, "", said["certificateChain"]
    return accepted()


@V16("InstallCertificate")
@V2("InstallCertificate")
def _install(station: "Station", said: Json) -> Json:
    try:
        wanted = hash_data(_read(said["certificate"]))
    except ValueError:
        return status("Rejected")
    kept = [one for one in station.state.certificates if hash_data(_read(one["pem"])) != wanted]
    station.state.certificates = [*kept, {"type": said["certificateType"], "pem": said["certificate"]}]
    return accepted()


@V16("GetInstalledCertificateIds")
def _list_16(station: "Station", said: Json) -> Json:
    kinds = [said["certificateType"]]
    found = [hash_data(_read(one["pem"])) for one in station.state.certificates if one["type"] in kinds]
    return {**accepted(), "certificateHashData": found} if found else status("NotFound")


@V2("GetInstalledCertificateIds")
def _list_2(station: "Station", said: Json) -> Json:
    kinds = said.get("certificateType")
    found = [
        {"certificateType": one["type"], "certificateHashData": hash_data(_read(one["pem"]))}
        for one in station.state.certificates
        if kinds is None or one["type"] in kinds
    ]
    return {**accepted(), "certificateHashDataChain": found} if found else status("NotFound")


@V16("DeleteCertificate")
@V2("DeleteCertificate")
def _delete(station: "Station", said: Json) -> Json:
    wanted = _comparable(said["certificateHashData"])
    kept = [one for one in station.state.certificates if _comparable(hash_data(_read(one["pem"]))) != wanted]
    found = len(kept) < len(station.state.certificates)
    station.state.certificates = kept
    return accepted(when=found, otherwise="NotFound")


def hash_data(certificate: x509.Certificate) -> Json:
    """How OCPP names a root: by hashes of its issuer's name and key, its own ones, and its serial number."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):  # what stands in the certificate's bit string, as in OCSP
        bits = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    elif isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    else:
        raise ValueError("expected a certificate of an EC or RSA key")
    name = hashlib.sha256(certificate.issuer.public_bytes()).hexdigest()
    said = {"hashAlgorithm": "SHA256", "issuerNameHash": name, "issuerKeyHash": hashlib.sha256(bits).hexdigest()}
    return said | {"serialNumber": f"{certificate.serial_number:x}"}


def _comparable(said: Json) -> tuple[str, str, str, str]:
    hashed = (said["hashAlgorithm"], said["issuerNameHash"].lower(), said["issuerKeyHash"].lower())
    return (*hashed, said["serialNumber"].lower().lstrip("0"))  # some write it with leading zeros


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())
