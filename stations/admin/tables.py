"""Sites, stations, cards and sessions in the admin. What stations reported is read, never written."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import ApiClient, User
from accounts.privacy.admin_looks import NotesLooks
from common.admin_log import Logged, NamesStay
from common.admin_paging import CappedPaginator
from common.admin_read_only import ReadOnly
from common.announce import announce
from stations.admin.actions import Comparable, asked_first, latest_sessions
from stations.admin.corrections import Correctable
from stations.admin.ending import Endable
from stations.admin.metering import Signed, SignedFilter
from stations.admin.words import place_words, tariff_words
from stations.cards.linking import VALID_FOR, link_code_make
from stations.cards.services import id_token_link, id_token_unlink
from stations.charging.words import duration, flags, kwh, money, spelled
from stations.errors import TokenTakenError
from stations.identifiers import contract_read, token_forms
from stations.models import ChargingSession, IdToken, LinkCode, MeterValue, Site


class IdTokenForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """A token and its customer; what becomes of the sessions when it leaves them is asked, not guessed."""

    mistaken = forms.BooleanField(
        label=_("the link was a mistake"),
        required=False,
        help_text=_(
            "Only when the customer changes: the sessions leave the former customer with the card, because they were "
            "never theirs. Otherwise they stay theirs, and whoever gets the card next does not see them."
        ),
    )

    class Meta:
        model = IdToken
        fields = ("uid", "type", "contract_id", "customer", "group", "entered", "blocked", "expires_at", "single")


@admin.register(IdToken)
class IdTokenAdmin(NotesLooks, NamesStay):
    """A customer gets a card here, or a code to link it by themselves; what was charged with it comes along."""

    form = IdTokenForm
    names = ("uid", "type")
    change_form_template = "admin/stations/idtoken/change_form.html"
    list_display = ("uid", "type", "contract_id", "customer")
    list_filter = ("type", ("customer", admin.EmptyFieldListFilter))
    list_select_related = ("customer",)
    search_fields = ("uid", "contract_id", "customer__username", "customer__email")
    search_help_text = _("The card's number, the contract, or the customer's name or e-mail address")
    autocomplete_fields = ("customer",)
    readonly_fields = ("latest",)
    actions = ("unlink",)
    paginator = CappedPaginator
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Also by the number in other letters, and contracts with other separators."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        forms = token_forms(search_term.strip())
        same = Q(canonical__in=forms) | Q(contract_canonical__in=forms)
        return (found | queryset.filter(same) if search_term.strip() else found), distinct

    @admin.display(description=_("latest sessions"))
    def latest(self, id_token: IdToken) -> str:
        """Its newest sessions, with a link to all."""
        if not id_token.pk:
            return gettext("none yet")
        return latest_sessions(id_token.sessions.all(), f"id_token__id__exact={id_token.pk}")

    @admin.action(description=_("Unlink from their customers"), permissions=["change"])
    def unlink(self, request: HttpRequest, queryset: QuerySet[IdToken]) -> HttpResponse | None:
        """Asked first; nothing is deleted."""
        return asked_first(
            self,
            request,
            queryset.select_related("customer"),
            question=gettext("Unlink these cards from their customers?"),
            effect=gettext("They belong to nobody then, until they are linked again. Nothing is deleted."),
            words=_("Unlinked from its customer."),
            act=lambda id_token: id_token_unlink(id_token=id_token),
        )

    def save_model(self, request: HttpRequest, obj: IdToken, form: Any, change: bool) -> None:
        """Link and unlink through the services, which take the sessions along, in the admin's own transaction."""
        customer = obj.customer
        obj.customer_id = form.initial.get("customer") if change else None
        super().save_model(request, obj, form, change)
        if change and {"blocked", "expires_at", "customer", "group"} & {*form.changed_data}:
            transaction.on_commit(lambda: announce("stations.tasks.local_lists_renew"))  # stations that have it listed
        contract = contract_read(obj.contract_id)
        if contract and not contract.is_right:
            text = gettext("The contract's check digit would be %(digit)s. It is kept as you wrote it.")
            self.message_user(request, text % {"digit": contract.check_expected}, messages.WARNING)
        if obj.customer_id == (customer.pk if customer else None):
            return
        left = id_token_unlink(id_token=obj, mistaken=form.cleaned_data["mistaken"])
        if left:
            text = ngettext("%d session left its former customer.", "%d sessions left their former customer.", left)
            self.message_user(request, text % left, messages.INFO)
        if customer:
            count = id_token_link(id_token=obj, customer=customer)
            text = ngettext(
                "%(count)d session charged with it belongs to %(customer)s now.",
                "%(count)d sessions charged with it belong to %(customer)s now.",
                count,
            )
            self.message_user(request, text % {"count": count, "customer": customer}, messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        """With the page that makes a code for linking."""
        view = self.admin_site.admin_view(never_cache(self.link_code_view))
        return [path("<int:pk>/link-code/", view, name="stations_idtoken_link_code"), *super().get_urls()]

    def link_code_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask once, then make a code for linking and show it this once."""
        id_token = self.get_object(request, str(pk))
        if id_token is None:
            raise Http404(f"no token {pk}")
        if not self.has_change_permission(request, id_token):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "id_token": id_token, "opts": self.opts}
        context |= {"open": LinkCode.objects.open().filter(id_token=id_token).first(), "days": VALID_FOR.days}
        if request.method == "POST":
            try:
                context["code"] = link_code_make(id_token=id_token, made_by=cast(User, request.user))
                self.log_change(request, id_token, "Made a code for linking it.")
            except TokenTakenError:  # the page says so
                id_token.refresh_from_db()
        return render(request, "admin/stations/idtoken/link_code.html", context)


@admin.register(LinkCode)
class LinkCodeAdmin(NotesLooks, ReadOnly, Logged):
    """Which codes for linking there are and what became of them; the codes themselves nobody can read again."""

    customer_path = "used_by"
    list_display = ("id_token", "made_at", "made_by", "expires_at", "used_at", "used_by", "ended_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    list_select_related = ("id_token", "made_by", "used_by")
    search_fields = ("^id_token__uid", "^used_by__username")
    date_hierarchy = "made_at"


class RemarksFilter(admin.SimpleListFilter):
    title, parameter_name = _("remarks"), "remarks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """With remarks, or without."""
        return [("some", gettext("With remarks")), ("none", gettext("Without"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ChargingSession]) -> QuerySet[ChargingSession]:
        """The sessions that the choice means."""
        if self.value() == "some":
            return queryset.exclude(flags=[])
        return queryset.filter(flags=[]) if self.value() == "none" else queryset


@admin.register(ChargingSession)
class ChargingSessionAdmin(Signed, NotesLooks, Correctable, Endable, Comparable, ReadOnly, Logged):
    change_form_template = "admin/stations/chargingsession/change_form.html"
    list_display = ("started", "place", "customer", "energy", "cost", "lasted", "status", "flag_words")
    list_filter = ("status", "source", "station__site", RemarksFilter, SignedFilter)
    list_select_related = ("station", "customer")
    search_fields = ("id", "transaction_id", "station__identity", "customer__username", "id_token__uid")
    search_help_text = _("The session's id or number, the station, the customer or the card")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-id")
    exclude = (
        *("flags", "location", "cost_minor", "currency", "tariff"),
        *("signed_meter_values", "signed_verdict", "signed_reason", "meter_public_key"),
    )
    readonly_fields = (
        *("place_words", "cost", "promised", "flag_words", "came_by", "meter_values_link", "page_link"),
        *("signed_words", "signed_key", "signed_texts_shown"),
    )
    actions = ("compare",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An id is looked up by its index; a text by the names that begin with it."""
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The pages of stations and cards link to their sessions."""
        linked = lookup in {"station__id__exact", "id_token__id__exact"}
        return linked or super().lookup_allowed(lookup, value, request)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """From the beginning of each, so that an index serves."""
        return ("^transaction_id", "^station__identity", "^customer__username", "^id_token__uid")

    @admin.display(description=_("started, UTC"), ordering="started_at")
    def started(self, session: ChargingSession) -> str:
        """To the minute, UTC."""
        return f"{session.started_at:%Y-%m-%d %H:%M}"

    @admin.display(description=_("station"), ordering="station__identity")
    def place(self, session: ChargingSession) -> str:
        """The station's identity."""
        return session.station.identity

    @admin.display(description=_("energy, kWh"), ordering="energy_wh")
    def energy(self, session: ChargingSession) -> str:
        """In kWh, as pages write it."""
        return kwh(session.energy_wh)

    @admin.display(description=_("cost"), ordering="cost_minor")
    def cost(self, session: ChargingSession) -> str:
        """With its currency."""
        return money(session.cost_minor, session.currency)

    @admin.display(description=_("place at the start"))
    def place_words(self, session: ChargingSession) -> str:
        """The site as it was when the charge began, in words."""
        return place_words(session)

    @admin.display(description=_("tariff at the start"))
    def promised(self, session: ChargingSession) -> str:
        """What was promised, in words."""
        return tariff_words(session)

    @admin.display(description=_("duration"))
    def lasted(self, session: ChargingSession) -> str:
        """In words; a dash while it goes on."""
        return spelled(duration(session))

    @admin.display(description=_("remarks"))
    def flag_words(self, session: ChargingSession) -> str:
        """The flags in sentences."""
        return " ".join(flags(session))

    @admin.display(description=_("meter values"))
    def meter_values_link(self, session: ChargingSession) -> str:
        """To the list of its meter values alone."""
        address = reverse("admin:stations_metervalue_changelist")
        words = gettext("Show its meter values")
        return format_html('<a href="{}?session__id__exact={}">{}</a>', address, session.pk, words)

    @admin.display(description=_("import"))
    def came_by(self, session: ChargingSession) -> str:
        """To the import that brought it, by its file's name, which says what somebody did to the file."""
        if session.import_run is None:
            return self.get_empty_value_display()
        address = reverse("admin:stations_importrun_change", args=[session.import_run_id])
        return format_html('<a href="{}">{}</a>', address, session.import_run)

    @admin.display(description=_("page"))
    def page_link(self, session: ChargingSession) -> str:
        """To what its driver reads."""
        words = gettext("The page its driver sees")
        return format_html('<a href="{}">{}</a>', reverse("session", args=[session.pk]), words)


@admin.register(MeterValue)
class MeterValueAdmin(NotesLooks, ReadOnly, Logged):
    customer_path = "session__customer"
    list_display = ("sampled_at", "session", "measurand", "value", "unit", "phase", "context")
    list_filter = ("measurand", "context")
    list_select_related = ("session",)
    date_hierarchy = "sampled_at"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also by session, where the session's page links to."""
        return lookup == "session__id__exact" or super().lookup_allowed(lookup, value, request)


class ClientSiteForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    class Meta:
        model = Site.api_clients.through
        fields = ("site",)
        labels = {"site": _("Site")}


class ClientSiteInline(admin.TabularInline):  # type: ignore[type-arg]
    """The sites that a program sees; none are needed where it sees all."""

    model = Site.api_clients.through
    extra = 0
    form = ClientSiteForm
    verbose_name, verbose_name_plural = _("site"), _("sites that it sees")
    autocomplete_fields = ("site",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change programs may choose their sites."""
        return request.user.has_perm("accounts.change_apiclient")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a site is chosen or taken away."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see programs."""
        return request.user.has_perm("accounts.view_apiclient")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change programs."""
        return request.user.has_perm("accounts.change_apiclient")


@admin.register(ApiClient)
class ApiClientAdmin(NamesStay):
    """Programs of integrators: Cognito app clients, with what each may see."""

    names = ("client_id",)
    list_display = ("name", "client_id", "all_sites", "is_active", "created_at")
    list_filter = ("is_active", "all_sites")
    search_fields = ("name", "client_id")
    inlines = (ClientSiteInline,)
