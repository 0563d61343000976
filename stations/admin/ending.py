"""Ending a session in the admin whose station does not: with what the operator knows of its end."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from common.admin_log import Logged
from stations.admin.fields import KWH_MAX, moment_field
from stations.charging.plausibility import ENDED_BY_OPERATOR
from stations.charging.sessions import readings_of, session_end
from stations.charging.words import kwh_exact
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession

ACTIVE = ChargingSession.Status.ACTIVE


class EndForm(forms.Form):
    """What is known of the end; what is not, its last reading says."""

    stopped_at = moment_field(label=_("End, UTC"))
    meter = forms.DecimalField(
        label=_("Meter at the end, kWh"),
        min_value=0,
        max_value=KWH_MAX,
        max_digits=10,
        decimal_places=3,
        required=False,
        help_text=_("What is left empty is taken from its last reading; without any it is not billed."),
    )

    meter_start = forms.DecimalField(
        label=_("Meter at the start, kWh"),
        min_value=0,
        max_value=KWH_MAX,
        max_digits=10,
        decimal_places=3,
        required=False,
        help_text=_("The station did not say it; where you do not know it either, the session is not billed."),
    )
    field_order = ["stopped_at", "meter_start", "meter"]

    def __init__(self, session: ChargingSession, data: Any = None) -> None:
        self.session = session
        super().__init__(data)
        self.fields["stopped_at"].required = False
        if session.meter_start_wh is not None:
            del self.fields["meter_start"]

    def clean_stopped_at(self) -> datetime | None:
        """Not before it began, and not to come."""
        end: datetime | None = self.cleaned_data["stopped_at"]
        if end is not None and not self.session.started_at <= end <= timezone.now():
            begun = f"{self.session.started_at:%Y-%m-%d %H:%M:%S}"
            raise forms.ValidationError(gettext("Expected a time from %(begun)s UTC to now.") % {"begun": begun})
        return end

    @property
    def figures(self) -> dict[str, Any]:
        """What is known of the end, as `session_end` takes it."""
        meters = {"meter_stop_wh": self._wh("meter"), "meter_start_wh": self._wh("meter_start")}
        return {"stopped_at": self.cleaned_data["stopped_at"], **meters}

    def _wh(self, name: str) -> int | None:
        """In Wh, exactly: the field takes no more digits."""
        value: Decimal | None = self.cleaned_data.get(name)
        return None if value is None else int(value.scaleb(3))


class Endable(Logged):
    """Adds the page on which an open session is ended."""

    def get_urls(self) -> list[URLPattern]:
        """With the page on which a session is ended."""
        view = self.admin_site.admin_view(never_cache(self.end_view))
        return [path("<uuid:pk>/end/", view, name="stations_chargingsession_end"), *super().get_urls()]

    def end_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask what is known, end it once; one that has ended meanwhile says so."""
        if not request.user.has_perm("stations.add_chargingsession"):
            raise PermissionDenied
        related = ("station__site", "connector", "customer", "id_token")
        session = get_object_or_404(ChargingSession.objects.select_related(*related), pk=pk)
        form = EndForm(session, request.POST or None)
        if request.method == "POST" and session.status == ACTIVE and form.is_valid():
            try:
                session, done = session_end(session=session, flag=ENDED_BY_OPERATOR, **form.figures)
            except RecordingUnavailableError as error:
                form.add_error(None, gettext("It cannot be done: %(error)s.") % {"error": error})
            else:
                if done:
                    self.log_words(request, session, "Ended, as its station did not.")
                    self.message_user(request, gettext("The session is ended. It is recorded like every session."))
                return HttpResponseRedirect(reverse("admin:stations_chargingsession_change", args=[session.pk]))
        last = readings_of(session).order_by("-sampled_at", "-pk").first()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "session": session,
            "form": form,
            "last": last,
            "last_kwh": kwh_exact(int(last.value)) if last else "",
            "start_kwh": "" if session.meter_start_wh is None else kwh_exact(session.meter_start_wh),
        }
        return render(request, "admin/stations/chargingsession/end.html", context)
