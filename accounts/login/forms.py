"""What people type on the pages about their login."""

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.login.second_factor import CODE_GROUPS, GROUP_LETTERS, recovery_code_plain
from accounts.models import User

SIX_DIGITS = RegexValidator(r"\A[0-9]{6}\Z", _("The code has six digits."))


class CodeForm(forms.Form):
    """A code of the authenticator, with or without spaces between its digits."""

    code = forms.CharField(label=_("Six-digit code"), max_length=20)
    remember = forms.BooleanField(required=False)

    def clean_code(self) -> str:
        """Six digits, blanks left out."""
        code = "".join(self.cleaned_data["code"].split())
        SIX_DIGITS(code)
        return code


class RecoveryCodeForm(forms.Form):
    code = forms.CharField(label=_("Recovery code"), max_length=60)

    def clean_code(self) -> str:
        """As it is compared: without dashes and blanks, in capitals."""
        code = recovery_code_plain(self.cleaned_data["code"])
        if len(code) != CODE_GROUPS * GROUP_LETTERS or not code.isascii():
            raise forms.ValidationError(_("A recovery code has four groups of four letters and digits."))
        return code


class ReadingForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Language and time zone of a person."""

    class Meta:
        model = User
        fields = ("language", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [
            (name, name.replace("_", " "))
            for name in sorted(zoneinfo.available_timezones())
            if "/" in name or name == "UTC"
        ]
        self.fields["time_zone"] = forms.ChoiceField(
            label=_("Time zone"), choices=[("", _("That of each site")), *names], required=False
        )
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), choices=[("", _("As the browser")), *settings.LANGUAGES], required=False
        )


class ResetForm(forms.Form):
    """Why staff forgets a person's second factor."""

    reason = forms.CharField(
        label=_("Reason"), min_length=10, max_length=500, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )
