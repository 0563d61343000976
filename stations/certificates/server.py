"""The gateway's own certificate from the station authority, so that a small operator needs no other one.

Its key is made here and written to a file for the gateway (EVPORTAL_OCPP_TLS_KEY): a TLS server uses it with each
handshake, which a TPM is too slow for. Stations know it by the root that they were given (InstallCertificate).
"""

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.utils import timezone

from stations.certificates import authority, pki
from stations.certificates.errors import CertificatesError
from stations.certificates.requests import certificate_keep
from stations.models import StationCertificate

HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
HOST_MAX = 64  # it stands in the CN


class HostNameError(CertificatesError):
    """Expected a host name or an IP address."""


@dataclass(frozen=True)
class ServerFiles:
    row: StationCertificate
    certificate: Path
    key: Path


def server_certificate_make(*, hosts: Sequence[str], directory: Path) -> ServerFiles:
    """Issue a certificate for these names and write it with its new key (0600) into the directory.

    What lay there under the same names is replaced, the key first: a gateway that runs takes both up within a
    minute. Raises HostNameError, OSError, AuthorityUnavailableError.
    """
    for host in hosts:
        host_check(host)
    signs = authority.authority_signing()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.server_certificate_build(
        public_key=key.public_key(),
        organization=authority.organization(),
        hosts=list(hosts),
        issuer=authority.issuer_of(signs),
        now=timezone.now().replace(microsecond=0),
        days=settings.OCPP_CERTIFICATE_DAYS,
    )
    row = certificate_keep(certificate, signs=signs, station=None)
    name = re.sub(r"[^A-Za-z0-9.-]", "_", hosts[0])
    files = ServerFiles(row, directory / f"{name}.cert.pem", directory / f"{name}.key.pem")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(files.key, secret, mode=0o600)
    _write(files.certificate, row.certificate_pem.encode(), mode=0o644)
    return files


def host_check(host: str) -> None:
    """Raises HostNameError for what is neither a host name (A00.FR.509: a full one) nor an IP address."""
    try:
        ip_address(host)
    except ValueError:
        if len(host) > HOST_MAX or not HOST.fullmatch(host):
            words = f"expected a host name of at most {HOST_MAX} characters or an IP address, got {host!r:.80}"
            raise HostNameError(words) from None


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """A whole file or the old one: never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as file:  # 0600
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(mode)
    Path(file.name).replace(path)
