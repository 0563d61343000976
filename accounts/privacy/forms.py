"""What is asked before an account is deleted."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.privacy.erasure import ErasureRefusedError, erasure_ask

FIELD = {"class": "form-control", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class DeleteForm(forms.Form):
    """The account's name, typed, and a fresh code, which the page checks once the name is right."""

    name = forms.CharField(
        label=gettext_lazy("The name of the account"),
        max_length=150,
        error_messages={"required": gettext_lazy("Type the name of the account.")},
        widget=forms.TextInput(attrs=FIELD),
    )
    code = forms.CharField(
        label=gettext_lazy("A code from your authenticator"),
        max_length=32,
        error_messages={"required": gettext_lazy("Type the code that your authenticator shows now.")},
        widget=forms.TextInput(attrs=FIELD | {"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_name(self) -> str:
        """Their own, letter by letter: nobody deletes by mistake."""
        if self.cleaned_data["name"] != self.user.get_username():
            raise forms.ValidationError(_("This is not the name of the account."))
        return str(self.cleaned_data["name"])

    def clean_code(self) -> str:
        """Without blanks."""
        return str(self.cleaned_data["code"]).replace(" ", "")


class EraseForm(forms.Form):
    """What staff say before they erase a customer."""

    name = forms.CharField(label=gettext_lazy("The name of the account, typed"), max_length=150)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=255,
        help_text=gettext_lazy("Without names: it is kept, the name is not."),
    )
    although_charging = forms.BooleanField(
        label=gettext_lazy("although a charge is open"),
        required=False,
        help_text=gettext_lazy("For one that never ended: it is cut loose, and recorded as nobody's if it ever ends."),
    )

    def __init__(self, data: Any = None, *, customer: User) -> None:
        super().__init__(data)
        self.customer = customer

    def clean_name(self) -> str:
        """The customer's, letter by letter."""
        if self.cleaned_data["name"] != self.customer.get_username():
            raise forms.ValidationError(_("This is not the name of the account."))
        return str(self.cleaned_data["name"])

    def erase(self, *, asked_by: str) -> None:
        """Begin; what stands in the way becomes an error of the form."""
        chosen = {name: self.cleaned_data[name] for name in ("reason", "although_charging")}
        try:
            erasure_ask(customer=self.customer, asked_by=asked_by, **chosen)
        except ErasureRefusedError as error:
            self.add_error(None, str(error))
