"""What operators read of refusals and of a station's connection: what it means, and what to do."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from stations.models import Connector, Station, StationRefusal

Reason = StationRefusal.Reason
ADVICE: Mapping[str, Promise] = {
    Reason.UNKNOWN: _(
        "Is it yours? Then add it with exactly this identity and enter its credential at the charger. If its identity "
        "is a misspelt one of yours, mend it at the charger. Else it is somebody else's: nothing is to be done."
    ),
    Reason.DISABLED: _("It was switched off here. Let it connect on its page, or switch the charger off, too."),
    Reason.CREDENTIAL: _(
        "What was entered at the charger is not what was shown here. Set a new credential and enter it there: it is "
        "shown once, has 20 characters, and capitals matter."
    ),
    Reason.SUBPROTOCOL: _(
        "Choose OCPP 1.6 (JSON), 2.0.1 or 2.1 at the charger. SOAP and OCPP 1.5 are not spoken here; some chargers "
        "need a newer firmware for JSON."
    ),
    Reason.TLS: _(
        "It came without TLS, and its security profile asks for it. Enter the address with wss:// at the charger, or "
        "set a lower profile on its page, if it is in a network of your own."
    ),
    Reason.CERTIFICATE: _(
        "Its security profile asks for a certificate of its own, and none that is valid came. Let it connect with "
        "profile 2, have it ask for a certificate, then set profile 3."
    ),
    Reason.REPLACED: _(
        "Once in a while it is nothing: the charger lost its network and came again. If it goes on, two chargers have "
        "this identity: give one of them another."
    ),
    Reason.MISBEHAVED: _(
        "What it sent was no OCPP, or too much. Look at its last messages; a newer firmware, or the maker, may help."
    ),
}
STATES: Mapping[str, Promise] = {
    "connected": _("connected"),
    "away": _("not connected"),
    "heard": _("reports without OCPP"),
    "silent": _("silent"),
    "fault": _("fault"),
    "charging": _("charging"),
    "off": _("switched off"),
    "never": _("never heard"),
}


def connection_words(station: Station) -> str:
    """In one phrase: "connected since 2026-03-01 08:00 UTC with OCPP 2.0.1"."""
    if station.connection and station.connected_at:
        names = {"at": f"{station.connected_at:%Y-%m-%d %H:%M}", "version": station.ocpp_version}
        return gettext("connected since %(at)s UTC with OCPP %(version)s") % names
    if station.ocpp_version:
        return gettext("not connected; it spoke OCPP %(version)s") % {"version": station.ocpp_version}
    return gettext("reports by our REST interface") if station.last_seen_at else gettext("never connected")


def gateway_address(station: Station | None = None) -> str:
    """Where stations connect, as it is entered in them; for one with its identity, which most add themselves."""
    scheme = "wss" if settings.OCPP_TLS_CERT else "ws"
    base = settings.OCPP_PUBLIC_URL or f"{scheme}://{settings.OCPP_HOST}:{settings.OCPP_PORT}/ocpp"
    return f"{base}/{quote(station.identity, safe='')}" if station else base


def outlet_words(connector: Connector, *, several: bool) -> str:
    """ "1: Occupied (SuspendedEV)"; with the connector's number where the EVSE has several."""
    number = f"{connector.evse_id}/{connector.connector_id}" if several else f"{connector.evse_id}"
    said = connector.ocpp_status
    more = f" ({said})" if said and said.upper() != connector.status else ""
    return f"{number}: {connector.get_status_display()}{more}"


def fault_words(connector: Connector) -> str:
    """ "1: GroundFailure, relay welded"."""
    about = (connector.error_code if connector.error_code != "NoError" else "", connector.status_info)
    return f"{connector.evse_id}: {', '.join(filter(None, about)) or connector.get_status_display()}"


def refusal_actions(refusal: StationRefusal, added: int | None = None) -> list[tuple[str, str]]:
    """(words, address) of what can be done about it; `added`: the station of this identity that came later."""
    if refusal.station is None and added is not None:
        return [(gettext("It was added since: to its page"), reverse("admin:stations_station_change", args=[added]))]
    if refusal.station is None:
        query = urlencode({"identity": refusal.identity})
        return [(gettext("Add this station"), f"{reverse('admin:stations_station_add')}?{query}")]
    pk = refusal.station.pk
    page = reverse("admin:stations_station_change", args=[pk])
    if refusal.reason == Reason.CREDENTIAL:
        credential = reverse("admin:stations_station_credential", args=[pk])
        return [(gettext("Set a new credential"), credential), (gettext("To its page"), page)]
    if refusal.reason == Reason.DISABLED:
        return [(gettext("Let it connect"), f"{page}#id_enabled")]
    messages = f"{reverse('admin:stations_ocppmessage_changelist')}?{urlencode({'station': refusal.identity})}"
    return [(gettext("To its page"), page), (gettext("Its messages"), messages)]
