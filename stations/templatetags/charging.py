"""Template filters for the figures of charging sessions; the words are in stations/charging/words.py."""

from collections.abc import Callable
from typing import Any

from django import template

from stations.charging import words

register = template.Library()

FILTERS: dict[str, Callable[..., Any]] = {
    "kwh": words.kwh,
    "money": words.money,
    "amount": words.amount,
    "clock": words.clock,
    "spelled": words.spelled,
    "duration": words.duration,
    "place": words.place,
    "outlet": words.outlet,
    "period": words.period,
    "flags": words.flags,
    "moment": words.moment_text,
    "source": words.source,
    "stop": words.stop,
    "token": words.token,
    "plain": words.plain,
    "line_name": words.line_name,
    "line_quantity": words.line_quantity,
    "line_per": words.line_per,
    "price": words.price,
    "number": words.number,
    "date_text": words.date_text,
    "minute_text": words.minute_text,
    "kw": words.kw,
    "kwh_exact": words.kwh_exact,
    "time_of_day": words.time_text,
    "ticks_in": words.tick_texts,
    "zone_mark_in": lambda moment, where: words.zone_mark(moment.astimezone(where)),
}
for name, function in FILTERS.items():
    register.filter(name, function)
