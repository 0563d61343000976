"""A station asks for a certificate (OCPP SignCertificate): judged at once, signed by a worker, sent as a command.

The answer to the station waits for no TPM. What is refused stands in a row that an operator sees.
"""

import logging
from datetime import timedelta

from cryptography import x509
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from common.announce import announce
from stations.certificates import authority, pki
from stations.certificates.csr import Expected, csr_judge
from stations.certificates.errors import RequestRefusedError
from stations.models import CertificateRequest, Station, StationAuthority, StationCertificate

log = logging.getLogger(__name__)
State = CertificateRequest.State
CHARGING_STATION = "ChargingStationCertificate"
SIGN = "stations.tasks.certificate_sign"
# A station that asks in a circle gets no more than so many certificates in a day.
A_DAY = 10
KEPT_PEM = 5500


def certificate_requested(
    station: Station, csr_pem: str, kind: str = CHARGING_STATION, *, request_id: int | None = None
) -> bool:
    """Whether the request is taken; then a worker signs it and the station is told by CertificateSigned.

    `kind` as OCPP 2.x has it ("" and 1.6: the certificate for the connection to us), `request_id` of OCPP 2.1. The same
    request again, while it waits, is the same one.
    """
    kind, csr_pem = kind or CHARGING_STATION, csr_pem.replace("\0", " ")  # which PostgreSQL's texts do not have
    try:
        judge(station, csr_pem, kind)
    except RequestRefusedError as error:
        _refuse(station, csr_pem, kind, str(error))
        return False
    row = _waiting(station, csr_pem, kind, request_id)
    transaction.on_commit(lambda: announce(SIGN, row.pk))
    return True


def judge(station: Station, csr_pem: str, kind: str) -> x509.CertificateSigningRequest:
    """The request, if the authority signs it for this station; raises RequestRefusedError."""
    if kind != CHARGING_STATION:
        raise RequestRefusedError(f"expected a request for a {CHARGING_STATION}, got one for a {kind:.40}")
    request = csr_judge(csr_pem, expected=Expected(names_of(station), authority.organization()))
    since = timezone.now() - timedelta(days=1)
    if StationCertificate.objects.filter(station=station, issued_at__gt=since).count() >= A_DAY:
        raise RequestRefusedError(f"expected at most {A_DAY} requests a day")
    return request


def names_of(station: Station) -> list[str]:
    """What the station may be called in its certificate (A00.FR.510): its identity, and its serial number.

    The number is the station's own word: it never is another station's identity.
    """
    number = station.serial_number
    others = Station.objects.identified(number).exclude(pk=station.pk) if number else None
    return [station.identity] if others is None or others.exists() else [station.identity, number]


def _refuse(station: Station, csr_pem: str, kind: str, reason: str) -> None:
    """Counted, one row a station and reason; one that an operator had settled is open again."""
    row, made = CertificateRequest.objects.get_or_create(
        station=station,
        state=State.REFUSED,
        reason=reason[:500],
        defaults={"csr_pem": csr_pem[:KEPT_PEM], "kind": kind[:40]},
    )
    if not made:
        again = {"count": F("count") + 1, "last_at": timezone.now(), "settled_at": None, "settled_by": None}
        CertificateRequest.objects.filter(pk=row.pk).update(csr_pem=csr_pem[:KEPT_PEM], **again)


def _waiting(station: Station, csr_pem: str, kind: str, request_id: int | None) -> CertificateRequest:
    rows = CertificateRequest.objects.filter(station=station, state=State.WAITING)
    same = rows.filter(csr_pem=csr_pem, kind=kind, request_id=request_id)
    if found := same.first():
        same.update(count=F("count") + 1, last_at=timezone.now())
        return found
    rows.update(state=State.REPLACED)
    return CertificateRequest.objects.create(station=station, csr_pem=csr_pem, kind=kind, request_id=request_id)


def request_settle(*, row: CertificateRequest, by: User | None) -> None:
    """An operator has seen to it."""
    CertificateRequest.objects.filter(pk=row.pk, settled_at=None).update(settled_at=timezone.now(), settled_by=by)


# --- by the worker


def request_sign(*, request_id: int) -> StationCertificate | None:
    """Sign a request that waits; None where it does no more, or cannot be signed any more.

    Raises AuthorityUnavailableError: it goes on waiting.
    """
    row = CertificateRequest.objects.select_related("station").filter(pk=request_id, state=State.WAITING).first()
    if row is None:
        return None
    signs = authority.authority_signing()
    try:
        request = judge(row.station, row.csr_pem, row.kind)  # once more: what is expected may be another meanwhile
    except RequestRefusedError as error:
        CertificateRequest.objects.filter(pk=row.pk, state=State.WAITING).update(
            state=State.REFUSED, reason=str(error)[:500], last_at=timezone.now()
        )
        return None
    # Signed outside of the transaction below: the TPM may take its time.
    certificate = pki.station_certificate_build(
        request=request,
        issuer=authority.issuer_of(signs),
        now=timezone.now().replace(microsecond=0),
        days=settings.OCPP_CERTIFICATE_DAYS,
    )
    return _issued(row, signs, certificate)


def _issued(
    row: CertificateRequest, signs: StationAuthority, certificate: x509.Certificate
) -> StationCertificate | None:
    """Keep it; nothing where another worker was first, or a newer request came: then nobody gets to see it."""
    with transaction.atomic():
        if not CertificateRequest.objects.filter(pk=row.pk, state=State.WAITING).update(state=State.ISSUED):
            return None
        return certificate_keep(certificate, signs=signs, station=row.station, request=row)


def certificate_keep(
    certificate: x509.Certificate,
    *,
    signs: StationAuthority,
    station: Station | None,
    request: CertificateRequest | None = None,
) -> StationCertificate:
    """The row of a certificate that was just signed; `station` None: the gateway's own."""
    return StationCertificate.objects.create(
        authority=signs,
        station=station,
        common_name=pki.common_name(certificate) or "",
        requested_by=request,
        serial_number=pki.serial_text(certificate.serial_number),
        certificate_pem=pki.pem(certificate),
        fingerprint=pki.fingerprint(certificate),
        expires_at=certificate.not_valid_after_utc,
    )


def requests_waiting() -> list[int]:
    """What nobody announced, or could not be signed before."""
    return list(CertificateRequest.objects.filter(state=State.WAITING).order_by("pk").values_list("pk", flat=True))
