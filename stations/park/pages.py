"""The park, live: one page of all stations that the reader may see, and the part of it that is read again."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin_paging import CappedPaginator
from stations.models import Site, Station
from stations.park.live import Row, narrowed, rows_of, stations_ranked, totals
from stations.park.words import STATES, fault_words, outlet_words

ROWS = 50


class ParkForm(forms.Form):
    """What narrows the page; it comes in the address."""

    q = forms.CharField(label=_("Search"), max_length=48, required=False)
    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.none(), required=False, empty_label=_("all"))
    state = forms.ChoiceField(label=_("State"), choices=[("", _("all")), *STATES.items()], required=False)

    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(data)
        chosen: Any = self.fields["site"]
        chosen.queryset = Site.objects.visible_to(user).order_by("name", "pk")


def park_view(request: HttpRequest) -> HttpResponse:
    """The whole page; with `part=live` only what changes."""
    if not request.user.has_perm("stations.view_station"):
        raise PermissionDenied
    form, now = ParkForm(request.GET, request.user), timezone.now()
    chosen = form.cleaned_data if form.is_valid() else {}
    site = chosen.get("site")
    seen = Station.objects.visible_to(request.user)
    stations = narrowed(
        stations_ranked(seen.select_related("site"), now),
        site=site.pk if site else None,
        state=chosen.get("state", ""),
        term=chosen.get("q", "").strip(),
        now=now,
    )
    page = CappedPaginator(stations, ROWS).get_page(request.GET.get("p"))
    of_site = seen.filter(site=site) if site else seen
    context = {
        "at": now,
        "page": page,
        "rows": [shown(row) for row in rows_of(list(page.object_list), now)],
        "totals": totals(of_site, str(site.pk) if site else "all"),
        "site": site,
        "query": _query(request, form),
        "searched": bool(chosen.get("q") or chosen.get("state") or site),
    }
    if request.GET.get("part") == "live":
        return render(request, "admin/stations/park/_live.html", context)
    context |= {**admin.site.each_context(request), "form": form, "title": gettext("Park"), "opts": Station._meta}
    return render(request, "admin/stations/park/park.html", context)


def shown(row: Row) -> dict[str, Any]:
    """The row with its words."""
    evses = [one.evse_id for one in row.connectors]
    outlets = [(one.status.lower(), outlet_words(one, several=evses.count(one.evse_id) > 1)) for one in row.connectors]
    return {
        "row": row,
        "station": row.station,
        "state_words": STATES[row.state],
        "outlets": outlets,
        "faults": [fault_words(one) for one in row.faults],
        "power_w": row.power_w,
    }


def _query(request: HttpRequest, form: ParkForm) -> str:
    kept = request.GET.copy()
    for name in set(kept) - set(form.fields):
        del kept[name]
    return kept.urlencode()
