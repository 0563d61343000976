"""Another password for a station, which it is told over OCPP; the old one stays good until the new one was used."""

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from common import sealed_text
from stations.certificates.telling import VALID_FOR
from stations.commands.asking import command_ask
from stations.models import Command, NextCredential, Station
from stations.places.credentials import credential_hash, credential_make


@transaction.atomic
def credential_rotate(*, station: Station, by: User | None = None) -> NextCredential:
    """Make a new credential and tell the station, when it is there: nobody else gets to read it.

    OCPP 1.6: ChangeConfiguration of AuthorizationKey, in hexadecimal; 2.x: SetVariables of
    SecurityCtrlr.BasicAuthPassword. What it uses now stays good until it has connected with the new one
    (stations/places/credentials.py). A rotation that was asked before ends.
    """
    Station.objects.select_for_update(of=("self",)).get(pk=station.pk)
    credential = credential_make()
    former = NextCredential.objects.filter(station=station).select_related("command").first()
    if former is not None and former.command is not None:
        waiting = Command.objects.filter(pk=former.command.pk, state=Command.State.WAITING)
        waiting.update(state=Command.State.CANCELLED, params={})
    command = command_ask(
        station=station,
        kind="set_credential",
        params={"sealed": sealed_text.seal(credential)},
        by=Command.By.OPERATOR if by else Command.By.PORTAL,
        user=by,
        valid_for=VALID_FOR,
    )
    fresh = {"credential_hash": credential_hash(credential), "command": command, "answer": ""}
    fresh |= {"state": NextCredential.State.WAITING, "made_at": timezone.now()}
    return NextCredential.objects.update_or_create(station=station, defaults=fresh)[0]
