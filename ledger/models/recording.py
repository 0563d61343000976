"""The database's side of the chain copy: what was, or will be, recorded, and with which keys it was sealed."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _


class DataKey(models.Model):
    """An AES-256 key that seals the copies of one IdToken's sessions of one customer, or of nobody's.

    (Or of a site's, for sessions without a token.) A token that changes hands has a key for each holder: destroying
    one (wrapped = NULL) makes their copies unreadable for ever, and leaves the others'.
    """

    key_id = models.BinaryField(_("key id"), max_length=16, unique=True)  # random, named inside the sealed copy
    id_token = models.ForeignKey(
        "stations.IdToken",
        null=True,
        on_delete=models.SET_NULL,
        related_name="data_keys",
        verbose_name=_("card or contract"),
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="data_keys",
        verbose_name=_("customer"),
    )
    site = models.ForeignKey(
        "stations.Site", null=True, on_delete=models.PROTECT, related_name="data_keys", verbose_name=_("site")
    )
    wrapped = models.BinaryField(null=True)  # for the master key: ledger/keys/master_key.py
    master_key_id = models.CharField(_("master key id"), max_length=16, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    # opens copies still, seals no new ones: its sessions changed hands
    closed_at = models.DateTimeField(_("closed at"), null=True)
    destroyed_at = models.DateTimeField(_("destroyed at"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("data key"), _("data keys")
        constraints = [
            # One key in use a token and holder, and one a site, whichever worker came first.
            models.UniqueConstraint(
                fields=["id_token", "customer"],
                condition=Q(destroyed_at__isnull=True, closed_at__isnull=True),
                name="data_key_one_in_use_per_holder",
            ),
            models.UniqueConstraint(  # NULLs differ from each other: nobody's has one of its own
                fields=["id_token"],
                condition=Q(destroyed_at__isnull=True, closed_at__isnull=True, customer__isnull=True),
                name="data_key_one_in_use_of_nobody",
            ),
            models.UniqueConstraint(
                fields=["site"],
                condition=Q(destroyed_at__isnull=True, closed_at__isnull=True),
                name="data_key_one_in_use_per_site",
            ),
            # Destroyed means gone: no row says "destroyed" and still holds the key.
            models.CheckConstraint(
                condition=Q(destroyed_at__isnull=True, wrapped__isnull=False)
                | Q(destroyed_at__isnull=False, wrapped__isnull=True),
                name="data_key_destroyed_has_no_key",
            ),
        ]

    def __str__(self) -> str:
        return gettext("data key %(id)s") % {"id": bytes(self.key_id).hex()}


class SigningKey(models.Model):
    """A key of the TPM service that signs records, or did. The first one is that of settings.LEDGER_KEY."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", pgettext_lazy("key", "Active")  # signs
        # a rotation puts it into the account's permission; does not sign yet
        COMING = "COMING", pgettext_lazy("key", "Coming")
        # does not sign any more; a rotation takes it out of the permission
        LEAVING = "LEAVING", pgettext_lazy("key", "Leaving")
        # the chain no longer takes its signatures; receipts of its time stay valid
        RETIRED = "RETIRED", pgettext_lazy("key", "Retired")

    name = models.CharField(_("name"), max_length=64, unique=True)
    # PUB_R1_…, empty until it is known
    public_key = models.CharField(_("public key"), max_length=80, blank=True, default="")
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.ACTIVE)
    since = models.DateTimeField(_("since"), default=timezone.now)  # of this status

    class Meta:
        ordering = ["id"]
        verbose_name, verbose_name_plural = _("signing key"), _("signing keys")
        constraints = [
            # Whatever workers and rotations do at the same time, one key signs, and one comes or goes.
            models.UniqueConstraint(
                fields=["status"], condition=~Q(status="RETIRED"), name="signing_key_one_active_coming_leaving"
            ),
        ]

    def __str__(self) -> str:
        return gettext("signing key %(name)s (%(status)s)") % {"name": self.name, "status": self.status}


class KeyRotation(models.Model):
    """The ledger's way from one signing key to the next (ledger/operations/rotation.py): `step` is what is to be done
    next."""

    class Step(models.TextChoices):
        # the new key in the TPM service, and its certification
        MAKE = "MAKE", pgettext_lazy("rotation", "Make")
        # put it into the account's permission, beside the old one
        ADD = "ADD", pgettext_lazy("rotation", "Add")
        SWITCH = "SWITCH", pgettext_lazy("rotation", "Switch")  # sign with it
        SETTLE = "SETTLE", pgettext_lazy("rotation", "Settle")  # wait for what the old one signed
        REMOVE = "REMOVE", pgettext_lazy("rotation", "Remove")  # take the old one out of the permission
        DONE = "DONE", pgettext_lazy("rotation", "Done")

    old = models.ForeignKey(
        SigningKey, on_delete=models.PROTECT, related_name="rotations_from", verbose_name=_("old key")
    )
    new = models.ForeignKey(
        SigningKey, on_delete=models.PROTECT, related_name="rotations_to", verbose_name=_("new key")
    )
    step = models.CharField(_("step"), max_length=6, choices=Step.choices, default=Step.MAKE)
    started_at = models.DateTimeField(pgettext_lazy("rotation", "started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    # The process that drives it; after this moment another may take over.
    claimed_by = models.CharField(max_length=32, blank=True, default="")
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    # The change of the permission that is on its way: committed before it is sent, as a ChainTransaction is.
    packed = models.BinaryField(null=True)
    signature = models.CharField(max_length=120, blank=True, default="")
    transaction_id = models.CharField(_("transaction id"), max_length=64, blank=True, default="")
    expires_at = models.DateTimeField(_("expires at"), null=True)
    ref_block_num = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("key rotation"), _("key rotations")
        constraints = [
            models.CheckConstraint(
                condition=Q(step="DONE", finished_at__isnull=False) | (~Q(step="DONE") & Q(finished_at__isnull=True)),
                name="key_rotation_finished_when_done",
            ),
        ]

    def __str__(self) -> str:
        words = {"old": self.old.name, "new": self.new.name, "step": self.step}
        return gettext("rotation from %(old)s to %(new)s (%(step)s)") % words


class ChainTransaction(models.Model):
    """One transaction with up to 200 records. All that is sent is committed here first."""

    class Status(models.TextChoices):
        BATCHED = "BATCHED"  # members chosen, nothing signed yet
        SIGNED = "SIGNED"  # bytes, signature, id and expiration are committed: the same bytes from now on
        SENT = "SENT"  # a node took it, or may have taken it
        IN_BLOCK = "IN_BLOCK"
        IRREVERSIBLE = "IRREVERSIBLE"  # block id and rows read again at or below LIB
        DEFERRED = "DEFERRED"  # the account lacks RAM, NET or CPU: waits for a person, looked at again slowly
        EXPIRED = "EXPIRED"  # never got in; its entries were released
        CONFLICT = "CONFLICT"  # refused for a reason that repeating cannot mend

    UNFINISHED = (Status.BATCHED, Status.SIGNED, Status.SENT, Status.IN_BLOCK, Status.DEFERRED)

    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.BATCHED)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    # A worker at work on this row; after this moment another may take over.
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    retry_at = models.DateTimeField(_("retry at"), default=timezone.now)  # not to be sent again before
    attempts = models.PositiveIntegerField(_("attempts"), default=0)  # failed sends in a row
    # From SIGNED on
    packed = models.BinaryField(null=True)
    signature = models.CharField(_("signature"), max_length=120, blank=True, default="")
    public_key = models.CharField(_("public key"), max_length=80, blank=True, default="")
    transaction_id = models.CharField(_("transaction id"), max_length=64, null=True, unique=True)  # noqa: DJ001  NULL keeps it unique
    expires_at = models.DateTimeField(_("expires at"), null=True)
    # whole number, not its 16 bits: searches start here
    ref_block_num = models.BigIntegerField(_("reference block number"), null=True)
    signed_at = models.DateTimeField(_("signed at"), null=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    # From IN_BLOCK on
    block_num = models.BigIntegerField(_("block number"), null=True)
    block_id = models.CharField(_("block id"), max_length=64, blank=True, default="")
    irreversible_at = models.DateTimeField(_("irreversible at"), null=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True, default="")
    error_message = models.TextField(_("error message"), blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("chain transaction"), _("chain transactions")
        constraints = [
            # Nothing may have been sent that is not committed here.
            models.CheckConstraint(
                condition=Q(status__in=["BATCHED", "EXPIRED", "CONFLICT"])
                | Q(packed__isnull=False, transaction_id__isnull=False, expires_at__isnull=False),
                name="chain_transaction_sent_is_stored",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["IN_BLOCK", "IRREVERSIBLE"]) | Q(block_num__isnull=False),
                name="chain_transaction_in_block_has_block",
            ),
        ]
        indexes = [
            # The sweep: the few rows that are not finished.
            models.Index(
                fields=["status", "retry_at"],
                condition=Q(status__in=["BATCHED", "SIGNED", "SENT", "IN_BLOCK", "DEFERRED"]),
                name="chain_transaction_open",
            )
        ]

    def __str__(self) -> str:
        words = {"id": self.transaction_id or self.pk, "status": self.status}
        return gettext("transaction %(id)s (%(status)s)") % words


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def ready(self) -> "LedgerEntryQuerySet":
        """Entries that no transaction has taken yet."""
        return self.filter(transaction__isnull=True, conflict="")


class LedgerEntry(models.Model):
    """The record of one closed session. `id` is the ledger id on the chain and says nothing of the session."""

    id = models.BigAutoField(_("ledger id"), primary_key=True)
    session = models.OneToOneField(
        "stations.ChargingSession",
        null=True,  # only once erased
        on_delete=models.PROTECT,
        related_name="ledger_entry",
        verbose_name=pgettext_lazy("charging", "session"),
    )
    salt = models.BinaryField(max_length=32, null=True)
    canonical = models.BinaryField(null=True)  # as it was when closed: tells which field differs later
    digest = models.BinaryField(max_length=32, unique=True)
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="entries", verbose_name=_("data key"))
    transaction = models.ForeignKey(
        ChainTransaction, null=True, on_delete=models.PROTECT, related_name="entries", verbose_name=_("transaction")
    )
    # why this entry cannot be recorded
    conflict = models.CharField(_("conflict"), max_length=255, blank=True, default="")
    # What the last check found to differ, and when it was first equal or last found to be otherwise.
    mismatch = models.CharField(_("mismatch"), max_length=255, blank=True, default="")
    checked_at = models.DateTimeField(_("checked at"), null=True)
    opened_at = models.DateTimeField(_("opened at"), default=timezone.now)
    erased_at = models.DateTimeField(_("erased at"), null=True)
    # What only this portal can say of an entry, sealed under SECRET_KEY (ledger/keys/seals.py): that it erased the
    # record,
    # and what stayed of it; that it made the session anew from the chain, without meter values.
    erasure_seal = models.BinaryField(null=True)
    restored_seal = models.BinaryField(null=True)

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name, verbose_name_plural = _("ledger entry"), _("ledger entries")
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at__isnull=False)
                | Q(session__isnull=False, salt__isnull=False, canonical__isnull=False),
                name="ledger_entry_complete_unless_erased",
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(transaction__isnull=True, conflict=""), name="ledger_entry_ready"),
            # The audit: the newest, which nobody has compared yet, and what differs.
            models.Index(fields=["id"], condition=Q(checked_at__isnull=True), name="ledger_entry_unchecked"),
            models.Index(fields=["id"], condition=~Q(mismatch=""), name="ledger_entry_mismatch"),
            # Sums and filters: the few whose session differs from its record, as far as that is known.
            models.Index(
                fields=["session"], condition=Q(mismatch__gt="") | Q(conflict__gt=""), name="ledger_entry_differs"
            ),
        ]

    def __str__(self) -> str:
        return gettext("ledger entry %(id)s") % {"id": self.pk}

    @property
    def state(self) -> str:
        """READY, or the status of the transaction that carries it; CONFLICT where it cannot be recorded."""
        if self.conflict:
            return ChainTransaction.Status.CONFLICT.value
        return self.transaction.status if self.transaction else "READY"

    @property
    def recorded_at(self) -> datetime | None:
        return self.transaction.irreversible_at if self.transaction else None


class Alert(models.Model):
    """Something that needs a person. One open row a code and subject, counted, not repeated."""

    code = models.CharField(_("code"), max_length=40)
    subject = models.CharField(_("subject"), max_length=100, blank=True, default="")
    message = models.TextField(_("message"))
    what_to_do = models.TextField(_("what to do"), blank=True, default="")
    opened_at = models.DateTimeField(_("opened at"), default=timezone.now)
    last_seen_at = models.DateTimeField(pgettext_lazy("alert", "last seen at"), default=timezone.now)
    count = models.PositiveIntegerField(_("count"), default=1)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]
        verbose_name, verbose_name_plural = _("alert"), _("alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["code", "subject"], condition=Q(closed_at__isnull=True), name="alert_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()


class StatementSubscription(models.Model):
    """A person who wants each month's statement by e-mail, in the language in which they asked for it."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="statement_subscription"
    )
    language = models.CharField(max_length=10)
    since = models.DateTimeField(default=timezone.now)  # months that ended before are not sent by themselves

    class Meta:
        verbose_name, verbose_name_plural = _("statement subscription"), _("statement subscriptions")

    def __str__(self) -> str:
        return gettext("monthly statements for user %(id)s") % {"id": self.user_id}


class StatementMail(models.Model):
    """One month's statement on its way to one person (portal/statements/mail.py). The row is the truth, no message
    is."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="statement_mails", verbose_name=_("account")
    )
    first_day = models.DateField(_("first day"), help_text=_("of the month"))
    monthly = models.BooleanField(_("monthly"), help_text=_("sent by itself, not asked for"))
    # Sent by itself once more, because the month has other charges than the paper that was sent.
    corrected = models.BooleanField(_("corrected"), default=False, help_text=_("it replaces one that was sent"))
    language = models.CharField(_("language"), max_length=10)
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    # Whoever begins an attempt counts it and moves the next one into the future: that is their claim.
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    retry_at = models.DateTimeField(_("retry at"), default=timezone.now)
    error = models.CharField(_("error"), max_length=255, blank=True, default="")  # of the last one, for staff
    sent_to = models.EmailField(_("sent to"), blank=True, default="")
    sent_at = models.DateTimeField(_("sent at"), null=True)
    # The paper's number, and how many sessions it lists; none of those that were sent before these were kept.
    number = models.CharField(_("number"), max_length=40, blank=True, default="")
    sessions = models.PositiveIntegerField(_("sessions"), null=True)
    given_up_at = models.DateTimeField(_("given up at"), null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("statement mail"), _("statement mails")
        constraints = [
            # Whatever beats and workers do at the same time, a month comes by itself once.
            models.UniqueConstraint(
                fields=["user", "first_day"], condition=Q(monthly=True), name="statement_mail_monthly_once"
            ),
            # A button that is pressed twice asks for one e-mail.
            models.UniqueConstraint(
                fields=["user", "first_day"],
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
                name="statement_mail_one_waiting",
            ),
        ]
        indexes = [
            # The sweep: the few that wait.
            models.Index(
                fields=["retry_at"],
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
                name="statement_mail_waiting",
            )
        ]

    def __str__(self) -> str:
        words = {"month": f"{self.first_day:%Y-%m}", "id": self.user_id}
        return gettext("statement %(month)s for user %(id)s") % words
