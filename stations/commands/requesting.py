"""A person or a program asks something of a station: it is checked here, whoever they are."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import ApiClient, User
from stations.commands.asking import command_ask
from stations.commands.kind import Kind
from stations.commands.kinds import params_checked
from stations.errors import CommandRefusedError
from stations.identifiers import letters
from stations.models import ChargingSession, Command, Station

WAITING_MAX = 100
VALID_FOR_MAX = timedelta(days=30)


def command_request(
    *,
    station: Station,
    kind: Kind,
    params: Any,
    by: str,
    user: User | None = None,
    client: ApiClient | None = None,
    valid_for: timedelta = Command.VALID_FOR,
) -> Command:
    """The command, waiting. Raises ParamsWrong, and CommandRefusedError where the station cannot be asked that."""
    version = station.ocpp_version
    if version and version not in kind.actions:
        words = _("OCPP %(version)s, which this station speaks, has no %(kind)s")
        raise CommandRefusedError(words % {"version": version, "kind": kind.name})
    if not station.enabled:
        raise CommandRefusedError(_("the station is switched off here: it may not connect"))
    found = params_checked(kind, params, version)
    if Command.objects.filter(station=station, state=Command.State.WAITING).count() >= WAITING_MAX:
        words = _("%(count)d commands wait for this station: cancel some first")
        raise CommandRefusedError(words % {"count": WAITING_MAX})
    asked: dict[str, Any] = {"station": station, "by": by, "user": user, "client": client, "valid_for": valid_for}
    return command_ask(kind=kind.name, params=found, session=_charge(station, kind, found), **asked)


def _charge(station: Station, kind: Kind, params: dict[str, Any]) -> ChargingSession | None:
    """The running charge that it is about."""
    number = params.get("transaction_id")
    if not number:
        return None
    rows = ChargingSession.objects.filter(station=station, number=letters(number))
    return rows.filter(status=ChargingSession.Status.ACTIVE).first()


def params_shown(command: Command, kind: Kind | None) -> dict[str, Any]:
    """The parameters as people and programs may read them: no secrets."""
    secret = {param.name for param in kind.params if param.secret} if kind else set()
    return {name: value for name, value in command.params.items() if name not in secret}
