"""The driver's page of one session: its figures, its record, its meter values; and these as a file.

A request walks through once: may the reader see it (portal/reading.py), what the database has of it (query.py), power
and cost (figures.py), the words of the page (context.py).
"""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.privacy.access_log import Look
from common.csv_files import csv_response
from portal.charging.stopping import stopping_of
from portal.reading import reader_of, session_read
from portal.session.context import context_of
from portal.session.csv import meter_csv_lines
from portal.session.figures import figures_of
from portal.session.query import found_for
from portal.session.vehicle import vehicle_context


@require_safe
@login_required
@never_cache
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """With the figures that were recorded, whatever its row says today: what differs stands beside them."""
    reader, session = reader_of(request), session_read(request, session_id)
    found = found_for(session)
    figures = figures_of(found.shown, found.meter_values, reader)
    context = {**context_of(found, figures), **stopping_of(request, session), **vehicle_context(session, reader)}
    return render(request, "portal/session/session.html", context)


@require_safe
@login_required
@never_cache
def meter_values_csv(request: HttpRequest, session_id: UUID) -> StreamingHttpResponse:
    """All of them, exact; the page shows the first ones, rounded. A look of staff is noted as an export."""
    session = session_read(request, session_id, Look.EXPORT)
    return csv_response(f"evportal-meter-values-{session.pk}.csv", meter_csv_lines(session))
