"""Station authorities, what they issued, and what stations asked for, in the admin: read, revoked and settled there."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.change_log import values_of
from stations.admin.actions import asked_first
from stations.certificates.errors import CertificatesError
from stations.certificates.requests import request_settle
from stations.certificates.revoking import certificate_revoke
from stations.models import CertificateRequest, InstalledRoot, StationAuthority, StationCertificate

Reason = StationCertificate.Reason


@admin.register(StationAuthority)
class StationAuthorityAdmin(ReadOnly):
    """Made by `manage.py station_authority`, where the TPM service is within reach."""

    list_display = ("name", "status", "valid_from", "valid_to", "issued", "crl_number")
    fields = (
        *("name", "status", "valid_from", "valid_to", "key_name", "attested", "fingerprint", "issued", "installed"),
        *("crl_number", "crl_due_at", "root", "certificate_pem"),
    )
    readonly_fields = fields

    @admin.display(description=_("issued"))
    def issued(self, row: StationAuthority) -> SafeString:
        """How many certificates, as a link to them."""
        address = reverse("admin:stations_stationcertificate_changelist")
        living = row.certificates.living(timezone.now()).count()
        words = gettext("%(count)d in all, %(living)d good now")
        words %= {"count": row.certificates.count(), "living": living}
        return format_html('<a href="{}?authority__id__exact={}">{}</a>', address, row.pk, words)

    @admin.display(description=_("on stations"))
    def installed(self, row: StationAuthority) -> SafeString:
        """On how many stations its root is, as a link to them."""
        address = reverse("admin:stations_installedroot_changelist")
        count = row.installed_on.filter(state=InstalledRoot.State.INSTALLED).count()
        words = gettext("installed: %(count)d") % {"count": count}
        return format_html('<a href="{}?authority__id__exact={}">{}</a>', address, row.pk, words)

    @admin.display(description=_("where its key is"))
    def attested(self, row: StationAuthority) -> str:
        """What the TPM says of the key."""
        if row.attestation:
            return gettext("made in the attested TPM, and cannot leave it")
        return gettext("in the TPM service; nothing attests it")

    @admin.display(description=_("file"))
    def root(self, row: StationAuthority) -> SafeString:
        """The roots that are believed, to be put into a proxy or a station."""
        words = gettext("Download the roots (PEM)")
        return format_html('<a href="{}" download="station-roots.pem">{}</a>', reverse("station_roots"), words)


class RunsOutFilter(admin.SimpleListFilter):
    title, parameter_name = _("good"), "good"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those with which somebody may connect, or the others."""
        return [("yes", gettext("Good now")), ("no", gettext("Not, or not any more"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StationCertificate]) -> QuerySet[StationCertificate]:
        """The rows that the choice means."""
        living = StationCertificate.objects.living(timezone.now()).values("pk")
        if self.value() == "yes":
            return queryset.filter(pk__in=living)
        return queryset.exclude(pk__in=living) if self.value() == "no" else queryset


class RevokeForm(forms.Form):
    reason = forms.ChoiceField(label=_("Reason"), choices=[("", "---------"), *Reason.choices])


@admin.register(StationCertificate)
class StationCertificateAdmin(ReadOnly, Logged):
    change_form_template = "admin/stations/stationcertificate/change_form.html"
    list_display = ("common_name", "station", "state", "issued_at", "expires_at", "serial_number")
    list_filter = ("state", RunsOutFilter, "authority", "station__site")
    list_select_related = ("station",)
    search_fields = ("common_name", "^serial_number", "^fingerprint", "station__identity")
    date_hierarchy = "issued_at"
    fields = (
        *("common_name", "station", "state", "answer", "issued_at", "expires_at", "first_used_at", "renewal_asked_at"),
        *("revoked_at", "reason", "revoked_by", "authority", "serial_number", "fingerprint", "requested_by"),
        *("certificate_pem",),
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also by station, where the station's page links to."""
        return lookup == "station__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        """With the page that revokes."""
        view = self.admin_site.admin_view(never_cache(self.revoke_view))
        return [path("<int:pk>/revoke/", view, name="stations_stationcertificate_revoke"), *super().get_urls()]

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for the reason, then revoke; the list is made by a worker, for the web process reaches no TPM."""
        row = get_object_or_404(StationCertificate.objects.select_related("station", "authority"), pk=pk)
        if not request.user.has_perm("stations.change_stationcertificate"):
            raise PermissionDenied
        form = RevokeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            before = values_of(row)
            try:
                certificate_revoke(certificate=row, reason=form.cleaned_data["reason"], by=cast(User, request.user))
            except CertificatesError as error:
                form.add_error(None, str(error))
                row.refresh_from_db()
            else:
                self.log_values(request, row, before, "Revoked.")
                self.message_user(request, gettext("The certificate is revoked. It opens nothing any more."))
                return HttpResponseRedirect(reverse("admin:stations_stationcertificate_change", args=[row.pk]))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "certificate": row, "form": form}
        return render(request, "admin/stations/stationcertificate/revoke.html", context)


class OpenFilter(admin.SimpleListFilter):
    title, parameter_name = _("settled"), "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Refused and seen to by nobody yet, or the rest of the refused."""
        return [("yes", gettext("Not yet")), ("no", gettext("Settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CertificateRequest]) -> QuerySet[CertificateRequest]:
        """The rows that the choice means."""
        if self.value() in {"yes", "no"}:
            refused = queryset.filter(state=CertificateRequest.State.REFUSED)
            return refused.filter(settled_at__isnull=self.value() == "yes")
        return queryset


@admin.register(CertificateRequest)
class CertificateRequestAdmin(ReadOnly, Logged):
    """What stations asked to have signed, and why some was refused."""

    list_display = ("station", "state", "reason", "count", "last_at", "settled_at")
    list_filter = ("state", OpenFilter, "station__site")
    list_select_related = ("station",)
    search_fields = ("station__identity", "reason")
    date_hierarchy = "last_at"
    actions = ("settle",)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Who runs the stations."""
        return request.user.has_perm("stations.change_certificaterequest")

    @admin.action(description=_("Settled: somebody has seen to it"), permissions=["settle"])
    def settle(self, request: HttpRequest, queryset: QuerySet[CertificateRequest]) -> HttpResponse | None:
        """Off the home page, until the station asks so again."""
        return asked_first(
            self,
            request,
            queryset.select_related("station"),
            question=gettext("Are these settled?"),
            effect=gettext("They leave the home page, and come back when the station asks so again."),
            words=_("Settled."),
            act=lambda row: request_settle(row=row, by=cast(User, request.user)),
        )


@admin.register(InstalledRoot)
class InstalledRootAdmin(ReadOnly):
    """Which roots are on which stations."""

    list_display = ("station", "authority", "state", "asked_at", "answered_at", "answer")
    list_filter = ("state", "authority", "station__site")
    list_select_related = ("station", "authority")
    search_fields = ("station__identity",)
