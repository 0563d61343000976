"""Stations' credentials: made, shown once, kept as a hash, checked; and when a station was last heard."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.utils import timezone

from stations import silence
from stations.errors import (
    StationRefusedError,
)
from stations.models import Station

LAST_SEEN_EVERY = timedelta(minutes=1)


def station_credential_set(*, station: Station) -> str:
    """Make a new credential, which ends the old one; returned this once, only its hash is stored.

    30 random bytes are 40 characters, the most that OCPP 2.0.1 allows for a BasicAuthPassword.
    """
    credential = secrets.token_urlsafe(30)
    station.credential_hash = credential_hash(credential)
    station.save(update_fields=["credential_hash"])
    return credential


def station_credential_withdraw(*, station: Station) -> None:
    """Let the station report no more, until it gets a new credential."""
    station.credential_hash = ""
    station.save(update_fields=["credential_hash"])


def credential_hash(credential: str) -> str:
    """SHA-256 without salt and stretching, as a station authenticates with every request.

    Both exist for passwords that people choose. Nobody can search 2^240 random values, however fast the hash is.
    """
    return "sha256$" + hashlib.sha256(credential.encode()).hexdigest()


def station_authenticate(*, identity: str, credential: str) -> Station:
    """The station with that identity and credential; raises StationRefusedError without saying which was wrong."""
    station = Station.objects.select_related("site").identified(identity).first()
    # A station without a credential has "" here, which no hash equals.
    stored = station.credential_hash if station else ""
    if not hmac.compare_digest(stored, credential_hash(credential)) or station is None:
        raise StationRefusedError("expected the identity of a station and its credential")
    station_seen(station=station)
    return station


def station_seen(*, station: Station) -> None:
    """Note that the station was heard, at most once a minute: not every request needs a write."""
    now, last = timezone.now(), station.last_seen_at
    if last is not None and now - last < LAST_SEEN_EVERY:
        return
    usual = station.usual_silence_s if last is None else silence.usual_s(station.usual_silence_s, now - last)
    heard = {"last_seen_at": now, "usual_silence_s": usual, "expected_by": silence.expected_by(now, usual)}
    Station.objects.filter(pk=station.pk).update(**heard)
    for name, value in heard.items():
        setattr(station, name, value)
