"""Keys of meters and what was signed, in the admin: entered, compared, withdrawn; a charge's texts and their worth."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.change_log import values_of
from stations.errors import MeterKeyError
from stations.metering.registering import key_add, key_confirm, key_read, key_withdraw
from stations.metering.words import VERDICTS, reason_text
from stations.models import ChargingSession, Connector, MeterPublicKey, Station

State = MeterPublicKey.State
STEPS = ("confirm", "withdraw")


class MeterKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """A key from the meter's plate or its maker, in whatever form it is handed out."""

    evse_id = forms.IntegerField(
        label=_("Outlet (EVSE)"),
        min_value=1,
        required=False,
        help_text=_("its number at the station; empty: the meter of the whole station"),
    )
    key = forms.CharField(
        label=_("Public key"),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("hexadecimal, Base64 or PEM, as the meter's plate, its maker or the calibration authority has it"),
    )

    class Meta:
        model = MeterPublicKey
        fields = ("station", "meter_serial")

    def clean_key(self) -> str:
        """It can be read."""
        text: str = self.cleaned_data["key"]
        try:
            self.found = key_read(text)
        except MeterKeyError as error:
            raise ValidationError(str(error)) from error
        return text

    def clean(self) -> dict[str, Any]:
        """The outlet is the station's, and the key is no news."""
        cleaned = super().clean() or self.cleaned_data
        station: Station | None = cleaned.get("station")
        number = cleaned.get("evse_id")
        self.connector = None
        if station is not None and number is not None:
            self.connector = Connector.objects.filter(station=station, evse_id=number).order_by("connector_id").first()
            if self.connector is None:
                self.add_error("evse_id", gettext("This station has no such outlet."))
        if station is not None and "key" in cleaned and not self.errors:
            where = {"station": station, "connector": self.connector, "public_key": self.found[0]}
            same = MeterPublicKey.objects.filter(**where, meter_serial=cleaned["meter_serial"].strip())
            if same.filter(state=State.CONFIRMED).exists():
                self.add_error("key", gettext("This key is registered for this meter already."))
        return cleaned


@admin.register(MeterPublicKey)
class MeterPublicKeyAdmin(ReadOnly, Logged):
    """Read; what may be done has a page of its own."""

    change_form_template = "admin/stations/meterpublickey/change_form.html"
    form = MeterKeyForm
    list_display = ("station", "outlet", "meter_serial", "state", "source", "curve", "short", "first_seen_at")
    list_filter = ("state", "source", "station__site")
    list_select_related = ("station", "connector")
    search_fields = ("station__identity", "meter_serial", "^public_key")
    autocomplete_fields = ("station",)
    ordering = ("-first_seen_at", "-id")
    shown = (
        *("station", "outlet", "meter_serial", "state", "source", "curve", "fingerprint_words", "hex_words"),
        *("first_seen_at", "confirmed_at", "confirmed_by", "ended_at", "replaced_by"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who runs the stations."""
        return request.user.has_perm("stations.add_meterpublickey")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of a key that is there; of a new one what is asked."""
        return self.shown if obj else ("station", "evse_id", "meter_serial", "key")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A key never changes."""
        return self.shown if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Register it, confirmed by who entered it."""
        row = key_add(
            station=form.cleaned_data["station"],
            connector=form.connector,
            meter_serial=form.cleaned_data["meter_serial"],
            text=form.cleaned_data["key"],
            by=cast(User, request.user),
        )
        obj.__dict__.update(row.__dict__)

    def get_urls(self) -> list[URLPattern]:
        """With the pages of the two steps."""
        view = self.admin_site.admin_view(never_cache(self.step_view))
        name = "stations_meterpublickey"
        steps = [path(f"<int:pk>/{step}/", view, {"step": step}, name=f"{name}_{step}") for step in STEPS]
        return [*steps, *super().get_urls()]

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        """Show the fingerprint and what follows; do it once that is confirmed."""
        if not request.user.has_perm("stations.change_meterpublickey"):
            raise PermissionDenied
        key = get_object_or_404(MeterPublicKey.objects.select_related("station", "connector"), pk=pk)
        address = reverse("admin:stations_meterpublickey_change", args=[key.pk])
        before, error, by = values_of(key), "", cast(User, request.user)
        if request.method == "POST":
            try:
                done = key_confirm(key=key, by=by) if step == "confirm" else key_withdraw(key=key)
            except MeterKeyError as refused:
                error = str(refused)
            else:
                self.log_values(request, done, before, f"{done.state.capitalize()}: {done.fingerprint}")
                self.message_user(request, gettext("Done. Charges that end from now on are judged accordingly."))
                return HttpResponseRedirect(address)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "key": key, "step": step}
        return render(request, "admin/stations/meterpublickey/step.html", context | {"error": error})

    @admin.display(description=_("outlet (EVSE)"), ordering="connector__evse_id")
    def outlet(self, key: MeterPublicKey) -> str:
        """Its number, or that it is the whole station."""
        return str(key.connector.evse_id) if key.connector else gettext("the whole station")

    @admin.display(description=_("fingerprint"))
    def short(self, key: MeterPublicKey) -> str:
        """The beginning of it."""
        return f"{key.fingerprint[:23]}…"

    @admin.display(description=_("fingerprint (SHA-256)"))
    def fingerprint_words(self, key: MeterPublicKey) -> SafeString:
        """All of it."""
        return format_html('<code class="ev-hex">{}</code>', key.fingerprint)

    @admin.display(description=_("public key (DER, hexadecimal)"))
    def hex_words(self, key: MeterPublicKey) -> SafeString:
        """As on the meter's plate."""
        return format_html('<code class="ev-hex">{}</code>', key.public_key)


# --- A charge


class SignedFilter(admin.SimpleListFilter):
    title, parameter_name = _("signatures of the meter"), "signed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The verdicts, and that there is none."""
        choices = ChargingSession.SignedVerdict.choices
        return [*((value, str(label)) for value, label in choices), ("none", gettext("Not signed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ChargingSession]) -> QuerySet[ChargingSession]:
        """The sessions that the choice means."""
        if self.value() in ChargingSession.SignedVerdict.values:
            return queryset.filter(signed_verdict=self.value())
        return queryset.filter(signed_verdict="") if self.value() == "none" else queryset


class Signed(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """What a meter signed of a charge, and what that is worth, on the charge's page."""

    @admin.display(description=_("signatures of the meter"))
    def signed_words(self, session: ChargingSession) -> str:
        """The verdict and its reason in words."""
        if not session.is_closed:
            return gettext("judged when the charge ends")
        words = str(VERDICTS[session.signed_verdict])
        return f"{words}: {reason_text(session.signed_reason)}" if session.signed_reason else words

    @admin.display(description=_("registered key"))
    def signed_key(self, session: ChargingSession) -> SafeString | str:
        """With which it was judged."""
        if not session.meter_public_key:
            return self.get_empty_value_display()
        return format_html('<code class="ev-hex">{}</code>', session.meter_public_key)

    @admin.display(description=_("signed texts"))
    def signed_texts_shown(self, session: ChargingSession) -> SafeString | str:
        """Each as it came, letter for letter."""
        names = ("format", "encoding", "context", "text")
        if session.is_closed:
            rows = [{name: one.get(name, "") for name in names} for one in session.signed_meter_values]
        else:
            rows = list(session.signed_texts.order_by("pk").values(*names))
        if not rows:
            return self.get_empty_value_display()
        row = "<details><summary>{format}, {encoding} {context}</summary><pre class='ev-json'>{text}</pre></details>"
        return format_html_join("", row, rows)
