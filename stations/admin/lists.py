"""The lists that sites, tariffs and outlets are described from, and their forms."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.lists.forms import NOTHING, Choices, ListedForm, country_choices, zone_choices
from stations.ocpi.published import POWER_TYPES, STANDARDS
from stations.tariffs.words import currency_choices

# What people call the plugs of OCPI's ConnectorType that cars have most.
PLUGS: Mapping[str, Promise | str] = {
    "IEC_62196_T1": _("Type 1"),
    "IEC_62196_T1_COMBO": _("Type 1, CCS"),
    "IEC_62196_T2": _("Type 2"),
    "IEC_62196_T2_COMBO": _("Type 2, CCS"),
    "CHADEMO": "CHAdeMO",
    "DOMESTIC_F": _("household socket, Schuko"),
    "TESLA_S": "Tesla",
}
POWERS: Mapping[str, Promise] = {
    "AC_1_PHASE": _("alternating current, one phase"),
    "AC_2_PHASE": _("alternating current, two phases"),
    "AC_2_PHASE_SPLIT": _("alternating current, split phase"),
    "AC_3_PHASE": _("alternating current, three phases"),
    "DC": _("direct current"),
}


def plug_choices() -> Choices:
    return [NOTHING, *((code, _named(code, PLUGS)) for code in STANDARDS)]


def power_choices() -> Choices:
    return [NOTHING, *((code, _named(code, POWERS)) for code in POWER_TYPES)]


def _named(code: str, names: Mapping[str, Any]) -> str:
    return f"{code} ({names[code]})" if code in names else code


class SiteForm(ListedForm):
    lists = {"country": country_choices, "currency": currency_choices, "time_zone": zone_choices}


class StationForm(ListedForm):
    lists = {"time_zone": lambda: [NOTHING, *zone_choices()]}


class TariffForm(ListedForm):
    lists = {"currency": currency_choices}

    def add_prefix(self, field_name: str) -> str:
        """An input that is named `elements` hides the form's own list of inputs, which Django's admin goes through."""
        return super().add_prefix("tariff_elements" if field_name == "elements" else field_name)


class ConnectorForm(ListedForm):
    lists = {"standard": plug_choices, "power_type": power_choices}
