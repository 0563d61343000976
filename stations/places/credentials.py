"""Stations' credentials: made, shown once, kept as a hash, checked; and when a station was last heard."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from common.database.updating import columns_update
from stations import silence
from stations.errors import (
    StationRefusedError,
)
from stations.models import Command, NextCredential, Station

LAST_SEEN_EVERY = timedelta(minutes=1)
# OCPP 1.6 allows an AuthorizationKey of 16 to 20 bytes, 2.x a BasicAuthPassword of 16 to 40 characters of these.
CREDENTIAL_BYTES = 15
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")


def credential_make() -> str:
    """A new one that every version of OCPP can carry: 15 random bytes as 20 characters.

    None begins like an option: credentials are handed to programs on their command lines.
    """
    while (credential := secrets.token_urlsafe(CREDENTIAL_BYTES)).startswith("-"):
        pass
    return credential


def station_credential_set(*, station: Station) -> str:
    """Make a new credential, which ends the old one; returned this once, only its hash is stored."""
    credential = credential_make()
    _replace(station, credential_hash(credential))
    return credential


def station_credential_withdraw(*, station: Station) -> None:
    """Let the station report no more, until it gets a new credential."""
    _replace(station, "")


@transaction.atomic
def _replace(station: Station, stored: str) -> None:
    """From now on this hash alone: a credential that the station was told to use next ends as well."""
    NextCredential.objects.filter(station=station).delete()
    station.credential_hash = stored
    station.save(update_fields=["credential_hash"])


def credential_hash(credential: str) -> str:
    """SHA-256 without salt and stretching, as a station authenticates with every request.

    Both exist for passwords that people choose. Nobody can search 2^120 random values, however fast the hash is.
    """
    return "sha256$" + hashlib.sha256(credential.encode()).hexdigest()


def station_authenticate(*, identity: str, credential: str) -> Station:
    """The station with that identity and credential; raises StationRefusedError without saying which was wrong."""
    station = Station.objects.select_related("site").identified(identity).first()
    if station is None or not credential_holds(station, credential):
        raise StationRefusedError("expected the identity of a station and its credential")
    station_seen(station=station)
    return station


def credential_holds(station: Station, credential: str | bytes) -> bool:
    """Is this the station's credential, or the one that it was told to use from now on? Then that one takes over.

    Bytes, as HTTP Basic has them, may be those that an AuthorizationKey of OCPP 1.6 stands for.
    """
    hashes = [credential_hash(form) for form in _forms(credential)]
    # A station without a credential has "" here, which no hash equals.
    if any(hmac.compare_digest(station.credential_hash, one) for one in hashes):
        return True
    following = NextCredential.objects.filter(station=station).first()
    if following is None or not any(hmac.compare_digest(following.credential_hash, one) for one in hashes):
        return False
    with transaction.atomic():
        # Only the one that was just seen: an operator may have replaced it meanwhile.
        if NextCredential.objects.filter(pk=following.pk, credential_hash=following.credential_hash).delete()[0]:
            Command.objects.filter(pk=following.command_id or 0).update(params={})  # which had it, sealed
            Station.objects.filter(pk=station.pk).update(credential_hash=following.credential_hash)
            station.credential_hash = following.credential_hash
            return True
    return False


def _forms(credential: str | bytes) -> list[str]:
    """As it came, in hexadecimal, and what it means where it came so.

    By the security whitepaper of 1.6 a key is set in hexadecimal and its bytes are the password. Not all stations
    decode it, and not all operators' tools encode it.
    """
    data = credential.encode() if isinstance(credential, str) else credential
    text = data.decode("utf-8", errors="replace")
    forms = [text, data.hex(), data.hex().upper()]
    if _HEXADECIMAL.fullmatch(text):
        forms.append(bytes.fromhex(text).decode("utf-8", errors="replace"))
    return forms


def station_seen(*, station: Station) -> None:
    """Note that the station was heard, at most once a minute: not every request needs a write."""
    stations_seen([station])


SEEN = ("last_seen_at", "usual_silence_s", "expected_by")


def stations_seen(stations: Iterable[Station]) -> None:
    """The same of many at once, each named once."""
    now = timezone.now()
    due = [one for one in stations if one.last_seen_at is None or now - one.last_seen_at >= LAST_SEEN_EVERY]
    for one in due:
        last, usual = one.last_seen_at, one.usual_silence_s
        one.usual_silence_s = usual if last is None else silence.usual_s(usual, now - last)
        one.last_seen_at, one.expected_by = now, silence.expected_by(now, one.usual_silence_s)
    due.sort(key=lambda one: one.pk)
    written = {name: [getattr(one, name) for one in due] for name in SEEN}
    columns_update(Station, [one.pk for one in due], written)
