"""The ledger in the admin: read, sent again, checked again; never written."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import ModelAdmin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.privacy.admin_looks import NotesLooks
from common.admin_english import english, in_english
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.change_log import values_of
from ledger.admin.records import RecordFilter, record_kind, record_shown
from ledger.admin.repair import Repairable
from ledger.alerts import alert_close, what_to_do
from ledger.audit.audit import entry_check
from ledger.errors import ChainError, LedgerError
from ledger.models import Alert, ChainTransaction, DataKey, KeyRotation, LedgerEntry, SigningKey, StatementMail
from ledger.recording.entries import entry_send_again

AT_ONCE_MAX = 200


class StateFilter(admin.SimpleListFilter):
    """The state of an entry is that of its transaction, or READY, or CONFLICT."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        """READY, which has no transaction yet, and the statuses of transactions."""
        return [("READY", "READY"), *((str(value), str(value)) for value in ChainTransaction.Status.values)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        """The entries in that state; none where there is no such state."""
        state = self.value()
        if not state:
            return queryset
        if state not in {name for name, _ in self.lookup_choices}:
            return queryset.none()
        if state == "READY":
            return queryset.filter(transaction__isnull=True, conflict="")
        if state == ChainTransaction.Status.CONFLICT:
            return queryset.filter(Q(conflict__gt="") | Q(transaction__status=state))
        return queryset.filter(transaction__status=state, conflict="")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(Repairable, ReadOnly, Logged):
    customer_path = "session__customer"
    list_display = ("id", "record", "state", "session_short", "opened_at", "block", "trouble", "checked_at")
    list_filter = (RecordFilter, StateFilter)
    list_select_related = ("transaction",)
    search_fields = ("id",)
    search_help_text = _("Ledger id, session id, digest or transaction id, in full")
    date_hierarchy = "opened_at"
    ordering = ("-id",)
    fields = (
        *("id", "state", "session_link", "digest_hex", "data_key", "transaction_link"),
        *("conflict_shown", "mismatch_shown", "checked_at", "opened_at", "erased_at"),
    )
    actions = ("send_again", "check_again", "put_back")
    conflict_shown = in_english("conflict", _("conflict"))
    mismatch_shown = in_english("mismatch", _("mismatch"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Exact ids only: each of them has an index."""
        term = search_term.strip().lower()
        return queryset.filter(_by_id(term)) if term else queryset, False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may have entries sent and checked."""
        return request.user.has_perm("ledger.change_ledgerentry")

    @admin.action(description=_("Send again"), permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> None:
        """What waits is looked at at once; what is recorded is refused."""
        refused, sent = [], 0
        for entry in self._chosen(request, queryset):
            try:
                before = values_of(entry)
                entry_send_again(entry=entry)
                self.log_values(request, entry, before, "Sent again.")
                sent += 1
            except LedgerError as error:
                refused.append(str(error))
        if sent:
            text = ngettext("%d entry is put back to work.", "%d entries are put back to work.", sent) % sent
            self.message_user(request, text, messages.SUCCESS)
        self._tell(request, refused, messages.WARNING)

    @admin.action(description=_("Check again"), permissions=["operate"])
    def check_again(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> None:
        """Compares row, entry and chain now."""
        equal, different = 0, []
        for entry in self._chosen(request, queryset):
            try:
                check = entry_check(entry=entry)
            except ChainError as error:
                text = gettext(
                    "entry %(id)s and what follows could not be checked, the chain did not answer: %(error)s"
                )
                self.message_user(request, text % {"id": entry.pk, "error": error}, messages.ERROR)
                break
            self.log_words(request, entry, f"Checked again: {check.reason}.")
            if check.ok:
                equal += 1
            else:
                different.append(gettext("entry %(id)s: %(reason)s") % {"id": entry.pk, "reason": check.reason})
        if equal:
            text = ngettext("%d entry checked: nothing differs.", "%d entries checked: nothing differs.", equal) % equal
            self.message_user(request, text, messages.SUCCESS)
        self._tell(request, different, messages.ERROR)

    def _chosen(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> list[LedgerEntry]:
        related = ("transaction", "session__station", "session__connector", "session__id_token")
        chosen = list(queryset.select_related(*related).order_by("id")[: AT_ONCE_MAX + 1])
        if len(chosen) > AT_ONCE_MAX:
            text = gettext("Choose at most %(count)d entries at once; for all of them run %(command)s.")
            words = {"count": AT_ONCE_MAX, "command": "`python manage.py ledger_audit`"}
            self.message_user(request, text % words, messages.WARNING)
            return []
        return chosen

    def _tell(self, request: HttpRequest, texts: list[str], level: int) -> None:
        for text in texts[:10]:
            self.message_user(request, text, level)
        if len(texts) > 10:
            self.message_user(request, gettext("and %(count)d more") % {"count": len(texts) - 10}, level)

    @admin.display(description=_("record"))
    def record(self, entry: LedgerEntry) -> SafeString:
        """How it stands, in words."""
        return record_shown(record_kind(entry))

    @admin.display(description=_("state"))
    def state(self, entry: LedgerEntry) -> str:
        """READY, or its transaction's status."""
        return entry.state

    @admin.display(description=pgettext_lazy("charging", "session"))
    def session_short(self, entry: LedgerEntry) -> str:
        """The first letters of its id."""
        return f"{str(entry.session_id)[:8]}…" if entry.session_id else gettext("erased")

    @admin.display(description=pgettext_lazy("charging", "session"))
    def session_link(self, entry: LedgerEntry) -> str:
        """To the session; an erased entry has none."""
        if entry.session_id is None:
            return gettext("erased")
        address = reverse("admin:stations_chargingsession_change", args=[entry.session_id])
        return format_html('<a href="{}">{}</a>', address, entry.session_id)

    @admin.display(description=_("transaction"), ordering="transaction")
    def transaction_link(self, entry: LedgerEntry) -> str:
        """To the transaction; an entry that is READY has none."""
        if entry.transaction is None:
            return pgettext("transaction", "none yet")
        address = reverse("admin:ledger_chaintransaction_change", args=[entry.transaction_id])
        return format_html('<a href="{}">{}</a>', address, entry.transaction.transaction_id or entry.transaction_id)

    @admin.display(description=_("block"), ordering="transaction__block_num")
    def block(self, entry: LedgerEntry) -> int | None:
        """The number of the block that holds it, once a node told."""
        return entry.transaction.block_num if entry.transaction else None

    @admin.display(description=_("what differs"))
    def trouble(self, entry: LedgerEntry) -> SafeString:
        """What differs or conflicts, in English as it is kept."""
        return english(self, entry.conflict or entry.mismatch)

    @admin.display(description=_("digest"))
    def digest_hex(self, entry: LedgerEntry) -> str:
        """As it stands on the chain."""
        return bytes(entry.digest).hex()


def _by_id(term: str) -> Q:
    if term.isascii() and term.isdigit() and len(term) <= 18:
        return Q(pk=int(term))
    try:
        found = Q(digest=bytes.fromhex(term)) | Q(transaction__transaction_id=term) if len(term) == 64 else Q(pk=None)
        return found if len(term) == 64 else Q(session_id=UUID(term))
    except ValueError:
        return Q(pk=None)


@admin.register(ChainTransaction)
class ChainTransactionAdmin(ReadOnly, Logged):
    list_display = ("id", "status", "created_at", "block_num", "irreversible_at", "attempts", "error_code", "short_id")
    list_filter = ("status", "error_code")
    search_fields = ("=transaction_id", "=id", "=block_num")
    search_help_text = _("Transaction id in full, number or block number")
    date_hierarchy = "created_at"
    fields = (
        *("status", "transaction_id", "entries_link", "block_num", "block_id", "irreversible_at"),
        *("error_code", "error_message_shown", "attempts", "retry_at", "claimed_until"),
        *("signature", "public_key", "packed_hex", "ref_block_num", "expires_at", "created_at", "signed_at", "sent_at"),
    )
    error_message_shown = in_english("error_message", _("error message"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChainTransaction]:
        """A list does not read the transactions' bytes."""
        return super().get_queryset(request).defer("packed")

    @admin.display(description=_("transaction id"))
    def short_id(self, row: ChainTransaction) -> str:
        """The first 16 digits; one that is not signed has no id."""
        return f"{row.transaction_id[:16]}…" if row.transaction_id else gettext("not signed yet")

    @admin.display(description=_("entries"))
    def entries_link(self, row: ChainTransaction) -> str:
        """How many, and to their list."""
        address, count = reverse("admin:ledger_ledgerentry_changelist"), row.entries.count()
        words = ngettext("%(count)d entry", "%(count)d entries", count) % {"count": count}
        return format_html('<a href="{}?transaction__id__exact={}">{}</a>', address, row.pk, words)

    @admin.display(description=_("packed transaction"))
    def packed_hex(self, row: ChainTransaction) -> str:
        """The bytes that were signed."""
        return bytes(row.packed).hex() if row.packed else ""


@admin.register(DataKey)
class DataKeyAdmin(NotesLooks, ReadOnly, Logged):
    """That there is a key, whose, and since when; never the key, wrapped or not."""

    customer_path = "id_token__customer"
    list_display = ("key_id_hex", "id_token", "site", "created_at", "destroyed_at", "master_key_id")
    list_filter = (("destroyed_at", admin.EmptyFieldListFilter), "master_key_id")
    list_select_related = ("id_token", "site")
    search_fields = ("id_token__uid", "site__code")
    date_hierarchy = "created_at"
    fields = ("key_id_hex", "id_token", "site", "created_at", "destroyed_at", "master_key_id")

    @admin.display(description=_("key id"), ordering="id")
    def key_id_hex(self, key: DataKey) -> str:
        """The id that stands, encrypted, in each copy."""
        return bytes(key.key_id).hex()


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnly, Logged):
    """Which key signs, and which did; replaced by `manage.py ledger_rotate_key` alone."""

    list_display = ("name", "status", "since", "public_key")
    list_filter = ("status",)
    search_fields = ("name", "=public_key")
    fields = ("name", "status", "since", "public_key")


@admin.register(KeyRotation)
class KeyRotationAdmin(ReadOnly, Logged):
    list_display = ("__str__", "step", "started_at", "finished_at")
    list_filter = ("step",)
    list_select_related = ("old", "new")
    fields = ("old", "new", "step", "started_at", "finished_at", "claimed_until", "transaction_id", "expires_at")


@admin.register(Alert)
class AlertAdmin(ReadOnly, Logged):
    list_display = ("__str__", "is_open", "age", "count", "last_seen_at", "advice")
    fields = (
        *("code", "subject", "message_shown", "advice"),
        *("opened_at", "last_seen_at", "count", "closed_at"),
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "code")
    search_fields = ("code", "subject", "message")
    ordering = (F("closed_at").desc(nulls_first=True), "-last_seen_at")
    actions = ("close",)
    message_shown = in_english("message", _("message"))

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may close alerts."""
        return request.user.has_perm("ledger.change_alert")

    @admin.display(description=_("state"), ordering="closed_at")
    def is_open(self, alert: Alert) -> str:
        """Open or closed, in words."""
        return pgettext("alert", "closed") if alert.closed_at else pgettext("alert", "open")

    @admin.display(description=_("what to do"), ordering="what_to_do")
    def advice(self, alert: Alert) -> str:
        """What to do about it."""
        return what_to_do(alert)

    @admin.display(description=_("age"), ordering="opened_at")
    def age(self, alert: Alert) -> str:
        """How long it is or was open."""
        return timesince(alert.opened_at, alert.closed_at or timezone.now(), depth=1)

    @admin.action(description=_("Close"), permissions=["operate"])
    def close(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Closes those that are open; the cause opens them again if it is still there."""
        still_open = list(queryset.filter(closed_at__isnull=True))
        for alert in still_open:
            before = values_of(alert)
            alert_close(alert.code, alert.subject)
            self.log_values(request, alert, before, "Closed.")
        count = len(still_open)
        text = ngettext("%d alert closed.", "%d alerts closed.", count) % count
        again = gettext("One whose cause is still there opens again by itself.")
        self.message_user(request, f"{text} {again}", messages.SUCCESS)


@admin.register(StatementMail)
class StatementMailAdmin(ReadOnly, Logged):
    """Whether a customer's statement was sent, and what the mail server said."""

    list_display = (
        *("first_day", "user", "monthly", "corrected", "requested_at", "attempts"),
        *("error_shown", "sent_at", "given_up_at"),
    )
    list_filter = (
        "monthly",
        "corrected",
        ("given_up_at", admin.EmptyFieldListFilter),
        ("sent_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("user",)
    search_fields = ("user__username__exact",)
    search_help_text = _("The account's name, in full")
    fields = (
        *("user", "first_day", "monthly", "corrected", "number", "sessions", "language"),
        *("requested_at", "attempts", "retry_at"),
        *("error_shown", "sent_to", "sent_at", "given_up_at"),
    )
    error_shown = in_english("error", _("error"))
