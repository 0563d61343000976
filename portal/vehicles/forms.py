"""What drivers type about their vehicles, homes and years."""

from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from stations.cards.words import token_name
from stations.models import IdToken, PriceBasis, Site, Vehicle
from stations.models.vehicles import ODOMETER_MAX_KM
from stations.one_line import LINE
from stations.vehicles.services import places_charged

BOX = {"class": "form-check-input"}


class CardsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # a generic in the stubs alone
    """The driver's own cards, each with a box."""

    widget = forms.CheckboxSelectMultiple(attrs=BOX)

    def label_from_instance(self, obj: Any) -> str:
        """As the page Cards calls it."""
        return token_name(obj.type, obj.uid)


class VehicleForm(forms.Form):
    """Name, plate, and the cards that are used for this vehicle alone."""

    name = forms.CharField(
        label=pgettext_lazy("of a vehicle", "Name"),
        max_length=60,
        validators=[LINE],
        error_messages={"required": _("Give the vehicle a name, such as its model.")},
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    plate = forms.CharField(
        label=_("Number plate"),
        max_length=20,
        required=False,
        validators=[LINE],
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
            }
        ),
    )
    cards = CardsField(label=_("Cards of this vehicle alone"), required=False, queryset=IdToken.objects.none())

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cards: Any = self.fields["cards"]
        cards.queryset = IdToken.objects.filter(customer=user).order_by("uid")


class HomesForm(forms.Form):
    """Which of the places where the driver has charged are home."""

    sites = forms.ModelMultipleChoiceField(
        label=_("Places that are home"),
        required=False,
        queryset=Site.objects.none(),
        widget=forms.CheckboxSelectMultiple(attrs=BOX),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sites: Any = self.fields["sites"]
        sites.queryset = Site.objects.filter(pk__in=[site.pk for site in places_charged(user)]).order_by("name")


class YearForm(forms.Form):
    """By what the year's charges at home are accounted."""

    basis = forms.ChoiceField(
        choices=PriceBasis.choices,
        error_messages={"required": _("Choose one of the two.")},
        widget=forms.RadioSelect(attrs=BOX),
    )


class ChargeVehicleForm(forms.Form):
    """Of which vehicle one charge was, and what its odometer said."""

    vehicle = forms.ChoiceField(label=_("Vehicle"), widget=forms.RadioSelect(attrs=BOX))
    odometer_km = forms.IntegerField(
        label=_("Odometer, km"),
        required=False,
        min_value=0,
        max_value=ODOMETER_MAX_KM,
        widget=forms.NumberInput(attrs={"class": "form-control", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, vehicles: list[Vehicle], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["vehicle"]
        choice.choices = [(str(one.pk), str(one)) for one in vehicles] + [("", gettext("None of my vehicles"))]
        choice.required = False
