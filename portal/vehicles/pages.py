"""The driver's vehicles, homes and years; and of which vehicle one charge was."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.reading import problem, reader_of
from portal.statements.statements import zone_of
from portal.vehicles.forms import ChargeVehicleForm, HomesForm, VehicleForm, YearForm
from stations.charging.words import period
from stations.models import ChargingSession, PriceBasis, Vehicle, YearChoice
from stations.models.vehicles import FIRST_YEAR, LAST_YEAR
from stations.vehicles import services
from stations.vehicles.assigning import counts_of, garage_of, link_of
from stations.vehicles.services import VehicleRefusedError


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def vehicles_page(request: HttpRequest) -> HttpResponse:
    """The vehicles with their charges, the homes, the years; a POST adds a vehicle."""
    user = reader_of(request)
    form = VehicleForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            vehicle = services.vehicle_add(user=user, **form.cleaned_data)
        except VehicleRefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Added: %(vehicle)s.") % {"vehicle": vehicle})
            return HttpResponseRedirect(reverse("vehicles"))
    garage = garage_of(user)
    counts = counts_of(user, garage)
    rows = [(vehicle, counts[vehicle.pk]) for vehicle in garage.vehicles.values()]
    homes = [home.site_id for home in user.home_sites.all()]
    year = timezone.now().astimezone(zone_of(user)).year
    context = {
        "form": form,
        "here": [row for row in rows if row[0].given_away_at is None],
        "gone": [row for row in rows if row[0].given_away_at is not None],
        "homes": HomesForm(initial={"sites": homes}, user=user),
        "years": [services.year_price(user, one) for one in (year, year - 1)],
        "zone": zone_of(user),
    }
    return render(request, "portal/vehicles/vehicles.html", context, status=400 if form.errors else 200)


def _vehicle(request: HttpRequest, vehicle_id: int) -> Vehicle:
    return get_object_or_404(Vehicle, pk=vehicle_id, owner=reader_of(request))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def vehicle_page(request: HttpRequest, vehicle_id: int) -> HttpResponse:
    """Change name, plate and cards."""
    vehicle = _vehicle(request, vehicle_id)
    cards = [card.id_token_id for card in vehicle.vehicle_cards.all()]
    told = {"name": vehicle.name, "plate": vehicle.plate, "cards": cards}
    form = VehicleForm(request.POST if request.method == "POST" else None, initial=told, user=vehicle.owner)
    if request.method == "POST" and form.is_valid():
        services.vehicle_change(vehicle=vehicle, **form.cleaned_data)
        messages.success(request, _("Changed: %(vehicle)s.") % {"vehicle": form.cleaned_data["name"]})
        return HttpResponseRedirect(reverse("vehicles"))
    context = {"vehicle": vehicle, "form": form}
    return render(request, "portal/vehicles/vehicle.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def vehicle_remove_page(request: HttpRequest, vehicle_id: int) -> HttpResponse:
    """Ask once, then take it out of the garage; its charges and statements stay."""
    vehicle = _vehicle(request, vehicle_id)
    if request.method == "POST":
        name = str(vehicle)
        deleted = services.vehicle_remove(vehicle=vehicle)
        kept = "" if deleted else _("Its charges and statements stay.")
        messages.success(request, " ".join([_("Removed: %(vehicle)s.") % {"vehicle": name}, kept]).strip())
        return HttpResponseRedirect(reverse("vehicles"))
    count = counts_of(vehicle.owner, garage_of(vehicle.owner))[vehicle.pk]
    return render(request, "portal/vehicles/remove.html", {"vehicle": vehicle, "count": count})


@require_POST
@login_required
def homes_set(request: HttpRequest) -> HttpResponse:
    """These places are home, and no others."""
    form = HomesForm(request.POST, user=reader_of(request))
    if form.is_valid():
        services.homes_set(user=reader_of(request), sites=form.cleaned_data["sites"])
        messages.success(request, _("Your homes are saved."))
    return HttpResponseRedirect(f"{reverse('vehicles')}#homes")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def year_page(request: HttpRequest, year: int) -> HttpResponse:
    """Choose by what the year's charges at home are accounted: once."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Http404(f"no year {year}")
    user = reader_of(request)
    form = YearForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            services.year_choose(user=user, year=year, basis=form.cleaned_data["basis"])
        except VehicleRefusedError as error:
            what, todo = str(error), _("Nobody but the operator can change a choice.")
            return problem(request, 409, _("This is not chosen"), what, todo, back=reverse("vehicles"))
        messages.success(request, _("Chosen for the whole of %(year)s.") % {"year": year})
        return HttpResponseRedirect(f"{reverse('vehicles')}#years")
    context = {
        "year": year,
        "form": form,
        "rate": services.flat_rate_of(year),
        "choice": YearChoice.objects.filter(user=user, year=year).first(),
        "bases": PriceBasis,
    }
    return render(request, "portal/vehicles/year.html", context, status=400 if form.errors else 200)


# --- one charge


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def charge_vehicle_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Of which vehicle it was, and the odometer. The recorded charge stays as it is."""
    user = reader_of(request)
    found = ChargingSession.objects.filter(customer=user).closed().select_related("vehicle_link", "station")
    session = get_object_or_404(found, pk=session_id)
    garage = garage_of(user)
    vehicle, link = garage.vehicle_of(session), link_of(session)
    told: dict[str, Any] = {"vehicle": str(vehicle.pk) if vehicle else "", "odometer_km": link and link.odometer_km}
    posted = request.POST if request.method == "POST" else None
    form = ChargeVehicleForm(posted, initial=told, vehicles=list(garage.vehicles.values()))
    if request.method == "POST" and form.is_valid():
        chosen = garage.vehicles.get(int(form.cleaned_data["vehicle"] or 0))
        odometer_km = form.cleaned_data["odometer_km"]
        services.charge_vehicle_set(session=session, vehicle=chosen, odometer_km=odometer_km)
        messages.success(request, _("Saved. The recorded charge itself is unchanged."))
        return HttpResponseRedirect(reverse("session", args=[session.pk]))
    context = {"session": session, "period": period(session), "form": form, "any": bool(garage.vehicles)}
    return render(request, "portal/vehicles/charge.html", context, status=400 if form.errors else 200)
