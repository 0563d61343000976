"""What of certificates needs a person: shown on the admin's home, in one query however many tables it looks at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    CharField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast
from django.utils import timezone

from stations.models import CertificateRequest, NextCredential, StationAuthority, StationCertificate

AUTHORITY, EXPIRING, REJECTED, REFUSED, CREDENTIAL = (
    "1_AUTHORITY",
    "2_EXPIRING",
    "3_REJECTED",
    "4_REFUSED",
    "5_PASSWORD",
)
# A next authority has to be on all stations before the one that signs ends.
AUTHORITY_BEFORE = timedelta(days=365)
SHOWN = 30
COLUMNS = ("watched_kind", "watched_row", "who", "at", "words", "last_asked", "is_ours")


@dataclass(frozen=True)
class Watched:
    """One thing that somebody should look at.

    `row`: the primary key of what it is about (CREDENTIAL: of the station), `who`: whose it is, `at`: when it ends or
    came, `words`: what the station or we said, `asked_at`: when the station was asked to renew, `is_ours`: the
    gateway's own certificate.
    """

    kind: str
    row: int
    who: str
    at: datetime
    words: str
    asked_at: datetime | None
    is_ours: bool


def watched() -> list[Watched]:
    """The first of them: what ends everything first, then what runs out, then what was refused."""
    parts = [_authorities(), _expiring(), _rejected(), _refused(), _credentials()]
    found = parts[0].union(*parts[1:], all=True).order_by("watched_kind", "at")
    return [Watched(*values) for values in found[:SHOWN]]


def _columns(rows: QuerySet[Any], kind: str, *, who: Any, at: Any, words: Any, **more: Any) -> QuerySet[Any]:
    """The same columns of each table, of the same types, under names that none of them has."""
    found: QuerySet[Any] = (
        rows.order_by()
        .annotate(
            watched_kind=Value(kind, CharField()),
            watched_row=more.get("row", F("pk")),
            who=Cast(who, CharField(max_length=64)),
            at=at,
            words=Cast(words, CharField(max_length=500)),
            last_asked=more.get("last_asked", Cast(Value(None), DateTimeField())),
            is_ours=more.get("is_ours", Value(False, BooleanField())),
        )
        .values_list(*COLUMNS)
    )
    return found


def _authorities() -> QuerySet[Any]:
    """The one that signs, where it ends within a year and nobody has made the next one."""
    following = StationAuthority.objects.filter(status=StationAuthority.Status.NEXT)
    ending = Q(status=StationAuthority.Status.CURRENT, valid_to__lte=timezone.now() + AUTHORITY_BEFORE)
    rows = StationAuthority.objects.filter(ending).exclude(Exists(following))
    return _columns(rows, AUTHORITY, who=F("name"), at=F("valid_to"), words=Value(""))


def _expiring() -> QuerySet[Any]:
    now = timezone.now()
    rows = StationCertificate.objects.expiring(now, now + timedelta(days=settings.OCPP_RENEW_DAYS))
    ours = {"last_asked": F("renewal_asked_at"), "is_ours": ExpressionWrapper(Q(station=None), BooleanField())}
    return _columns(rows, EXPIRING, who=F("common_name"), at=F("expires_at"), words=Value(""), **ours)


def _rejected() -> QuerySet[Any]:
    """What a station did not take, and nothing newer was issued to it."""
    newer = StationCertificate.objects.filter(station=OuterRef("station"), issued_at__gt=OuterRef("issued_at"))
    rows = StationCertificate.objects.filter(state=StationCertificate.State.REJECTED).exclude(Exists(newer))
    return _columns(rows, REJECTED, who=F("common_name"), at=F("issued_at"), words=F("answer"))


def _refused() -> QuerySet[Any]:
    """Requests that were refused, and nobody has seen to."""
    rows = CertificateRequest.objects.filter(state=CertificateRequest.State.REFUSED, settled_at=None)
    return _columns(rows, REFUSED, who=F("station__identity"), at=F("last_at"), words=F("reason"))


def _credentials() -> QuerySet[Any]:
    """Stations that did not take their new password."""
    rows = NextCredential.objects.filter(state=NextCredential.State.REFUSED)
    said = {"who": F("station__identity"), "at": F("made_at"), "words": F("answer"), "row": F("station_id")}
    return _columns(rows, CREDENTIAL, **said)
