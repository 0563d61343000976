"""`manage.py ocpp_messages`: what stations and the portal say to each other, on the terminal."""

import re
import time
from argparse import ArgumentParser
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from stations.messages.export import head_of
from stations.messages.search import Choice, page_before
from stations.messages.words import json_line, moment_exact
from stations.models import OcppMessage, Station

AGO = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
PAUSE_S = 0.5
OVERLAP = 2000  # ids that are looked at again: who began to write first need not be first to end


class Command(BaseCommand):
    help = "Shows OCPP messages, the oldest first; with --follow it goes on until it is interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What narrows them, and how they are shown."""
        parser.add_argument("--station", help="its identity")
        parser.add_argument("--action", default="", help="how the action begins: Boot, StartTransaction")
        parser.add_argument("--since", help="30s, 10m, 2h, 7d ago, or a time such as 2026-03-01T08:45:00Z (else UTC)")
        parser.add_argument("--limit", type=int, default=100, help="the newest so many, before following (100)")
        parser.add_argument("--follow", action="store_true", help="go on with what comes")
        parser.add_argument("--json", action="store_true", help="a line of JSON a message, whole")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is there, then what comes."""
        choice = Choice(station=_station(options["station"]), action=options["action"], since=_moment(options["since"]))
        limit = max(0, options["limit"])
        found = page_before(choice, size=limit).rows if limit else []
        known = OcppMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        for message in reversed(found):
            self._show(message, options["json"])
        if options["follow"]:
            try:
                for message in following(choice, known, {row.pk for row in found}):
                    self._show(message, options["json"])
            except KeyboardInterrupt:
                return

    def _show(self, message: OcppMessage, whole: bool) -> None:
        if whole:
            self.stdout.write(json_line(head_of(message), message.text), ending="")
            self.stdout.flush()
            return
        arrow = "->" if message.direction == OcppMessage.Direction.IN else "<-"
        what = f"{message.get_kind_display()} {message.action or '-'} {message.text}"
        self.stdout.write(f"{moment_exact(message.at)}Z {message.station.identity} {arrow} {what}")
        self.stdout.flush()


def following(choice: Choice, known: int, seen: set[int]) -> Iterator[OcppMessage]:
    """What is stored from now on, once each; without end. `seen`: ids that were shown already."""
    shown, order = set(seen), deque(sorted(seen))
    begun = timezone.now() - timedelta(seconds=10)  # what was being stored when we looked
    while True:
        rows = choice.rows.filter(pk__gt=known - OVERLAP, at__gte=begun).exclude(pk__in=list(shown))
        for row in rows.order_by("pk"):
            shown.add(row.pk)
            order.append(row.pk)
            known = max(known, row.pk)
            yield row
        while order and order[0] <= known - OVERLAP:
            shown.discard(order.popleft())
        time.sleep(PAUSE_S)


def _station(identity: str | None) -> Station | None:
    if identity is None:
        return None
    station = Station.objects.identified(identity).first()
    if station is None:
        raise CommandError(f"expected the identity of a station, got {identity!a}")
    return station


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if ago := AGO.fullmatch(text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"expected 30s, 10m, 2h, 7d or a time such as 2026-03-01T08:45:00Z, got {text!a}")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
