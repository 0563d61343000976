"""What this package holds of a person, for the archive (cards, charges, meter values), and how it forgets cards."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Erasure, User
from accounts.privacy.archive import Chunks, Section, section_add
from accounts.privacy.erasure import Step, step_add
from accounts.privacy.own_data import json_list, json_text, row_content
from accounts.privacy.own_erasure import log_forget
from common.csv_files import csv_lines
from stations.charging.words import moment_text, place, zone
from stations.messages import holding
from stations.models import ChargingSession, CustomerGroup, IdToken, MeterValue, SetAside

METER_COLUMNS = ("session_id", "sampled_at", "measurand", "value", "unit", "phase", "context")


def cards_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """Cards that are theirs, and those that they charged with before."""
    used = IdToken.objects.filter(sessions__customer=user)
    tokens = (IdToken.objects.filter(customer=user) | used).distinct().order_by("pk")
    names = ("uid", "type", "contract_id")
    content = [{**{name: getattr(t, name) for name in names}, "linked": t.customer_id == user.pk} for t in tokens]
    yield "cards.json", [json_text(content)]
    yield "price-groups.json", [json_text([group.name for group in CustomerGroup.objects.filter(customers=user)])]


def cards_holds(user: User) -> str:
    """How many, in words."""
    count = IdToken.objects.filter(customer=user).count()
    if not count:
        return gettext("no card and no contract")
    return ngettext("%(count)d card or contract", "%(count)d cards and contracts", count) % {"count": count}


def charges_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """Every charge as it is stored, and its meter values; read in parts, however many."""
    related = ("station", "connector", "id_token")
    sessions = ChargingSession.objects.filter(customer=user).select_related(*related).order_by("started_at", "pk")
    yield "charges.json", json_list(session_content(session) for session in sessions.iterator(chunk_size=500))
    values = MeterValue.objects.filter(session__customer=user).order_by("session__started_at", "session", "sampled_at")
    yield "meter-values.csv", csv_lines(METER_COLUMNS, (meter_row(value) for value in values.iterator(chunk_size=2000)))


def session_content(session: ChargingSession) -> dict[str, Any]:
    """The session's fields by their own names (docs/privacy.md), with the names of what it points to."""
    content = row_content(session) | {
        "station": session.station.identity,
        "connector": {"evse_id": session.connector.evse_id, "connector_id": session.connector.connector_id},
        "id_token": {"uid": session.id_token.uid, "type": session.id_token.type} if session.id_token else None,
    }
    content.pop("customer")
    return content


def meter_row(value: MeterValue) -> tuple[Any, ...]:
    """As METER_COLUMNS names them, times in UTC, numbers exact."""
    moment = value.sampled_at.isoformat().replace("+00:00", "Z")
    exact = f"{value.value.normalize():f}"
    return (value.session_id, moment, value.measurand, exact, value.unit, value.phase, value.context)


def charges_holds(user: User) -> str:
    """How many, in words."""
    count = ChargingSession.objects.filter(customer=user).count()
    if not count:
        return gettext("no charges")
    text = ngettext("%(count)d charge with its meter values", "%(count)d charges with their meter values", count)
    return text % {"count": count}


# --- erasure


def cards_forget(erasure: Erasure) -> None:
    """The numbers of their cards, in the admin's log and in what stations said, before the cards themselves go."""
    CustomerGroup.customers.through.objects.filter(user=erasure.customer_id).delete()
    uids = list(IdToken.objects.filter(customer=erasure.customer_id).values_list("uid", flat=True))
    log_forget(words=uids, pseudonym=erasure.pseudonym)
    for uid in uids:
        SetAside.objects.filter(example__icontains=uid).update(example="")
        SetAside.objects.filter(kind=SetAside.Kind.TWICE, subject__icontains=uid).delete()
    holding.messages_forget(uids=uids, customer_id=erasure.customer_id)


def charging_now(user: User) -> str:
    """Why an account cannot be deleted while its owner charges."""
    running = ChargingSession.objects.filter(customer=user, status=ChargingSession.Status.ACTIVE)
    session = running.select_related("station").order_by("started_at").first()
    if session is None:
        return ""
    where = {"place": place(session), "since": moment_text(session.started_at, zone(session))}
    return gettext("A charge is running: %(place)s, since %(since)s. End it first.") % where


def add_all() -> None:
    """To be called when Django starts."""
    cards = _(
        "cards.json, price-groups.json: the cards and contracts that are linked to your account, those you charged with"
        " before, and groups of customers for whose prices you charge."
    )
    section_add(Section("cards", cards, cards_holds, cards_files))
    charges = _("charges.json, meter-values.csv: every charge as we store it, and what the meter said during it.")
    section_add(Section("charges", charges, charges_holds, charges_files, lambda user: 2))
    messages = _("ocpp-messages.json: what stations said about your charges, as it came, as long as we keep it.")
    section_add(Section("messages", messages, holding.messages_holds, holding.messages_files))
    asked = _("commands.json: what you had stations do, or others about your charges, and what became of it.")
    section_add(Section("commands", asked, holding.commands_holds, holding.commands_files))
    step_add(Step("cards in the log", 10, cards_forget, charging_now))
