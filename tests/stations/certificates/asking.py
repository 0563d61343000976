"""What a station makes to have a certificate: a key and a request (PKCS#10), right or wrong in one point."""

import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.utils import timezone

from stations.certificates import pki
from stations.certificates.pki import Issuer
from stations.certificates.requests import CHARGING_STATION, certificate_keep
from stations.models import CertificateRequest, InstalledRoot, Station, StationAuthority, StationCertificate

OPERATOR = "Harbour Charging"


def key_make() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def csr_pem(
    key: Any,
    common_name: str | None,
    organization: str | None = OPERATOR,
    *,
    extensions: tuple[x509.ExtensionType, ...] = (),
    algorithm: SHA256 | SHA512 | None = None,
    more: tuple[x509.NameAttribute[str], ...] = (),
) -> str:
    """A request as a station's firmware makes it."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization is not None else []
    parts += [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name is not None else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([*parts, *more]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, algorithm or SHA256()).public_bytes(Encoding.PEM).decode()


def key_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def certified(station: Station) -> StationCertificate:
    """The rows of an authority, with a key in software, that issued a certificate; and of a request that it refused."""
    now, key = timezone.now().replace(microsecond=0), key_make()
    root = pki.root_build(key=key, name=pki.name_of(organization=OPERATOR, common_name="CA 1"), now=now, days=30)
    signs = StationAuthority.objects.create(
        name="CA 1",
        key_name="stations-ca",
        status=StationAuthority.Status.CURRENT,
        certificate_pem=pki.pem(root),
        fingerprint=pki.fingerprint(root),
        valid_from=root.not_valid_before_utc,
        valid_to=root.not_valid_after_utc,
    )
    request = x509.load_pem_x509_csr(csr_pem(key_make(), station.identity).encode())
    made = pki.station_certificate_build(request=request, issuer=Issuer(root, key), now=now, days=20)
    CertificateRequest.objects.create(
        station=station, kind=CHARGING_STATION, csr_pem="none", state="REFUSED", reason="expected a PKCS#10 request"
    )
    InstalledRoot.objects.create(station=station, authority=signs)
    return certificate_keep(made, signs=signs, station=station)


def openssl(*words: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Another's opinion: what OpenSSL's own program says."""
    argv = ["openssl", *(str(word) for word in words)]
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
