"""What is published by OCPI, and to whom. A site or outlet that lacks what OCPI demands is left out, never invented."""

import re
from collections.abc import Mapping

from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stations.models import ChargingSession, Connector, IdToken, OcpiPartner, Site, Tariff

# ConnectorType and PowerType of chapter 8, mod_locations
STANDARDS = (
    *("CHADEMO", "CHAOJI", *(f"DOMESTIC_{letter}" for letter in "ABCDEFGHIJKLMNO"), "GBT_AC", "GBT_DC"),
    *("IEC_60309_2_single_16", "IEC_60309_2_three_16", "IEC_60309_2_three_32", "IEC_60309_2_three_64"),
    *("IEC_62196_T1", "IEC_62196_T1_COMBO", "IEC_62196_T2", "IEC_62196_T2_COMBO", "IEC_62196_T3A", "IEC_62196_T3C"),
    *("NEMA_5_20", "NEMA_6_30", "NEMA_6_50", "NEMA_10_30", "NEMA_10_50", "NEMA_14_30", "NEMA_14_50"),
    *("PANTOGRAPH_BOTTOM_UP", "PANTOGRAPH_TOP_DOWN", "TESLA_R", "TESLA_S"),
)
POWER_TYPES = ("AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC")

# What OCPI demands, by field: a pattern for texts, None for numbers that have to be there; and how the admin says it.
Needs = Mapping[str, tuple[str | None, Promise]]
SITE_NEEDS: Needs = {
    "code": ("[!-~]{1,36}", _("an id of printable ASCII")),
    "address": (".{1,45}", _("an address of up to 45 characters")),
    "city": (".{1,45}", _("a city of up to 45 characters")),
    "country": ("[A-Z]{3}", _("a country (ISO 3166-1 alpha-3)")),
    "latitude": (None, _("a latitude")),
    "longitude": (None, _("a longitude")),
}
CONNECTOR_NEEDS: Needs = {
    "emi3_id": (".+", _("an EVSE ID")),
    "standard": ("|".join(STANDARDS), _("a standard of OCPI's ConnectorType")),
    "format": ("SOCKET|CABLE", _("a format")),
    "power_type": ("|".join(POWER_TYPES), _("a power type of OCPI's PowerType")),
    "max_voltage": (None, _("a maximum voltage")),
    "max_amperage": (None, _("a maximum amperage")),
}


def gaps(row: Site | Connector) -> list[str]:
    """What is missing before this can be published; [] if it is."""
    needs = SITE_NEEDS if isinstance(row, Site) else CONNECTOR_NEEDS
    return [str(words) for name, (pattern, words) in needs.items() if not _has(getattr(row, name), pattern)]


def _has(value: object, pattern: str | None) -> bool:
    return value is not None and (pattern is None or re.fullmatch(pattern, str(value)) is not None)


def _complete(needs: Needs, prefix: str = "") -> Q:
    """The same as a condition of the database."""
    condition = Q()
    for name, (pattern, _words) in needs.items():
        lookup = {f"{name}__regex": f"^({pattern})$"} if pattern else {f"{name}__isnull": False}
        condition &= Q(**{prefix + key: value for key, value in lookup.items()})
    return condition


def _sites(partner: OcpiPartner) -> QuerySet[Site]:
    chosen = partner.sites.all() if partner.sites.exists() else Site.objects.all()
    return chosen.filter(_complete(SITE_NEEDS))


def sites(partner: OcpiPartner) -> QuerySet[Site]:
    """The sites that this partner sees, with `last_updated`: of the site or the latest of its parts."""
    return _sites(partner).annotate(
        last_updated=Greatest(
            "updated_at",
            Coalesce(Max("stations__updated_at"), "updated_at"),
            Coalesce(Max("stations__connectors__updated_at"), "updated_at"),
        )
    )


def connectors(partner: OcpiPartner) -> QuerySet[Connector]:
    at = _sites(partner).order_by().values("pk")
    return Connector.objects.filter(_complete(CONNECTOR_NEEDS), station__site__in=at)


def tariffs(partner: OcpiPartner) -> QuerySet[Tariff]:
    """Those that hold at the partner's sites."""
    at = _sites(partner).order_by().values("pk")
    used = Q(pk__in=Site.objects.filter(pk__in=at).values("tariff"))
    return Tariff.objects.filter(used | Q(pk__in=connectors(partner).values("tariff")))


def _charges(partner: OcpiPartner) -> QuerySet[ChargingSession]:
    """Sessions and credits alike, of those that this partner may see."""
    if partner.sessions == OcpiPartner.Sessions.NONE:
        return ChargingSession.objects.none()
    found = ChargingSession.objects.filter(connector__in=connectors(partner).values("pk"))
    if partner.sessions == OcpiPartner.Sessions.ALL:
        return found
    own = rf"^{partner.country_code}{partner.party_id}[A-Z0-9]{{9,10}}$"
    return found.filter(id_token__in=IdToken.objects.filter(contract_canonical__regex=own).values("pk"))


def sessions(partner: OcpiPartner) -> QuerySet[ChargingSession]:
    return _charges(partner).filter(credit=False)


def cdrs(partner: OcpiPartner) -> QuerySet[ChargingSession]:
    """Sessions and credits that have a cost; what must not be billed, or costs nobody knows what, has no CDR."""
    return _charges(partner).filter(status=ChargingSession.Status.COMPLETED, cost_minor__isnull=False)
