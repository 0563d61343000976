"""Putting sessions back to what was recorded, in the admin: what would change is shown first, then the reason asked."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from accounts.privacy.access_log import Look
from accounts.privacy.admin_looks import NotesLooks
from common.admin_log import Logged
from common.change_log import NOT_SHOWN, Change, field_shown
from ledger.admin.limits import PUT_BACK, PUT_BACK_AT_ONCE_MAX
from ledger.errors import LedgerError
from ledger.models import LedgerEntry
from ledger.repair.repair import Repaired, repair
from stations.charging.corrections import REASON_MAX, REASON_MIN
from stations.models import ChargingSession
from tpm.client import TpmError


class PutBackForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        min_length=REASON_MIN,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It is kept in the change log, with what was there before."),
    )


class Repairable(NotesLooks, Logged):
    """Adds the action and its page, `put-back/?id=…`: ids are ledger ids, or those of sessions that have no entry."""

    @admin.action(description=_("Put back to what was recorded"), permissions=["operate"])
    def put_back(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> HttpResponse:
        """To the page that shows what would be put back, and asks."""
        ids = list(queryset.order_by("id").values_list("id", flat=True)[: PUT_BACK_AT_ONCE_MAX + 1])
        return HttpResponseRedirect(f"{reverse(PUT_BACK)}?{urlencode([('id', one) for one in ids])}")

    def get_urls(self) -> list[URLPattern]:
        """With that page."""
        view = self.admin_site.admin_view(never_cache(self.put_back_view))
        return [path("put-back/", view, name="ledger_ledgerentry_put_back"), *super().get_urls()]

    def put_back_view(self, request: HttpRequest) -> HttpResponse:
        """What would change, field by field, and the reason; then it is done, and logged by the repair itself."""
        if not request.user.has_perm("ledger.change_ledgerentry"):
            raise PermissionDenied
        assert isinstance(request.user, User)  # behind admin_view
        wanted = list(_wanted(request.GET.getlist("id")))
        if why_not := _refusal(wanted):
            self.message_user(request, why_not, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:ledger_ledgerentry_changelist"))
        self._note(request, wanted)
        form = PutBackForm(request.POST if request.method == "POST" else None)
        done = request.method == "POST" and form.is_valid()
        try:
            reason = form.cleaned_data["reason"] if done else ""
            told = list(repair(wanted, by=request.user, reason=reason, dry_run=not done))
        except (LedgerError, TpmError) as error:
            text = gettext("It could not be compared with the chain: %(error)s") % {"error": error}
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:ledger_ledgerentry_changelist"))
        if done:
            return self._done(request, told)
        shown = [_shown(one) for one in told]
        context = {"opts": self.opts, "form": form, "shown": shown, "any": any(one.changed for one in told)}
        return render(request, "admin/ledger/put_back.html", {**self.admin_site.each_context(request), **context})

    def _note(self, request: HttpRequest, wanted: Sequence[int | UUID]) -> None:
        """Whose sessions these are is in the access log, as of every page that shows them."""
        ids = [one for one in wanted if isinstance(one, int)]
        sessions = [one for one in wanted if isinstance(one, UUID)]
        rows = list(LedgerEntry.objects.filter(Q(pk__in=ids) | Q(session__in=sessions)).only("pk"))
        if rows:
            self.look_note(request, rows, Look.ADMIN, f"{self.opts.verbose_name_raw} {rows[0].pk}")

    def _done(self, request: HttpRequest, told: Sequence[Repaired]) -> HttpResponse:
        count = sum(one.changed and not one.problem for one in told)
        if count:
            text = ngettext("%d is put back to what was recorded.", "%d are put back to what was recorded.", count)
            self.message_user(request, text % count, messages.SUCCESS)
        for one in told:
            if one.problem or one.meter_values:
                words = f"{_name(one)}: {one.problem or METER_VALUES}"
                self.message_user(request, words, messages.ERROR)
        (first, *others) = told
        if not others and first.ledger_id is not None and not first.problem:
            return HttpResponseRedirect(reverse("admin:ledger_ledgerentry_change", args=[first.ledger_id]))
        return HttpResponseRedirect(reverse("admin:ledger_ledgerentry_changelist"))


METER_VALUES = _("its meter values are not those that were recorded, and the record has only their digest")


def _wanted(names: Sequence[str]) -> Iterator[int | UUID]:
    for name in dict.fromkeys(names):
        if name.isascii() and name.isdigit() and len(name) <= 18:
            yield int(name)
            continue
        try:
            yield UUID(name)
        except ValueError:
            continue


def _refusal(wanted: Sequence[int | UUID]) -> str:
    if not wanted:
        return gettext("Nothing was chosen.")
    if len(wanted) > PUT_BACK_AT_ONCE_MAX:
        text = gettext("Choose at most %(count)d entries at once; for all of them run %(command)s.")
        return text % {"count": PUT_BACK_AT_ONCE_MAX, "command": "`python manage.py ledger_restore --repair`"}
    return ""


def _name(told: Repaired) -> str:
    if told.ledger_id is not None:
        return gettext("ledger entry %(id)s") % {"id": told.ledger_id}
    return gettext("session %(id)s") % {"id": told.session_id}


def _shown(told: Repaired) -> dict[str, Any]:
    """One entry for the page: its name, what would change, and what is to be known besides."""
    notes = [gettext("The session was deleted; it comes back, without meter values.")] if told.session_came_back else []
    notes += [gettext("The ledger entry was deleted; it comes back.")] if told.entry_came_back else []
    notes += [capfirst(str(METER_VALUES)) + "."] if told.meter_values else []
    rows = [*_rows(told.session, ChargingSession), *_rows(told.entry, LedgerEntry)]
    return {"name": _name(told), "session": told.session_id, "rows": rows, "notes": notes, "problem": told.problem}


def _rows(changes: Sequence[Change], model: type[models.Model]) -> Iterator[tuple[str, str, str]]:
    for change in changes:
        before, after = (gettext(text) if text == NOT_SHOWN else text for text in (change["before"], change["after"]))
        yield capfirst(field_shown(change["field"], model)), before, after
