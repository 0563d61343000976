"""What drivers type about who gets a vehicle's statements."""

from django import forms
from django.utils.translation import gettext_lazy as _


class RecipientForm(forms.Form):
    """The address that is asked."""

    address = forms.EmailField(
        label=_("Their e-mail address"),
        max_length=254,
        error_messages={"required": _("Type the address that gets the statements.")},
        widget=forms.EmailInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
