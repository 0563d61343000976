"""What the admin's pages of stations, cards and sessions share: latest sessions, actions that ask before they do."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin_log import Logged
from common.change_log import values_of
from stations.charging.words import kwh, money
from stations.models import ChargingSession

LATEST = 10
AT_ONCE_MAX = 100
ROW = (
    '<tr><td data-name="{start_name}"><a href="{address}">{start}</a></td><td data-name="{station_name}">{station}</td>'
    '<td data-name="{customer_name}">{customer}</td><td class="number" data-name="{energy_name}">{energy}</td>'
    '<td class="number" data-name="{cost_name}">{cost}</td><td data-name="{state_name}">{state}</td></tr>'
)
TABLE = (
    '<table class="ev-rows"><thead><tr><th scope="col">{start_name}</th><th scope="col">{station_name}</th>'
    '<th scope="col">{customer_name}</th><th scope="col" class="number">{energy_name}</th>'
    '<th scope="col" class="number">{cost_name}</th><th scope="col">{state_name}</th></tr></thead>'
    '<tbody>{rows}</tbody></table><a href="{address}?{query}">{words}</a>'
)


def latest_sessions(sessions: QuerySet[ChargingSession], query: str) -> SafeString | str:
    """The newest sessions as a table, and a link to all of them; `query` narrows the admin's list to these."""
    found = list(sessions.select_related("station", "customer").order_by("-started_at", "-id")[:LATEST])
    if not found:
        return gettext("none yet")
    names = {
        "start_name": gettext("Start, UTC"),
        "station_name": gettext("Station"),
        "customer_name": gettext("Customer"),
        "energy_name": gettext("Energy, kWh"),
        "cost_name": gettext("Cost"),
        "state_name": gettext("State"),
    }
    rows = format_html_join("", ROW, (names | _cells(one) for one in found))
    address = reverse("admin:stations_chargingsession_changelist")
    return format_html(TABLE, **names, rows=rows, address=address, query=query, words=gettext("All its sessions"))


def _cells(session: ChargingSession) -> dict[str, object]:
    return {
        "address": reverse("admin:stations_chargingsession_change", args=[session.pk]),
        "start": f"{session.started_at:%Y-%m-%d %H:%M}",
        "station": session.station.identity,
        "customer": session.customer or "–",
        "energy": kwh(session.energy_wh),
        "cost": money(session.cost_minor, session.currency),
        "state": session.get_status_display(),
    }


def asked_first(
    admin: Logged,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    question: str,
    effect: str,
    words: Promise,
    act: Callable[[Any], object],
) -> HttpResponse | None:
    """Name what was chosen and what will happen; do it once that is confirmed, each with its line in the log.

    `words` say that it was done: in the log in English, as it is read by all, on the page in the reader's language.
    """
    chosen = list(queryset[: AT_ONCE_MAX + 1])
    if len(chosen) > AT_ONCE_MAX:
        text = gettext("Choose at most %(count)d at once.") % {"count": AT_ONCE_MAX}
        admin.message_user(request, text, messages.WARNING)
        return None
    if "confirmed" not in request.POST:
        context = {**admin.admin_site.each_context(request), "opts": admin.opts, "title": question}
        context |= {
            "effect": effect,
            "chosen": chosen,
            "action": request.POST.get("action"),
            "name": ACTION_CHECKBOX_NAME,
        }
        return render(request, "admin/confirm_action.html", context)
    with translation.override("en"):
        logged = str(words)
    with transaction.atomic():
        for row in chosen:
            before = values_of(row)
            act(row)
            admin.log_values(request, row, before, logged)
    admin.message_user(request, f"{words} ({len(chosen)})", messages.SUCCESS)
    return None


class Comparable(Logged):
    """Leads from chosen sessions to the ledger's page that compares them with their records and puts them back."""

    def has_compare_permission(self, request: HttpRequest) -> bool:
        """Who may have sessions compared with their records: operators of the ledger."""
        return request.user.has_perm("ledger.change_ledgerentry")

    @admin.action(description=_("Compare with their records, and put back what differs"), permissions=["compare"])
    def compare(self, request: HttpRequest, queryset: QuerySet[ChargingSession]) -> HttpResponse:
        """The page shows what differs, field by field, and asks for the reason (ledger/admin/repair.py)."""
        ids = queryset.order_by("pk").values_list("pk", flat=True)[: AT_ONCE_MAX + 1]
        address = reverse("admin:ledger_ledgerentry_put_back")
        return HttpResponseRedirect(f"{address}?{urlencode([('id', pk) for pk in ids])}")
