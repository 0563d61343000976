"""OCPI over HTTP: versions, credentials, and the sender interfaces of locations, tariffs, sessions and CDRs.

Each view serves every version (urls.py); what they write differently is in forms.py."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import AccessLogEntry
from accounts.privacy.access_log import access_note_all
from api.parsers import StrictJSONParser
from stations.charging.vocabulary import ENERGY_REGISTER
from stations.models import Connector, MeterValue, OcpiPartner, Site
from stations.ocpi import charges, locations, partners, published
from stations.ocpi.access import (
    IsPartner,
    IsRegistered,
    PartnerAuthentication,
    PartnerCaller,
    PartnerThrottle,
    message_ids,
    routing,
)
from stations.ocpi.credentials import credentials_read
from stations.ocpi.envelope import OcpiRenderer, answer, exception_handler
from stations.ocpi.forms import Form, Version
from stations.ocpi.listing import Page, page, wanted
from stations.ocpi.locations import Party
from stations.ocpi.offer import nothing_because

log = logging.getLogger(__name__)

MODULES = ("locations", "tariffs", "sessions", "cdrs")


def us() -> Party:
    """Who we are; OCPI is not there (404) as long as the settings do not say."""
    if not (settings.OCPI_COUNTRY_CODE and settings.OCPI_PARTY_ID):
        raise Http404
    return Party(settings.OCPI_COUNTRY_CODE, settings.OCPI_PARTY_ID)


def url_name(version: Version, route: str) -> str:
    """Of an address in urls.py, as `reverse` takes it; `route` "" is that of the version's details."""
    return f"ocpi-{version}-{route or 'details'}"


def language() -> str:
    return settings.LANGUAGE_CODE[:2]


class OcpiView(APIView):
    """What all have in common: the caller is a partner, and the answers have OCPI's form."""

    authentication_classes = [PartnerAuthentication]
    permission_classes = [IsPartner]
    parser_classes = [StrictJSONParser]
    renderer_classes = [OcpiRenderer]
    throttle_classes = [PartnerThrottle]
    schema = None  # OCPI has a specification of its own
    ocpi_version = Version.V2_2_1  # of the address, by urls.py

    @property
    def caller(self) -> PartnerCaller:
        assert isinstance(self.request.user, PartnerCaller), "IsPartner comes before"
        return self.request.user

    @property
    def partner(self) -> OcpiPartner:
        return self.caller.partner

    @property
    def form(self) -> Form:
        return Form(self.ocpi_version, settings.OPERATOR_VAT_ID)

    def get_exception_handler(self) -> Any:
        return exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        us()
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in message_ids(request).items():
            response[name] = value
        response["Cache-Control"] = "no-store"
        return response


class UnknownView(OcpiView):
    """Any other address below /ocpi: 404, in OCPI's form, for those who may ask at all."""

    def get(self, request: Request, rest: str) -> Response:
        """404 in OCPI's form."""
        raise Http404


# --- Registration


class VersionsView(OcpiView):
    http_method_names = ["get", "head"]

    def get(self, request: Request) -> Response:
        """The versions that are spoken here (version information endpoint)."""
        urls = {version: request.build_absolute_uri(reverse(url_name(version, ""))) for version in Version}
        return answer([{"version": version.value, "url": url} for version, url in urls.items()])


class DetailsView(OcpiView):
    http_method_names = ["get", "head"]

    def get(self, request: Request) -> Response:
        """Where each module is (version details endpoint)."""
        endpoints = [
            {
                "identifier": module,
                "role": "SENDER",
                "url": request.build_absolute_uri(reverse(url_name(self.ocpi_version, module))),
            }
            for module in ("credentials", *MODULES)
        ]
        return answer({"version": self.ocpi_version.value, "endpoints": endpoints})


class CredentialsView(OcpiView):
    http_method_names = ["get", "head", "post", "put", "delete"]

    def get(self, request: Request) -> Response:
        """Our credentials for this partner; the token is the one it just showed."""
        return self._ours(request, self.caller.token)

    def post(self, request: Request) -> Response:
        """A partner registers, and hears the token that it calls with from then on."""
        told = credentials_read(request.data, self.ocpi_version)
        token = partners.partner_register(partner=self.partner, told=told, version=self.ocpi_version)
        return self._ours(request, token)

    def put(self, request: Request) -> Response:
        """A registered partner's own address or token changed."""
        told = credentials_read(request.data, self.ocpi_version)
        token = partners.partner_update(partner=self.partner, told=told, version=self.ocpi_version)
        return self._ours(request, token)

    def delete(self, request: Request) -> Response:
        """A partner ends it."""
        partners.partner_unregister(partner=self.partner)
        return answer()

    def _ours(self, request: Request, token: str) -> Response:
        role = {"role": "CPO", **us().fields, "business_details": {"name": settings.OCPI_OPERATOR_NAME}}
        address = request.build_absolute_uri(reverse("ocpi-versions"))
        return answer({"token": token, "url": address, "roles": [role]})


# --- Sender interfaces


class ModuleView(OcpiView):
    """Objects for registered partners, with the routing headers; each look at a customer's data is noted."""

    permission_classes = [IsRegistered]
    http_method_names = ["get", "head"]
    route: dict[str, str] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Also reads from whom to whom the message goes."""
        super().initial(request, *args, **kwargs)
        self.route = routing(request, us=us(), partner=self.partner)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Turns the routing headers round for the answer."""
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.route.items():
            response[name] = value
        return response

    def listed(self, request: Request, rows: Any, changed: str, *, date_from_required: bool = False) -> Page[Any]:
        """The page of `rows` that the request asks for, by the time of `changed`."""
        module = type(self).__name__
        return page(
            rows,
            wanted(request.query_params, date_from_required=date_from_required),
            changed=changed,
            query=request.query_params,
            count_key=f"{self.partner.pk}_{module}",
        )

    def told(self, request: Request, found: Page[Any], objects: list[dict[str, Any]]) -> Response:
        """The answer; whose data it holds is noted in the access log."""
        log.info("OCPI: %s pulled %d objects of %s", self.partner, len(objects), request.path)
        customers = [getattr(row, "customer_id", None) for row in found.rows]
        viewer = f"OCPI partner {self.partner}"
        access_note_all(viewer=viewer, customers=customers, what=AccessLogEntry.Look.API, subject=request.path)
        hint = "" if found.total else nothing_because(self.partner)
        return answer(objects, headers=found.headers(request.build_absolute_uri(request.path)), message=hint)


class LocationsView(ModuleView):
    def get(self, request: Request) -> Response:
        """Sites with their outlets, two queries a page."""
        found = self.listed(request, published.sites(self.partner), "last_updated")
        outlets = published.connectors(self.partner).filter(station__site__in=[site.pk for site in found.rows])
        by_site: dict[int, list[Connector]] = {site.pk: [] for site in found.rows}
        for outlet in outlets.select_related("tariff", "station__site__tariff"):
            by_site[outlet.station.site_id].append(outlet)
        objects = [
            locations.location(site, by_site[site.pk], party=us(), updated=site.last_updated) for site in found.rows
        ]
        return self.told(request, found, objects)


class LocationView(ModuleView):
    """A location, an EVSE of it, or a connector of that."""

    def get(self, request: Request, location_id: str, evse_uid: str = "", connector_id: str = "") -> Response:
        """A site, one of its EVSEs or connectors; ids as OCPI compares them, whatever their case."""
        readable = location_id.isprintable()  # a NUL would be an error of the database
        site = published.sites(self.partner).filter(code__iexact=location_id).first() if readable else None
        if site is None:
            raise Http404
        found: Any = self._location(site)
        if evse_uid:
            found = _named(found["evses"], "uid", evse_uid)
        if connector_id:
            found = _named(found["connectors"], "id", connector_id)
        return answer(found)

    def _location(self, site: Site) -> dict[str, Any]:
        outlets = published.connectors(self.partner).filter(station__site=site)
        rows = list(outlets.select_related("tariff", "station__site__tariff"))
        updated = getattr(site, "last_updated")  # noqa: B009 - annotated
        return locations.location(site, rows, party=us(), updated=updated)


def _named(objects: list[dict[str, Any]], name: str, value: str) -> dict[str, Any]:
    """The object of that id: a CiString, which means the same in capitals."""
    for found in objects:
        if found[name].lower() == value.lower():
            return found
    raise Http404


class TariffsView(ModuleView):
    def get(self, request: Request) -> Response:
        """Tariffs that hold where the partner sees something."""
        found = self.listed(request, published.tariffs(self.partner), "updated_at")
        ours: dict[str, Any] = {"party": us(), "language": language(), "form": self.form}
        objects = [locations.tariff(row, **ours) for row in found.rows]
        return self.told(request, found, objects)


class SessionsView(ModuleView):
    def get(self, request: Request) -> Response:
        """Sessions with the energy that the meter showed last."""
        registers = MeterValue.objects.filter(session=OuterRef("pk"), measurand=ENERGY_REGISTER, unit="Wh", phase="")
        rows = published.sessions(self.partner).select_related("station__site", "connector", "id_token")
        rows = rows.annotate(register_wh=Subquery(registers.order_by("-sampled_at").values("value")[:1]))
        found = self.listed(request, rows, "updated_at", date_from_required=True)
        ours: dict[str, Any] = {"party": us(), "form": self.form}
        objects = [charges.session(row, register_wh=row.register_wh, **ours) for row in found.rows]
        return self.told(request, found, objects)


class CdrsView(ModuleView):
    def get(self, request: Request) -> Response:
        """Charge detail records, once a session has settled for OCPI_CDR_SETTLE_S seconds."""
        parts = ("station__site", "connector", "id_token")
        rows = published.cdrs(self.partner).select_related(*parts, *(f"credit_reference__{part}" for part in parts))
        settled = timezone.now() - timedelta(seconds=settings.OCPI_CDR_SETTLE_S)
        found = self.listed(request, rows.filter(updated_at__lte=settled), "updated_at")
        ours: dict[str, Any] = {"party": us(), "language": language(), "form": self.form}
        receipt = request.build_absolute_uri(reverse("receipt_page", args=[UUID(int=0)]))
        urls = [receipt.replace(str(UUID(int=0)), str(row.pk)) for row in found.rows]
        objects = [charges.cdr(row, receipt_url=url, **ours) for row, url in zip(found.rows, urls, strict=True)]
        return self.told(request, found, objects)
