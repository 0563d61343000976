"""What the admin's pages of stations and cards share: latest sessions, and actions that ask before they do."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin_log import Logged
from accounts.change_log import values_of
from stations.models import ChargingSession
from stations.words import kwh, money

LATEST = 10
AT_ONCE_MAX = 100


def latest_sessions(sessions: QuerySet[ChargingSession], query: str) -> SafeString | str:
    """The newest sessions as a table, and a link to all of them; `query` narrows the admin's list to these."""
    found = list(sessions.select_related("station", "customer").order_by("-started_at", "-id")[:LATEST])
    if not found:
        return "none yet"
    rows = format_html_join(
        "",
        '<tr><td data-name="Start, UTC"><a href="{}">{}</a></td><td data-name="Station">{}</td>'
        '<td data-name="Customer">{}</td><td class="number" data-name="Energy, kWh">{}</td>'
        '<td class="number" data-name="Cost">{}</td><td data-name="State">{}</td></tr>',
        (
            (
                reverse("admin:stations_chargingsession_change", args=[one.pk]),
                f"{one.started_at:%Y-%m-%d %H:%M}",
                one.station.identity,
                one.customer or "–",
                kwh(one.energy_wh),
                money(one.cost_minor, one.currency),
                one.status,
            )
            for one in found
        ),
    )
    return format_html(
        '<table class="ev-rows"><thead><tr><th scope="col">Start, UTC</th><th scope="col">Station</th>'
        '<th scope="col">Customer</th><th scope="col" class="number">Energy, kWh</th>'
        '<th scope="col" class="number">Cost</th><th scope="col">State</th></tr></thead><tbody>{}</tbody></table>'
        '<a href="{}?{}">All its sessions</a>',
        *(rows, reverse("admin:stations_chargingsession_changelist"), query),
    )


def asked_first(
    admin: Logged,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    question: str,
    effect: str,
    words: str,
    act: Callable[[Any], object],
) -> HttpResponse | None:
    """Name what was chosen and what will happen; do it once that is confirmed, each with its line in the log."""
    chosen = list(queryset[: AT_ONCE_MAX + 1])
    if len(chosen) > AT_ONCE_MAX:
        admin.message_user(request, f"Choose at most {AT_ONCE_MAX} at once.", messages.WARNING)
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
    with transaction.atomic():
        for row in chosen:
            before = values_of(row)
            act(row)
            admin.log_values(request, row, before, words)
    admin.message_user(request, f"{words} ({len(chosen)})", messages.SUCCESS)
    return None
