"""Correcting a session in the admin: what will happen is shown before it does, with the session named."""

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from common.admin_log import Logged
from stations.admin.fields import KWH_MAX, moment_field
from stations.charging.corrections import (
    REASON_MAX,
    REASON_MIN,
    Figures,
    correction_about,
    refusal,
    session_correct,
    session_credit,
)
from stations.charging.words import kwh, money
from stations.errors import CorrectionRefusedError
from stations.models import ChargingSession
from stations.tariffs.currencies import minor_digits


class CreditForm(forms.Form):
    """Why, and where the charge is recorded anew, with which figures; energy in kWh and cost in the currency."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=REASON_MIN,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It is kept, and the customer reads it on the session's page."),
    )
    anew = forms.BooleanField(label=_("Record the charge anew, with these figures:"), required=False)
    energy = forms.DecimalField(
        label=_("Energy, kWh"), min_value=0, max_value=KWH_MAX, max_digits=10, decimal_places=3, required=False
    )
    started_at = moment_field(label=_("Start, UTC"))
    stopped_at = moment_field(label=_("End, UTC"))

    def __init__(self, session: ChargingSession, data: Any = None) -> None:
        self.session = session
        self.currency = session.currency or session.station.site.currency
        digits = minor_digits(self.currency)
        super().__init__(data, initial=self._as_it_is(digits))
        self.fields["cost"] = forms.DecimalField(
            label=gettext("Cost, %(currency)s") % {"currency": self.currency},
            min_value=0,
            max_digits=12,
            decimal_places=digits,
            required=False,
        )
        for name in ("started_at", "stopped_at"):
            self.fields[name].required = False
        if session.status == ChargingSession.Status.INVALID:
            self.fields["anew"].required = True
            self.fields["anew"].error_messages["required"] = gettext(
                "It was not billed: there is only something to record anew."
            )

    def _as_it_is(self, digits: int) -> dict[str, Any]:
        session = self.session
        energy, cost = session.energy_wh, session.cost_minor
        return {
            "energy": None if energy is None else Decimal(energy).scaleb(-3),
            "cost": None if cost is None else Decimal(cost).scaleb(-digits),
            "started_at": session.started_at.astimezone(UTC),
            "stopped_at": session.stopped_at and session.stopped_at.astimezone(UTC),
        }

    def clean(self) -> dict[str, Any]:
        """What is recorded anew needs its figures; they are refused one by one."""
        cleaned = super().clean() or {}
        for name in ("energy", "started_at", "stopped_at") if cleaned.get("anew") else ():
            if cleaned.get(name) is None and name not in self.errors:
                self.add_error(name, gettext("Expected a value, because the charge is recorded anew."))
        return cleaned

    @property
    def figures(self) -> Figures:
        """The new figures in Wh and minor units, exactly: the fields take no more digits than those have."""
        chosen, digits = self.cleaned_data, minor_digits(self.currency)
        cost = chosen.get("cost")
        return Figures(
            energy_wh=int(chosen["energy"].scaleb(3)),
            cost_minor=None if cost is None else int(cost.scaleb(digits)),
            started_at=chosen["started_at"],
            stopped_at=chosen["stopped_at"],
        )


class Correctable(Logged):
    """Adds the page on which a session is credited, and recorded anew where that is wanted."""

    def get_urls(self) -> list[URLPattern]:
        """With the page on which a session is credited."""
        view = self.admin_site.admin_view(never_cache(self.credit_view))
        return [path("<uuid:pk>/credit/", view, name="stations_chargingsession_credit"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what was corrected, and whether this reader may correct."""
        session = self.get_object(request, object_id)
        if session is not None and self.has_view_permission(request, session):
            may = request.user.has_perm("stations.add_chargingsession") and not refusal(session)
            shown = {"may_credit": may, "correction": correction_about(session)}
            extra_context = {**(extra_context or {}), **shown}
        return super().change_view(request, object_id, form_url, extra_context)

    def credit_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask for the reason, show the effect, then do it; asked twice, it is done once."""
        if not request.user.has_perm("stations.add_chargingsession"):
            raise PermissionDenied
        related = ("station__site", "connector", "customer", "id_token")
        session = get_object_or_404(ChargingSession.objects.select_related(*related), pk=pk)
        form = CreditForm(session, request.POST or None)
        context = {"session": session, "form": form, "why_not": refusal(session)}
        if request.method == "POST" and not context["why_not"] and form.is_valid():
            context["effect"] = effect(session, form)
            if "confirmed" in request.POST:
                try:
                    return self._credited(request, session, form)
                except CorrectionRefusedError as error:
                    form.add_error(None, gettext("It cannot be done: %(error)s.") % {"error": error})
                    context["effect"] = None
        context |= {**self.admin_site.each_context(request), "opts": self.opts}
        return render(request, "admin/stations/chargingsession/credit.html", context)

    def _credited(self, request: HttpRequest, session: ChargingSession, form: CreditForm) -> HttpResponse:
        assert isinstance(request.user, User)  # behind admin_view
        reason = form.cleaned_data["reason"]
        if form.cleaned_data["anew"]:
            made = session_correct(session=session, reason=reason, figures=form.figures, by=request.user)
        else:
            made = (session_credit(session=session, reason=reason, by=request.user),)  # type: ignore[assignment]
        names = " and replaced by ".join(str(one.pk) for one in made)
        self.log_words(request, session, f"Credited by {names}. Reason: {reason}")
        for one, what in zip(made, ("Credits", "Replaces"), strict=False):
            self.log_addition(request, one, [{"added": {"words": f"{what} {session.pk}. Reason: {reason}"}}])
        self.message_user(request, _done(made))
        return HttpResponseRedirect(reverse("admin:stations_chargingsession_change", args=[session.pk]))


def _done(made: Sequence[ChargingSession]) -> str:
    if len(made) == 1:
        words = gettext("The session is credited by %(credit)s. It is recorded like every session.")
        return words % {"credit": made[0].pk}
    words = gettext(
        "The session is credited by %(credit)s and replaced by %(replacement)s. They are recorded like every session."
    )
    return words % {"credit": made[0].pk, "replacement": made[1].pk}


def effect(session: ChargingSession, form: CreditForm) -> list[tuple[str, str, str]]:
    """(what, energy in kWh, cost) of the session, what is about to be made, and what counts afterwards."""
    energy, cost = session.energy_wh or 0, session.cost_minor
    credit = (gettext("Its credit"), -energy, None if cost is None else -cost)
    rows = [(gettext("This session"), energy, cost), credit]
    if form.cleaned_data["anew"]:
        rows.append((gettext("The charge recorded anew"), form.figures.energy_wh, form.figures.cost_minor))
    costs = [row[2] for row in rows if row[2] is not None]
    rows.append((gettext("What counts afterwards"), sum(row[1] for row in rows), sum(costs) if costs else None))
    return [(what, kwh(wh), money(minor, form.currency)) for what, wh, minor in rows]
