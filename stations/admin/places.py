"""Sites, their tariffs, stations and outlets in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from common.admin_log import NamesStay
from stations.admin.actions import asked_first, latest_sessions
from stations.admin.lists import ConnectorForm, SiteForm, StationForm, TariffForm
from stations.admin.security import Securable
from stations.commands.station_pages import Commandable
from stations.models import Connector, Site, Station, Tariff
from stations.ocpi.published import gaps
from stations.park.admin import ParkPages
from stations.park.words import connection_words
from stations.places.credentials import station_credential_withdraw
from stations.preview.pages import Previewable


class TellsGaps(NamesStay):
    """Says whether OCPI partners can see the row, and if not, what they would need to know of it."""

    readonly_fields = ("published",)

    @admin.display(description=_("for OCPI partners"))
    def published(self, row: Site | Connector) -> str:
        """Whether OCPI partners see it, or what it lacks."""
        missing = gaps(row)
        if not missing:
            return gettext("published")
        return gettext("not published: lacks %(what)s") % {"what": ", ".join(missing)}


class ConnectorInline(admin.StackedInline):  # type: ignore[type-arg]
    """Outlets are added here; those that are there are changed on their own page, which keeps their numbers."""

    model = Connector
    form = ConnectorForm
    # Stacked, in short rows: as one row an outlet was wider than any screen.
    fields = (
        ("evse_id", "connector_id", "emi3_id"),
        ("standard", "power_type", "format"),
        ("max_power_w", "max_voltage", "max_amperage"),
        ("status", "tariff"),
    )
    extra = 0
    can_delete = False
    show_change_link = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never here: an outlet has a page of its own."""
        return False


class HeardFilter(admin.SimpleListFilter):
    title, parameter_name = _("heard"), "heard"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Silent for too long, or never heard at all."""
        return [("silent", gettext("Silent for longer than usual")), ("never", gettext("Never heard"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:
        """The stations that the choice means."""
        if self.value() == "silent":
            return queryset.filter(pk__in=Station.objects.silent(timezone.now()).values("pk"))
        return queryset.filter(last_seen_at__isnull=True) if self.value() == "never" else queryset


@admin.register(Site)
class SiteAdmin(TellsGaps):
    form = SiteForm
    names = ("code",)
    list_display = ("name", "code", "city", "country", "time_zone", "currency", "tariff")
    list_filter = ("country", "currency")
    search_fields = ("name", "code", "city")
    list_select_related = ("tariff",)
    autocomplete_fields = ("tariff",)


@admin.register(Tariff)
class TariffAdmin(Previewable):
    """A change holds for sessions that start from now on: those that run or ended keep what they were promised."""

    form = TariffForm
    names = ("code", "currency")
    list_display = ("name", "code", "currency", "price_per_kwh", "price_per_session", "vat_percent", "valid_to")
    list_filter = ("currency",)
    search_fields = ("name", "code")


@admin.register(Station)
class StationAdmin(ParkPages, Commandable, Securable):
    names = ("identity",)
    change_form_template = "admin/stations/station/change_form.html"
    list_display = ("identity", "site", "vendor", "model", "connected", "has_credential", "last_seen_at")
    list_filter = (HeardFilter, "enabled", "ocpp_version", "site", "vendor")
    form = StationForm
    list_select_related = ("site",)
    search_fields = ("identity", "serial_number", "site__name")
    autocomplete_fields = ("site",)
    readonly_fields = ("has_credential", "last_heard", "latest")
    actions = ("ask_together", "withdraw_credential", "install_roots", "request_certificates")
    inlines = (ConnectorInline,)

    @admin.display(description=_("connection"), ordering="connected_at")
    def connected(self, station: Station) -> str:
        """Since when, over which version of OCPP."""
        return connection_words(station)

    @admin.display(description=_("credential"))
    def has_credential(self, station: Station) -> str:
        """Without one it cannot report."""
        return pgettext("credential", "set") if station.credential_hash else gettext("none: it cannot report")

    @admin.display(description=_("last heard"))
    def last_heard(self, station: Station) -> str:
        """When, how long ago, and whether that is too long for this station."""
        if station.last_seen_at is None:
            return gettext("never")
        late = station.expected_by is not None and station.expected_by < timezone.now()
        words = (
            gettext("%(at)s UTC, %(time)s ago: silent for longer than usual")
            if late
            else gettext("%(at)s UTC, %(time)s ago")
        )
        return words % {"at": f"{station.last_seen_at:%Y-%m-%d %H:%M}", "time": timesince(station.last_seen_at)}

    @admin.display(description=_("latest sessions"))
    def latest(self, station: Station) -> str:
        """Its newest sessions, with a link to all."""
        if not station.pk:
            return gettext("none yet")
        return latest_sessions(station.sessions.all(), f"station__id__exact={station.pk}")

    @admin.action(description=_("Withdraw the credential"), permissions=["change"])
    def withdraw_credential(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse | None:
        """For a station that was stolen or sold: what it reports from now on is refused."""
        return asked_first(
            self,
            request,
            queryset,
            question=gettext("Withdraw the credentials of these stations?"),
            effect=gettext(
                "They cannot report until each gets a new credential on its page. What they reported stays."
            ),
            words=_("Credential withdrawn."),
            act=lambda station: station_credential_withdraw(station=station),
        )


@admin.register(Connector)
class ConnectorAdmin(TellsGaps):
    form = ConnectorForm
    names = ("station", "evse_id", "connector_id")
    list_display = ("__str__", "standard", "power_type", "max_power_w", "status", "tariff")
    list_filter = ("status", "standard", "power_type")
    list_select_related = ("station", "tariff")
    search_fields = ("station__identity",)
    autocomplete_fields = ("station", "tariff")
