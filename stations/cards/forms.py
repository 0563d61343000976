"""What drivers type on the pages of this package."""

from django import forms
from django.utils.translation import gettext_lazy as _


class LinkForm(forms.Form):
    """The code for linking a card. Any text is taken: what is no code is answered like a wrong one."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        strip=True,
        error_messages={"required": _("Type the code that the operator gave you.")},
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "placeholder": "ABCDE-FGHJK",
                "aria-describedby": "code-help",
            }
        ),
    )
