"""Witnesses of the transparency log in the admin: added, switched off and on, and how each stands."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin_english import in_english
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.change_log import values_of
from ledger.log.witnesses.register import (
    WitnessError,
    address_of,
    key_of,
    witness_add,
    witness_disable,
    witness_enable,
)
from ledger.models import LogCosignature, LogWitness


class WitnessForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Where it answers, and the key that it publishes; its name is part of that."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "inputmode": "url", "autocomplete": "off"}),
        help_text=_("where it answers, https://…, without /add-checkpoint"),
    )
    vkey = forms.CharField(
        label=_("Key"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("as the witness publishes it: name+id+base64. Compare it with whoever runs it, by another way"),
    )

    class Meta:
        model = LogWitness
        fields = ()  # both are declared above

    def clean_url(self) -> str:
        """It is one that we may ask."""
        try:
            return address_of(self.cleaned_data["url"])
        except WitnessError as error:
            raise ValidationError(str(error)) from error

    def clean_vkey(self) -> str:
        """It is a witness's key, and its name is free."""
        try:
            key = key_of(self.cleaned_data["vkey"])
        except WitnessError as error:
            raise ValidationError(str(error)) from error
        found = LogWitness.objects.filter(name=key.name).first()
        if found is not None and found.vkey != key.text:
            raise ValidationError(gettext("Another key has this name. A new key needs a new name."))
        if found is not None and found.enabled:
            raise ValidationError(gettext("This witness is asked already."))
        return key.text


@admin.register(LogWitness)
class LogWitnessAdmin(ReadOnly, Logged):
    """Added, and switched off and on; what it says is written by those who ask it."""

    form = WitnessForm
    list_display = ("name", "enabled", "state", "last_size", "last_answer_at", "last_error_shown")
    list_filter = ("enabled", "state")
    search_fields = ("name", "url")
    shown = (
        *("name", "url", "vkey", "enabled", "added_at", "state", "last_size", "witnesses_since"),
        "tpms_seen",
        *("last_asked_at", "last_answer_at", "last_error_shown"),
    )
    actions = ("enable", "disable")
    last_error_shown = in_english("last_error", _("last error"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may name those that vouch for the log."""
        return request.user.has_perm("ledger.add_logwitness")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may switch them off and on."""
        return request.user.has_perm("ledger.change_logwitness")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of one that is there; of a new one what is asked."""
        return self.shown if obj else ("url", "vkey")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A witness is added once; with another key it is another one."""
        return self.shown if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have it asked from now on."""
        try:
            row, _is_new = witness_add(url=form.cleaned_data["url"], vkey=form.cleaned_data["vkey"])
        except WitnessError as error:  # somebody else added one in this moment
            self.message_user(request, str(error), messages.ERROR)
            return
        obj.__dict__.update(row.__dict__)

    @admin.display(description=_("witnesses since"))
    def witnesses_since(self, witness: LogWitness) -> str:
        """The size and the time of the first checkpoint that it signed."""
        first = witness.cosignatures.select_related("checkpoint").order_by("checkpoint_id").first()
        if first is None:
            return gettext("nothing signed yet")
        words = gettext("%(at)s UTC, with %(size)s entries")
        return words % {"at": f"{first.cosigned_at:%Y-%m-%d %H:%M:%S}", "size": first.checkpoint.size}

    @admin.display(description=_("TPM"))
    def tpms_seen(self, witness: LogWitness) -> str:
        """Which of our TPMs it enrolled itself, and when: each receipt of a key made there says so."""
        words = gettext("It looked at the TPM with the AK %(ak)s itself, at %(at)s UTC.")
        seen = [(one["ak"], datetime.fromtimestamp(one["time"], UTC)) for one in witness.ak_certificates]
        told = [words % {"ak": ak, "at": f"{at:%Y-%m-%d %H:%M:%S}"} for ak, at in seen]
        return " ".join(told) or gettext("It shows no certificate of a TPM of ours (docs/witness.md).")

    @admin.action(description=_("Ask them"), permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[LogWitness]) -> None:
        """Has those asked again that are switched off."""
        done = 0
        for witness in queryset.filter(enabled=False):
            before = values_of(witness)
            try:
                witness_enable(witness=witness)
            except WitnessError as error:
                self.message_user(request, str(error), messages.ERROR)
                break
            self.log_values(request, witness, before, "Switched on.")
            done += 1
        text = ngettext("%d witness is asked from now on.", "%d witnesses are asked from now on.", done) % done
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description=_("Ask them no more"), permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[LogWitness]) -> None:
        """What they signed is no longer served with the checkpoints."""
        witnesses = list(queryset.filter(enabled=True))
        for witness in witnesses:
            before = values_of(witness)
            witness_disable(witness=witness)
            self.log_values(request, witness, before, "Switched off.")
        done = len(witnesses)
        text = ngettext("%d witness is asked no more.", "%d witnesses are asked no more.", done) % done
        self.message_user(request, text, messages.SUCCESS)


@admin.register(LogCosignature)
class LogCosignatureAdmin(ReadOnly, Logged):
    """What witnesses signed, line by line."""

    list_display = ("checkpoint", "witness", "cosigned_at", "received_at")
    list_filter = ("witness",)
    list_select_related = ("checkpoint", "witness")
    search_fields = ("=checkpoint__size", "witness__name")
    fields = ("checkpoint", "witness", "cosigned_at", "received_at", "line")
