"""The pages "Charge": choose an outlet, start with one of one's own cards, watch it begin; stop a running charge."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portal.charging import words
from portal.charging.asking import BEGINS_WITHIN, START, CannotAsk, charge_of, start_ask, stop_ask
from portal.charging.outlets import cards_for, outlet_known, outlet_of, outlet_read, outlets_known
from portal.charging.prices import prices_of
from portal.reading import reader_of
from stations.cards.words import token_name
from stations.charging.power import progress_of
from stations.identifiers import evse_id_canonical
from stations.models import ChargingSession, Command, Connector
from stations.tariffs.bill import cost_so_far

EVSE_ID_MAX = 48


@require_safe
@login_required
@never_cache
def charge_page(request: HttpRequest) -> HttpResponse:
    """Type what is printed at the outlet, or choose one of those where one charged before."""
    typed, error = request.GET.get("outlet", "").strip(), ""
    if typed:
        if len(typed) <= EVSE_ID_MAX and (connector := outlet_of(typed)):
            return HttpResponseRedirect(reverse("charge_outlet", args=[evse_id_canonical(connector.emi3_id)]))
        error = _("No outlet of ours has this number. It is printed there, and looks like DE*ABC*E1234*1.")
    known = [(one, _address(one.connector), words.short(one.hindrance)) for one in outlets_known(reader_of(request))]
    context = {"typed": typed, "error": error, "known": known, "longest": EVSE_ID_MAX}
    return render(request, "portal/charging/charge.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def outlet_page(request: HttpRequest, evse_id: str) -> HttpResponse:
    """The outlet with this EVSE ID, as the code at the station leads to it."""
    connector = outlet_of(evse_id) if len(evse_id) <= EVSE_ID_MAX else None
    if connector is None:
        raise Http404("no outlet with this EVSE ID")
    return _outlet(request, connector)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def outlet_known_page(request: HttpRequest, pk: int) -> HttpResponse:
    """An outlet where they charged before; any other is not there."""
    connector = outlet_known(reader_of(request), pk)
    if connector is None:
        raise Http404("no outlet of this reader")
    return _outlet(request, connector)


def _outlet(request: HttpRequest, connector: Connector) -> HttpResponse:
    reader, error = reader_of(request), ""
    cards = cards_for(connector, reader)
    chosen = next((card for card in cards if str(card.pk) == request.POST.get("card")), None)
    if request.method == "POST" and chosen is None:
        error = _("Choose the card with which to charge.") if cards else ""
    elif request.method == "POST" and chosen is not None:
        try:
            command = start_ask(customer=reader, connector=connector, card=chosen)
        except CannotAsk as refused:
            error = words.refusal_words(refused.reason, refused.hindrance)
        else:
            return HttpResponseRedirect(reverse("charge_start", args=[command.pk]))
    outlet = outlet_read(connector, reader)
    card = chosen or (cards[0] if len(cards) == 1 else None)
    context = {
        "connector": connector,
        "outlet": outlet,
        "short": words.short(outlet.hindrance),
        "todo": words.TODO.get(outlet.hindrance, "") if outlet.hindrance else "",
        "cards": [(card, token_name(card.type, card.uid)) for card in cards],
        "chosen": card,
        "prices": prices_of(connector, cards, timezone.now()),
        "error": error,
    }
    return render(request, "portal/charging/outlet.html", context)


def _address(connector: Connector) -> str:
    if connector.emi3_id and outlet_of(connector.emi3_id) == connector:
        return reverse("charge_outlet", args=[evse_id_canonical(connector.emi3_id)])
    return reverse("charge_outlet_known", args=[connector.pk])


@require_safe
@login_required
@never_cache
def start_page(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a start is; the charge appears by itself."""
    related = ("station__site", "session")
    mine = Command.objects.filter(user=reader_of(request), by=Command.By.DRIVER, kind=START).select_related(*related)
    command = get_object_or_404(mine, pk=pk)
    session = charge_of(command)
    late = timezone.now() - command.asked_at > BEGINS_WITHIN
    waits = session is None and (command.is_open or (command.state == Command.State.ACCEPTED and not late))
    said = words.starting_words(command)
    if session is None and command.state == Command.State.ACCEPTED and late:
        said = words.never_began()
    connector = _connector_of(command)
    context = {
        "command": command,
        "connector": connector,
        "again": _address(connector) if connector and not session and not waits else "",
        "said": said,
        "waits": waits,
        "session": session,
        "moves": waits or (session is not None and not session.is_closed),
        **(_figures(session) if session is not None and not session.is_closed else {}),
    }
    return render(request, "portal/charging/start.html", context)


def _connector_of(command: Command) -> Connector | None:
    place = {name: command.params.get(name) for name in ("evse_id", "connector_id")}
    return Connector.objects.select_related("station__site").filter(station=command.station, **place).first()


def _figures(session: ChargingSession) -> dict[str, Any]:
    values = list(session.meter_values.order_by("sampled_at", "pk"))
    progress = progress_of(session, values)
    return {
        "progress": progress,
        "cost": cost_so_far(session, progress.energy_wh, values),
        "so_far": timezone.now() - session.started_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def stop_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Ask once, then have the station stop; only one's own charge, whoever may see more."""
    reader = reader_of(request)
    mine = ChargingSession.objects.filter(customer=reader).select_related("station", "connector")
    session = get_object_or_404(mine, pk=session_id)
    address = reverse("session", args=[session.pk])
    error = ""
    if request.method == "POST":
        try:
            if stop_ask(customer=reader, session=session) is None:
                messages.info(request, _("This charge has ended already."))
            return HttpResponseRedirect(address)
        except CannotAsk as refused:
            error = words.refusal_words(refused.reason, refused.hindrance)
    elif session.is_closed:
        return HttpResponseRedirect(address)
    return render(request, "portal/charging/stop.html", {"session": session, "address": address, "error": error})
