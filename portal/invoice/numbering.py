"""The numbers of invoices: consecutive within a year, each given once, and none left out (§ 14 (4) UStG).

A paper is made anew each time that somebody reads it; its number is given when it is made for the first time, and the
same content has the same one from then on. Whatever changes on it makes another invoice, with the next number.
"""

import hashlib

from django.db import transaction

from stations.models import InvoiceNumber, InvoiceSeries

DIGITS = 6


def invoice_number(*, year: int, content: str) -> str:
    """Such as 2026-000017. Of two that ask at once for the same content, both get the same."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    if (known := InvoiceNumber.objects.filter(content_sha256=digest).first()) is not None:
        return _text(known)
    InvoiceSeries.objects.get_or_create(year=year)
    with transaction.atomic():
        series = InvoiceSeries.objects.select_for_update(no_key=True).get(year=year)
        made = InvoiceNumber.objects.filter(content_sha256=digest).first()
        if made is None:
            series.last += 1
            series.save(update_fields=["last"])
            made = InvoiceNumber.objects.create(series=series, serial=series.last, content_sha256=digest)
    return _text(made)


def _text(made: InvoiceNumber) -> str:
    return f"{made.series_id}-{made.serial:0{DIGITS}d}"
