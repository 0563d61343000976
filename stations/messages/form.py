"""The form with which messages are looked for; what cannot be meant is said, and finds nothing."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from stations.messages.search import Choice
from stations.models import OcppMessage, Station

ALL = [("", _("all"))]
FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]


def _moment(label: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        required=False,
        input_formats=FORMATS,
        error_messages={"invalid": _("Expected a time such as 2026-03-01 08:45:00.")},
        widget=forms.DateTimeInput(attrs={"placeholder": "2026-03-01 08:45"}),
    )


class SearchForm(forms.Form):
    """All of it is optional, and comes in the address."""

    station = forms.CharField(label=_("Station"), max_length=48, required=False)
    action = forms.CharField(label=_("Action"), max_length=50, required=False)
    session = forms.UUIDField(
        label=_("Charge"), required=False, error_messages={"invalid": _("Expected the id of a charge.")}
    )
    message_id = forms.CharField(label=_("Message ID"), max_length=36, required=False)
    direction = forms.ChoiceField(label=_("Direction"), choices=[*ALL, *OcppMessage.Direction.choices], required=False)
    kind = forms.ChoiceField(
        label=pgettext_lazy("message", "Kind"), choices=[*ALL, *OcppMessage.Kind.choices], required=False
    )
    since = _moment(_("From, UTC"))
    until = _moment(_("Until, UTC"))

    def clean_station(self) -> Station | None:
        """The station, in whatever letters it was written."""
        identity = self.cleaned_data["station"].strip()
        if not identity:
            return None
        station = Station.objects.identified(identity).first()
        if station is None:
            raise forms.ValidationError(gettext("There is no station of this identity."))
        return station

    def clean(self) -> dict[str, Any]:
        """A time that ends before it begins finds nothing, which one should be told."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and until <= since:
            self.add_error("until", gettext("Expected a time after the beginning."))
        return cleaned

    @property
    def choice(self) -> Choice:
        """What is meant; to be asked of a form that is valid."""
        names = ("station", "session", "action", "message_id", "direction", "kind", "since", "until")
        found = {name: self.cleaned_data.get(name) for name in names}
        return Choice(**{name: value for name, value in found.items() if value})
