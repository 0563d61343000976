"""The statements' pages: the list of months, each statement as PDF and CSV, and sending them by e-mail."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from common.csv_files import csv_response
from ledger.errors import StatementMailRefused
from ledger.models import StatementMail, StatementSubscription
from portal.statements import mail as mailing
from portal.statements import statements
from portal.statements.files import Making, statement_csv, statement_name, statement_pdf, statement_pdf_soon
from portal.statements.statements import Statement, StatementPeriod

REFRESH_S = 1


class PeriodConverter:
    """A month or a year in an address; whatever else is 404."""

    regex = "[0-9]{4}(?:-[0-9]{2})?"

    def to_python(self, value: str) -> StatementPeriod:
        """A ValueError, as for month 13, means to Django that no address fits."""
        return StatementPeriod.parse(value)

    def to_url(self, value: StatementPeriod | str) -> str:
        """Templates give it as a text, views as what it is."""
        return str(value)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def _statement(request: HttpRequest, of: StatementPeriod) -> Statement:
    user = _user(request)
    statement = statements.statement_of(user, of, statements.zone_of(user))
    if statement is None:
        raise Http404(f"no session of this reader in {of}")
    return statement


@require_safe
@login_required
@never_cache
def statements_page(request: HttpRequest) -> HttpResponse:
    """The months with sessions and their sums, what became of the newest e-mail of each, and the monthly e-mail."""
    user = _user(request)
    where = statements.zone_of(user)
    newest_mails = {mail.first_day: mail for mail in StatementMail.objects.filter(user=user).order_by("id")}
    years = [
        (of.year, [(month, newest_mails.get(month.period.first_day)) for month in of.months])
        for of in statements.years_of(user)
    ]
    context = {
        "years": years,
        "zone": where,
        "address": mailing.address_of(user),
        "subscribed": StatementSubscription.objects.filter(user=user).exists(),
    }
    return render(request, "portal/statements/statements.html", context)


@require_safe
@login_required
@never_cache
def statement_pdf_file(request: HttpRequest, of: StatementPeriod) -> HttpResponse:
    """The paper; a long one that is not made yet leads to the page that shows how far it is."""
    statement = _statement(request, of)
    made = statement_pdf_soon(statement=statement)
    if isinstance(made, Making):
        if not made.silent:
            return redirect("statement_making", of)
        made = statement_pdf(statement=statement)
    headers = {"Content-Disposition": f'attachment; filename="{statement_name(statement, "pdf")}"'}
    return HttpResponse(made, content_type="application/pdf", headers=headers)


@require_safe
@login_required
@never_cache
def statement_making(request: HttpRequest, of: StatementPeriod) -> HttpResponse:
    """How far the paper is; looks again by itself, without script, until it is there."""
    statement = _statement(request, of)
    made = statement_pdf_soon(statement=statement)
    making = made if isinstance(made, Making) else None
    response = render(request, "portal/statements/making.html", {"statement": statement, "making": making})
    if making and not making.silent:
        response["Refresh"] = str(REFRESH_S)
    return response


@require_safe
@login_required
@never_cache
def statement_csv_file(request: HttpRequest, of: StatementPeriod) -> StreamingHttpResponse:
    """One line a session, in the columns of the history's export; read from the database while it is sent."""
    statement = _statement(request, of)
    return csv_response(statement_name(statement, "csv"), statement_csv(statement=statement))


@require_POST
@login_required
def statement_mail(request: HttpRequest, of: StatementPeriod) -> HttpResponse:
    """Send it by e-mail; the list says what became of it."""
    if of.month is None:
        raise Http404("a year is not sent")
    statement = _statement(request, of)
    try:
        mailing.statement_mail_request(user=statement.owner, of=of)
    except StatementMailRefused as error:
        return _refused(request, error)
    return HttpResponseRedirect(f"{reverse('statements')}#m{of}")


def _refused(request: HttpRequest, error: StatementMailRefused) -> HttpResponse:
    context = {
        "title": _("The statement is not sent"),
        "what": str(error),
        "kept": _("Nothing was changed by this, and nothing is lost."),
        "todo": _("The statement can be downloaded as PDF at any time."),
        "back": reverse("statements"),
        "back_label": _("Open the statements"),
    }
    return render(request, "errors/problem.html", context, status=409)


@require_POST
@login_required
def statement_subscription(request: HttpRequest) -> HttpResponse:
    """E-mail me each month's statement, or no longer."""
    mailing.statement_subscription_set(user=_user(request), wanted=request.POST.get("wanted") == "yes")
    return HttpResponseRedirect(f"{reverse('statements')}#by-mail")
