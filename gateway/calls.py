"""The one way from gateway/ocpp into stations/: whatever its OCPP version, a station's message ends up here.

    stations_booted, station_heard       they have started, it is there
    authorize(_many)                     may this card charge here?
    connector_report, connectors_report  how an outlet is
    charge_start, _values(_many), _stop  a charge begins, goes on, ends; never refused
    charges_start, charges_stop          those of many stations at once, where they are plain
    transaction_told                     the same of 2.x, in whatever order it is told
    event_note, command_progress         what else it tells
    variables_report                     its configuration
    certificate_requested                it wants a certificate
    clock                                when something happened, by a clock that may be wrong

All are called inside the transaction of a handler (gateway/ocpp/handling.py), and may be called again with the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from stations.cards.authorization import UNTYPED, Authorization, Status, authorize, authorize_many
from stations.cards.services import TokenRef
from stations.certificates.requests import certificate_requested
from stations.charging.asides import Aside, set_aside
from stations.charging.clocks import Moment, Said, moment_of, said_read
from stations.charging.corrections import counting_now
from stations.charging.locks import station_locked
from stations.charging.numbers import Begun
from stations.charging.reported import charge_start, charge_stop
from stations.charging.reported_values import Values, charge_values_many, values_stored
from stations.charging.together import Start, Stop, charges_start, charges_stop
from stations.charging.transactions import Heard, Kind, Told, charges_known, is_missing, told_values, transaction_told
from stations.charging.vocabulary import Sample
from stations.commands.progress import command_progress, start_led_to, start_token
from stations.metering import received
from stations.metering.received import SignedText
from stations.models import Station
from stations.places.boots import Boot, Booted, stations_booted
from stations.places.credentials import station_seen as station_heard
from stations.places.events import Variable, event_note, plain_text, variables_report
from stations.places.outlets import Condition, Report, connector_report, connectors_report, outlet_get
from stations.tariffs.charged import cost_so_far
from stations.tariffs.pricing import cost_of, units
from stations.zones import zone_named

__all__ = [
    "UNTYPED",
    "Aside",
    "Authorization",
    "Begun",
    "Boot",
    "Booted",
    "Condition",
    "Heard",
    "Kind",
    "Moment",
    "Report",
    "Said",
    "Sample",
    "Start",
    "Status",
    "Stop",
    "TokenRef",
    "Told",
    "Values",
    "Variable",
    "authorize",
    "authorize_many",
    "certificate_requested",
    "charge_start",
    "charge_stop",
    "charge_values",
    "charge_values_many",
    "charges_known",
    "charges_start",
    "charges_stop",
    "clock",
    "command_progress",
    "connector_report",
    "connectors_report",
    "cost_of",
    "cost_so_far",
    "counting_now",
    "event_note",
    "is_missing",
    "outlet_get",
    "plain_text",
    "said",
    "set_aside",
    "signed_of",
    "start_led_to",
    "start_token",
    "station_heard",
    "station_locked",
    "stations_booted",
    "token_ref",
    "told_values",
    "transaction_told",
    "units",
    "values_stored",
    "variables_report",
]


def said(station: Station, text: object, received_at: datetime) -> Said:
    """A time as the station wrote it; without an offset it is in the station's zone, else its site's."""
    return said_read(text, zone_named(station.time_zone or station.site.time_zone), received_at)


def clock(station: Station, text: object, received_at: datetime) -> Moment:
    """When something happened that is no charge; None: the station did not say."""
    if text is None:
        return Moment(received_at)
    return moment_of(said(station, text, received_at), received_at, station.connected_at)


def signed_of(meter_values: Iterable[Mapping[str, Any]]) -> tuple[Sequence[SignedText], list[Aside]]:
    """What meters signed in these, and what was said to be signed and cannot be kept."""
    texts, unread = received.signed_of(meter_values)
    return texts, [Aside(one.subject, one.reason, one.said, one.index) for one in unread]


def charge_values(values: Values) -> UUID | None:
    """Store what is new of one message; returns the charge that it was about."""
    return charge_values_many([values])[0]


def token_ref(uid: object, kind: str = UNTYPED) -> TokenRef | None:
    """The token as a station names it; None where it names nothing."""
    text = plain_text(uid, 36)
    return TokenRef(text, kind) if text else None
