"""What a partner gets of what there is here, and why it is nothing: for the operator, and for the partner."""

from collections import Counter
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext

from stations.charging.words import number
from stations.models import Connector, OcpiPartner, Site
from stations.ocpi import published

Sessions = OcpiPartner.Sessions
LOOKED_AT = 1000  # sites and outlets whose gaps are counted; more would take longer than the page


def off_words() -> str:
    """Why nothing at all is there; "" where OCPI is on."""
    if settings.OCPI_COUNTRY_CODE and settings.OCPI_PARTY_ID:
        return ""
    return gettext(
        "OCPI is off: the address that a partner would register at is not there. Whoever runs the portal sets"
        " EVPORTAL_OCPI_COUNTRY_CODE and EVPORTAL_OCPI_PARTY_ID, who you are, and starts it again."
    )


def offer_words(partner: OcpiPartner) -> list[str]:
    """A line for each kind of object that it can pull, with how many of how many, and what the others lack."""
    if why := off_words():
        return [why]
    sites = partner.sites.all() if partner.sites.exists() else Site.objects.all()
    outlets = Connector.objects.filter(station__site__in=sites.order_by().values("pk"))
    tariffs = gettext("tariffs: %(count)s") % {"count": number(published.tariffs(partner).count())}
    return [
        _counted(gettext("sites"), published.sites(partner), sites),
        _counted(gettext("outlets"), published.connectors(partner), outlets),
        *(tariffs, *_charges(partner)),
    ]


def _counted(kind: str, seen: QuerySet[Any], among: QuerySet[Any]) -> str:
    count, total = seen.count(), among.count()
    said = gettext("%(kind)s: %(count)s of %(total)s") % {"kind": kind, "count": number(count), "total": number(total)}
    lacking = Counter(gap for row in among.order_by("pk")[:LOOKED_AT] for gap in published.gaps(row))
    if count == total or not lacking:
        return said
    reasons = ", ".join(f"{gap} ({number(times)})" for gap, times in lacking.most_common())
    return gettext("%(said)s; the others lack %(what)s") % {"said": said, "what": reasons}


def _charges(partner: OcpiPartner) -> list[str]:
    if partner.sessions == Sessions.NONE:
        return [gettext("sessions: none, as chosen above")]
    found, billed = published.sessions(partner).count(), published.cdrs(partner).count()
    said = gettext("sessions: %(count)s, CDRs: %(billed)s") % {"count": number(found), "billed": number(billed)}
    if found or partner.sessions == Sessions.ALL:
        return [said]
    party = f"{partner.country_code}-{partner.party_id}"
    words = gettext("%(said)s; nobody charged at these outlets with a contract that begins with %(party)s")
    return [words % {"said": said, "party": party}]


def nothing_because(partner: OcpiPartner) -> str:
    """What a partner reads whose list is empty, in English as all of OCPI: "" where it may just be empty."""
    if not published.sites(partner).exists():
        return "Success; no site that you may see has all that OCPI demands of a location yet: ask the operator"
    if not published.connectors(partner).exists():
        return "Success; no outlet that you may see has all that OCPI demands of a connector yet: ask the operator"
    return "Success; nothing matches, or nothing that you may see"
