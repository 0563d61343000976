"""The authorities: made, followed by a next one, ended; and their revocation lists.

Everything that is signed is signed in the TPM, outside of database transactions: the TPM may take its time.
"""

from datetime import datetime, timedelta

from cryptography import x509
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from stations.certificates import pki
from stations.certificates.errors import AuthorityRefusedError, CertificatesError
from stations.certificates.keys import keys, private_key, public_key
from stations.certificates.pki import Issuer, Revoked
from stations.models import StationAuthority, StationCertificate

Status = StationAuthority.Status
KEY = "stations-ca"
YEARS = 10
# A list is made anew each day, so a TPM that is away for six does not let it run out.
CRL_EVERY, CRL_VALID, CRL_RETRY = timedelta(days=1), timedelta(days=7), timedelta(minutes=5)


class AuthorityStateError(CertificatesError):
    """This cannot be done with an authority in this state."""


def authority_create() -> StationAuthority:
    """The first authority, or the one that follows the one that signs; its key is made in the TPM.

    Raises AuthorityStateError where one is waiting already, AuthorityUnavailableError.
    """
    if StationAuthority.objects.filter(status=Status.NEXT).exists():
        raise AuthorityStateError("the next authority is made already: install its root, then let it sign")
    number = StationAuthority.objects.count() + 1
    key_name = KEY if number == 1 else f"{KEY}-{number}"
    made = keys().create(key_name)
    key, now = public_key(made), timezone.now().replace(microsecond=0)
    name = f"Charging stations CA {number}"
    root = pki.root_build(
        key=private_key(key_name, key),
        name=pki.name_of(organization=organization() or "EVPortal", common_name=name),
        now=now,
        days=365 * YEARS,
    )
    try:
        with transaction.atomic():
            signs = StationAuthority.objects.filter(status=Status.CURRENT).exists()
            row = StationAuthority.objects.create(
                name=name,
                key_name=key_name,
                status=Status.NEXT if signs else Status.CURRENT,
                certificate_pem=pki.pem(root),
                fingerprint=pki.fingerprint(root),
                valid_from=root.not_valid_before_utc,
                valid_to=root.not_valid_after_utc,
                attestation=made.attestation,
            )
    except IntegrityError as error:
        raise AuthorityStateError("somebody else has just made one") from error
    crl_make(row)
    return row


@transaction.atomic
def authority_switch() -> StationAuthority:
    """From now on the next one signs; what the former one signed is believed to its end."""
    rows = StationAuthority.objects.select_for_update()
    following = rows.filter(status=Status.NEXT).first()
    if following is None:
        raise AuthorityStateError("there is no next authority: make one first")
    StationAuthority.objects.filter(status=Status.CURRENT).update(status=Status.FORMER)
    StationAuthority.objects.filter(pk=following.pk).update(status=Status.CURRENT)
    following.refresh_from_db()
    return following


def authority_end(*, authority: StationAuthority) -> None:
    """Believe nothing any more of what this one signed; never the one that signs."""
    others = StationAuthority.objects.filter(pk=authority.pk).exclude(status__in=[Status.CURRENT, Status.ENDED])
    if not others.update(status=Status.ENDED):
        raise AuthorityStateError(f"{authority} signs, or is ended: let the next one sign first")


def authority_signing() -> StationAuthority:
    """The one that signs now; raises AuthorityRefusedError where there is none."""
    now = timezone.now()
    found = StationAuthority.objects.filter(status=Status.CURRENT, valid_to__gt=now).first()
    if found is None:
        raise AuthorityRefusedError("there is no station authority: run manage.py station_authority create")
    return found


def trusted() -> list[StationAuthority]:
    """Those whose certificates are believed now, the one that signs first."""
    return list(StationAuthority.objects.trusted(timezone.now()))


def roots_pem(authorities: list[StationAuthority]) -> str:
    return "".join(authority.certificate_pem for authority in authorities)


def root_of(authority: StationAuthority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate_pem.encode())


def issuer_of(authority: StationAuthority) -> Issuer:
    """The authority as the builders want it; its key signs in the TPM."""
    root = root_of(authority)
    key = root.public_key()
    return Issuer(root, private_key(authority.key_name, key), crl_url(authority))  # type: ignore[arg-type]  # P-256


def crl_url(authority: StationAuthority) -> str:
    """Where everybody finds its revocation list; "" where the portal's own address is not set."""
    return f"{settings.PUBLIC_URL}/ocpp/ca-{authority.pk}.crl" if settings.PUBLIC_URL else ""


def organization() -> str:
    """The operator's name as it stands in certificates (O)."""
    return str(settings.OCPP_ORGANIZATION)[: pki.NAME_MAX]


# --- revocation lists


def crl_make(authority: StationAuthority) -> bool:
    """Make the authority's list anew; False where another worker did, or something was revoked meanwhile.

    Raises AuthorityUnavailableError.
    """
    authority.refresh_from_db()
    now = timezone.now().replace(microsecond=0)
    crl = pki.crl_build(
        issuer=issuer_of(authority),
        revoked=[_line(row) for row in revoked_of(authority, now)],
        number=authority.crl_number + 1,
        now=now,
        valid_for=CRL_VALID,
    )
    unchanged = {"crl_number": authority.crl_number, "crl_due_at": authority.crl_due_at}
    made = {"crl_der": pki.crl_der(crl), "crl_number": authority.crl_number + 1, "crl_due_at": now + CRL_EVERY}
    return bool(StationAuthority.objects.filter(pk=authority.pk, **unchanged).update(**made))


def crl_postpone(authority: StationAuthority) -> None:
    """It cannot be signed now: try again later, or at once when something is revoked meanwhile."""
    seen = StationAuthority.objects.filter(pk=authority.pk, crl_due_at=authority.crl_due_at)
    seen.update(crl_due_at=timezone.now() + CRL_RETRY)


def revoked_of(authority: StationAuthority, now: datetime) -> list[StationCertificate]:
    """What the list names: revoked, and not run out (RFC 5280, 3.3: one list longer than that is enough)."""
    rows = authority.certificates.filter(revoked_at__isnull=False, expires_at__gt=now - CRL_VALID)
    return list(rows.order_by("revoked_at", "pk"))


def _line(row: StationCertificate) -> Revoked:
    assert row.revoked_at is not None
    return Revoked(pki.serial_number(row.serial_number), row.revoked_at.replace(microsecond=0), row.reason)


def crls_due() -> list[StationAuthority]:
    """The authorities whose list has to be made anew: daily, and at once after a revocation."""
    living = StationAuthority.objects.exclude(status=Status.ENDED).filter(valid_to__gt=timezone.now())
    return list(living.filter(crl_due_at__lte=timezone.now()))
