"""The admin's home: sessions and energy, silent stations, last imports."""

from typing import Any

from django import template
from django.utils.translation import gettext

from accounts.models import User
from stations.admin.overview import (
    ASIDE_SHOWN,
    FAULTS_SHOWN,
    REFUSALS_SHOWN,
    SILENT_SHOWN,
    active_now,
    faults_now,
    latest_imports,
    overview_for,
    refusals_now,
    set_aside_open,
    silent_stations,
)
from stations.certificates.watching import watched
from stations.models import MeterPublicKey

register = template.Library()


@register.inclusion_tag("admin/_sessions.html")
def sessions_overview(user: User) -> dict[str, Any]:
    """Sessions and energy of today, yesterday and the months."""
    found = overview_for(user)
    names = ("today", "yesterday", "month", "last_month")
    words = (gettext("Today"), gettext("Yesterday"), gettext("This month"), gettext("Last month"))
    periods = [(word, getattr(found, name)) for word, name in zip(words, names, strict=True)]
    return {"periods": periods, "at": found.at, "active": active_now(), "zone": user.time_zone or "UTC"}


@register.inclusion_tag("admin/_silent_stations.html")
def silent_overview() -> dict[str, Any]:
    """The stations that somebody should look at, the longest silent first."""
    found = list(silent_stations()[: SILENT_SHOWN + 1])
    return {"stations": found[:SILENT_SHOWN], "more": len(found) > SILENT_SHOWN}


@register.inclusion_tag("admin/_set_aside.html")
def set_aside_overview() -> dict[str, Any]:
    """What stations said and was not taken; nothing where there is none."""
    found = list(set_aside_open()[: ASIDE_SHOWN + 1])
    return {"rows": found[:ASIDE_SHOWN], "more": len(found) > ASIDE_SHOWN}


@register.inclusion_tag("admin/_meter_keys.html")
def meter_keys_overview() -> dict[str, Any]:
    """Keys that stations told, and nobody has compared yet; nothing where there are none."""
    pending = MeterPublicKey.objects.filter(state=MeterPublicKey.State.PENDING).select_related("station")
    found = list(pending.order_by("-pk")[: ASIDE_SHOWN + 1])
    return {"rows": found[:ASIDE_SHOWN], "more": len(found) > ASIDE_SHOWN}


@register.inclusion_tag("admin/_certificates.html")
def certificates_overview() -> dict[str, Any]:
    """What of stations' certificates needs a person; nothing where there is nothing."""
    return {"rows": watched()}


@register.inclusion_tag("admin/_park.html")
def park_overview() -> dict[str, Any]:
    """Faults, and who is not let in; and the way to the park."""
    faults, refusals = faults_now(), refusals_now()
    return {
        "faults": faults[:FAULTS_SHOWN],
        "more_faults": len(faults) > FAULTS_SHOWN,
        "refusals": refusals[:REFUSALS_SHOWN],
        "more_refusals": len(refusals) > REFUSALS_SHOWN,
    }


@register.inclusion_tag("admin/_imports.html")
def imports_overview() -> dict[str, Any]:
    """The newest imports."""
    return {"runs": latest_imports()}
