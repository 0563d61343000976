"""Pages of a vehicle's statements: the list of months, and each statement as PDF, CSV and ZIP."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.login.access import public
from common.csv_files import csv_response
from ledger.receipts.checks import receipt_for
from portal.employer import recipients
from portal.employer.files import KINDS, Making, ReceiptMissingError, file_made, file_name, file_soon, statement_csv
from portal.employer.forms import RecipientForm
from portal.employer.recipients import RecipientRefusedError
from portal.employer.statement import EVERYWHERE, HOME, VehicleStatement, periods_of, statement_of
from portal.reading import problem, reader_of
from portal.statements.statements import StatementPeriod, zone_of
from stations.models import StatementRecipient, Vehicle
from stations.vehicles.assigning import home_codes

REFRESH_S = 1
TYPES = {"pdf": "application/pdf", "zip": "application/zip"}


class PlacesConverter:
    """At home only, or everywhere, in an address."""

    regex = f"{HOME}|{EVERYWHERE}"

    def to_python(self, value: str) -> str:
        """As it stands there."""
        return value

    def to_url(self, value: str) -> str:
        """The same."""
        return value


class KindConverter(PlacesConverter):
    """Which file, by its ending."""

    regex = "|".join(KINDS)


def _vehicle(request: HttpRequest, vehicle_id: int) -> Vehicle:
    vehicles = Vehicle.objects.select_related("owner")
    return get_object_or_404(vehicles, pk=vehicle_id, owner=reader_of(request))


def _statement(request: HttpRequest, vehicle_id: int, places: str, of: StatementPeriod) -> VehicleStatement:
    statement = statement_of(_vehicle(request, vehicle_id), places, of)
    if statement is None:
        raise Http404(f"no charge of this vehicle in {of}")
    return statement


@require_safe
@login_required
@never_cache
def statements_page(request: HttpRequest, vehicle_id: int, places: str) -> HttpResponse:
    """The months with charges of this vehicle, and who gets them by e-mail."""
    return _statements(request, _vehicle(request, vehicle_id), places, RecipientForm())


def _statements(request: HttpRequest, vehicle: Vehicle, places: str, form: RecipientForm) -> HttpResponse:
    recipient = StatementRecipient.objects.filter(vehicle=vehicle, home_only=places == HOME).first()
    sent = recipient and recipient.deliveries.exclude(number="").filter(sent_at__isnull=False).first()
    context = {
        "vehicle": vehicle,
        "places": places,
        "home_only": places == HOME,
        "homes": home_codes(vehicle.owner),
        "years": periods_of(vehicle, places),
        "recipient": recipient,
        "sent": sent,
        "zone": zone_of(vehicle.owner),
        "can_mail": bool(settings.PUBLIC_URL),
        "form": form,
    }
    return render(request, "portal/employer/statements.html", context, status=400 if form.errors else 200)


@require_safe
@login_required
@never_cache
def statement_file(request: HttpRequest, vehicle_id: int, places: str, of: StatementPeriod, kind: str) -> HttpResponse:
    """The file; a long one that is not made yet leads to the page that shows how far it is."""
    statement = _statement(request, vehicle_id, places, of)
    try:
        made = file_soon(statement, kind, receipt_for)
        if isinstance(made, Making):
            if not made.silent:
                return redirect("vehicle_statement_making", vehicle_id, places, of, kind)
            made = file_made(statement, kind, receipt_for)
    except ReceiptMissingError as error:
        back = reverse("vehicle_statements", args=[vehicle_id, places])
        what, todo = str(error), _("Look at the charges of this month: one of them says what is wrong.")
        return problem(request, 409, _("The file cannot be made"), what, todo, back=back)
    headers = {"Content-Disposition": f'attachment; filename="{file_name(statement, kind)}"'}
    return HttpResponse(made, content_type=TYPES[kind], headers=headers)


@require_safe
@login_required
@never_cache
def statement_making(
    request: HttpRequest, vehicle_id: int, places: str, of: StatementPeriod, kind: str
) -> HttpResponse:
    """How far the file is; looks again by itself, without script, until it is there."""
    statement = _statement(request, vehicle_id, places, of)
    made = file_soon(statement, kind, receipt_for)
    making = made if isinstance(made, Making) else None
    context = {"statement": statement, "making": making, "kind": kind}
    response = render(request, "portal/employer/making.html", context)
    if making and not making.silent:
        response["Refresh"] = str(REFRESH_S)
    return response


@require_safe
@login_required
@never_cache
def statement_csv_file(
    request: HttpRequest, vehicle_id: int, places: str, of: StatementPeriod
) -> StreamingHttpResponse:
    """One line a charge."""
    statement = _statement(request, vehicle_id, places, of)
    return csv_response(file_name(statement, "csv"), statement_csv(statement=statement))


# --- by e-mail to the employer


@require_POST
@login_required
def recipient_set(request: HttpRequest, vehicle_id: int, places: str) -> HttpResponse:
    """Ask an address whether it wants the statements, or stop sending them."""
    vehicle = _vehicle(request, vehicle_id)
    if request.POST.get("stop"):
        for recipient in StatementRecipient.objects.filter(vehicle=vehicle, home_only=places == HOME):
            recipients.recipient_stop(recipient=recipient)
        return _back(vehicle, places)
    if not settings.PUBLIC_URL:
        raise Http404("no address of this portal to be named in an e-mail")
    form = RecipientForm(request.POST)
    if form.is_valid():
        try:
            recipients.recipient_ask(vehicle=vehicle, address=form.cleaned_data["address"], home_only=places == HOME)
        except RecipientRefusedError as error:
            form.add_error("address", str(error))
        else:
            return _back(vehicle, places)
    return _statements(request, vehicle, places, form)


def _back(vehicle: Vehicle, places: str) -> HttpResponse:
    return redirect(f"{reverse('vehicle_statements', args=[vehicle.pk, places])}#by-mail")


@public
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def recipient_page(request: HttpRequest, token: str) -> HttpResponse:
    """Behind the link: say yes, or stop. A look changes nothing, as mail programs look at links themselves."""
    recipient = recipients.recipient_of(token)
    if recipient is None:
        raise Http404("no such link")
    if request.method == "POST":
        if request.POST.get("answer") == "yes":
            recipients.recipient_confirm(recipient=recipient)
        else:
            recipients.recipient_stop(recipient=recipient)
        return redirect("recipient", token)
    owner = recipient.user
    context = {
        "recipient": recipient,
        "driver": owner.get_full_name() or owner.get_username(),
        "stopped": recipient.stopped_at is not None,
        "confirmed": recipient.confirmed_at is not None,
    }
    response = render(request, "portal/employer/recipient.html", context)
    response["Referrer-Policy"] = "no-referrer"  # the link is the key
    return response
