"""Pages of a vehicle's statements: the list of months, and each statement as PDF, CSV and ZIP."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.csv_files import csv_response
from ledger.receipts.checks import receipt_for
from portal.employer.files import KINDS, Making, ReceiptMissingError, file_made, file_name, file_soon, statement_csv
from portal.employer.statement import EVERYWHERE, HOME, VehicleStatement, periods_of, statement_of
from portal.reading import problem, reader_of
from portal.statements.statements import StatementPeriod
from stations.models import Vehicle
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
    vehicle = _vehicle(request, vehicle_id)
    context = {
        "vehicle": vehicle,
        "places": places,
        "home_only": places == HOME,
        "homes": home_codes(vehicle.owner),
        "years": periods_of(vehicle, places),
    }
    return render(request, "portal/employer/statements.html", context)


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
