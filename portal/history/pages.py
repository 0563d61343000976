"""The charging history: the page, and the file of what it shows.

A request walks through once: who reads (visible.py), what they ask for (filter.py), what the database has of it
(query.py), the sums and bars (figures.py), the words of the page (context.py).
"""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.login import access
from accounts.privacy.access_log import Look, access_note_all
from common.csv_files import csv_response
from ledger.state.rows import in_rows
from portal.history.context import context_of
from portal.history.figures import figures_for
from portal.history.filter import Asked, asked_of
from portal.history.query import found_for, sessions_for
from portal.history.visible import visible_for
from portal.reading import problem, reader_of
from portal.session.csv import csv_lines
from portal.welcome.pages import landing_page


@access.for_strangers(landing_page)
@require_safe
@login_required
@never_cache
def history_page(request: HttpRequest) -> HttpResponse:
    """The list of finished sessions that fit the filter, above it sums and bars, and on top what charges now."""
    visible = visible_for(reader_of(request))
    if visible.newest is None:
        return render(request, "portal/history/empty.html", {"everybody": visible.everybody})
    asked = asked_of(request.GET, visible)
    found = found_for(visible, asked)
    if visible.everybody:
        customers = {session.customer_id for session in (*(one.session for one in found.told), *found.charging)}
        access_note_all(viewer=visible.user, customers=customers, what=Look.HISTORY)
    figures = figures_for(found.groups, asked.days, asked.bars, today=visible.today, everybody=visible.everybody)
    return render(request, "portal/history/history.html", context_of(visible, asked, found, figures))


@require_safe
@login_required
@never_cache
def history_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The sessions that the same filter shows on the history page, all of them in the same order, as a file."""
    visible = visible_for(reader_of(request))
    asked = asked_of(request.GET, visible)
    if asked.chosen is None:
        return _refused(request, asked)
    sessions = sessions_for(visible, asked)
    if visible.user.is_staff:
        customers = sessions.order_by().values_list("customer_id", flat=True).distinct()
        access_note_all(viewer=visible.user, customers=customers, what=Look.EXPORT)
    name = f"evportal-sessions-{timezone.now():%Y-%m-%d}.csv"
    return csv_response(name, csv_lines(in_rows(sessions)))


def _refused(request: HttpRequest, asked: Asked) -> HttpResponse:
    problems = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in asked.form.errors.items())
    title, todo = gettext("This filter cannot be used"), gettext("Set the filter anew on the history page.")
    return problem(request, 400, title, problems, todo)
