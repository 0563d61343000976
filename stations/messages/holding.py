"""How long messages are kept, what a customer gets of them and of commands, how they are forgotten with their cards."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts.models import User
from accounts.privacy.archive import Chunks
from accounts.privacy.own_data import json_list
from common.database.pruning import rows_prune
from stations.commands.sweeping import commands_end
from stations.messages.cards import spellings
from stations.messages.export import head_of
from stations.models import Command, OcppMessage, StationEvent

LOOKED_THROUGH = 20_000  # ids whose texts one query reads


def messages_prune(*, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is older than the settings say, in batches while `go_on()`; returns how many."""
    old = OcppMessage.objects.filter(at__lt=_oldest(settings.OCPP_MESSAGES_KEEP_DAYS))
    return rows_prune(old.order_by("at"), go_on=go_on)


def events_prune(*, go_on: Callable[[], bool] = lambda: True) -> int:
    """The same of what stations told of themselves."""
    old = StationEvent.objects.filter(at__lt=_oldest(settings.OCPP_EVENTS_KEEP_DAYS))
    return rows_prune(old.order_by("at"), go_on=go_on)


def commands_prune(*, go_on: Callable[[], bool] = lambda: True) -> int:
    """The same of commands; those without an outcome stay. The load management's own are forgotten with the messages.

    Of these the outlets' rows keep the outcome, and there is one for each step of each car.
    """
    over = Command.objects.exclude(state__in=Command.OPEN).order_by("asked_at")
    load = Q(by=Command.By.PORTAL, kind__in=("set_profile", "clear_profile"))
    count = rows_prune(over.filter(load, asked_at__lt=_oldest(settings.OCPP_MESSAGES_KEEP_DAYS)), go_on=go_on)
    return count + rows_prune(over.filter(asked_at__lt=_oldest(settings.OCPP_COMMANDS_KEEP_DAYS)), go_on=go_on)


def _oldest(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


# --- a customer's


def messages_of(user: User) -> QuerySet[OcppMessage]:
    """What was said about their charges, the oldest first."""
    return OcppMessage.objects.filter(session__customer=user).select_related("station").order_by("pk")


def messages_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """Each message of their charges as it came."""
    rows = messages_of(user).iterator(chunk_size=500)
    yield "ocpp-messages.json", json_list({**head_of(row), "text": row.text} for row in rows)


def messages_holds(user: User) -> str:
    """How many, in words."""
    count = messages_of(user).order_by().count()
    if not count:
        return gettext("no messages of stations")
    return ngettext("%(count)d message of a station", "%(count)d messages of stations", count) % {"count": count}


# --- and of commands


def commands_of(user: User) -> QuerySet[Command]:
    """Those that they gave, and those about their charges, the oldest first."""
    return Command.objects.filter(Q(user=user) | Q(session__customer=user)).select_related("station").order_by("pk")


def commands_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """Each with what became of it; who else gave one about their charge is not named."""
    rows = commands_of(user).iterator(chunk_size=500)
    yield "commands.json", json_list(_content(command) for command in rows)


def _content(command: Command) -> dict[str, Any]:
    names = ("kind", "params", "by", "state", "words", "asked_at", "sent_at", "answered_at", "answer")
    found = {name: getattr(command, name) for name in names}
    return {"station": command.station.identity, "charge": command.session_id, **found}


def commands_holds(user: User) -> str:
    """How many, in words."""
    count = commands_of(user).order_by().count()
    if not count:
        return gettext("no commands to stations")
    return ngettext("%(count)d command to a station", "%(count)d commands to stations", count) % {"count": count}


# --- erasure


def messages_forget(*, uids: Iterable[str], customer_id: int) -> None:
    """Delete each message that names one of these cards, however it is written, and those of charges that name any.

    What events and commands say of the cards goes, too; that there were some stays.
    """
    of_charges = OcppMessage.objects.filter(session__customer=customer_id)
    of_charges.filter(Q(text__icontains="idTag") | Q(text__icontains="idToken")).delete()
    looked_for = {spelled for uid in uids for spelled in spellings(uid)}
    if not looked_for:
        return
    named = Q()
    for spelled in looked_for:
        named |= Q(text__icontains=spelled)
        StationEvent.objects.filter(data__icontains=spelled).update(data={})
        named_commands = Command.objects.filter(params__icontains=spelled)
        # Without its parameters it cannot be sent any more.
        commands_end(named_commands.filter(state=Command.State.WAITING), state=Command.State.CANCELLED)
        named_commands.update(params={})
    for rows in _in_parts():
        rows.filter(named).delete()


def _in_parts() -> Iterator[QuerySet[OcppMessage]]:
    """All messages, some ids at a time: no index finds words in their texts."""
    ends = OcppMessage.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for first in range(ends["first"], ends["last"] + 1, LOOKED_THROUGH):
        yield OcppMessage.objects.filter(pk__gte=first, pk__lt=first + LOOKED_THROUGH)
