"""The database's side of the chain copy: what was, or will be, recorded, and with which keys it was sealed."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from ledger.webhook_models import Webhook as Webhook
from ledger.webhook_models import WebhookDelivery as WebhookDelivery
from stations.models import ChargingSession, IdToken, Site


class DataKey(models.Model):
    """An AES-256 key that seals the copies of one IdToken's sessions of one customer, or of nobody's.

    (Or of a site's, for sessions without a token.) A token that changes hands has a key for each holder: destroying
    one (wrapped = NULL) makes his copies unreadable for ever, and leaves the others'.
    """

    key_id = models.BinaryField(max_length=16, unique=True)  # random, named inside the sealed copy
    id_token = models.ForeignKey(IdToken, null=True, on_delete=models.SET_NULL, related_name="data_keys")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="data_keys"
    )
    site = models.ForeignKey(Site, null=True, on_delete=models.PROTECT, related_name="data_keys")
    wrapped = models.BinaryField(null=True)  # for the master key: ledger/masterkey.py
    master_key_id = models.CharField(max_length=16, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)  # opens copies still, seals no new ones: its sessions changed hands
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
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
        return f"data key {bytes(self.key_id).hex()}"


class SigningKey(models.Model):
    """A key of the TPM service that signs records, or did. The first one is that of settings.LEDGER_KEY."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE"  # signs
        COMING = "COMING"  # a rotation puts it into the account's permission; does not sign yet
        LEAVING = "LEAVING"  # does not sign any more; a rotation takes it out of the permission
        RETIRED = "RETIRED"  # the chain no longer takes its signatures; receipts of its time stay valid

    name = models.CharField(max_length=64, unique=True)
    public_key = models.CharField(max_length=80, blank=True, default="")  # PUB_R1_…, empty until it is known
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    since = models.DateTimeField(default=timezone.now)  # of this status

    class Meta:
        ordering = ["id"]
        constraints = [
            # Whatever workers and rotations do at the same time, one key signs, and one comes or goes.
            models.UniqueConstraint(
                fields=["status"], condition=~Q(status="RETIRED"), name="signing_key_one_active_coming_leaving"
            ),
        ]

    def __str__(self) -> str:
        return f"signing key {self.name} ({self.status})"


class KeyRotation(models.Model):
    """The ledger's way from one signing key to the next (ledger/rotation.py): `step` is what is to be done next."""

    class Step(models.TextChoices):
        MAKE = "MAKE"  # the new key in the TPM service, and its certification
        ADD = "ADD"  # put it into the account's permission, beside the old one
        SWITCH = "SWITCH"  # sign with it
        SETTLE = "SETTLE"  # wait for what the old one signed
        REMOVE = "REMOVE"  # take the old one out of the permission
        DONE = "DONE"

    old = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="rotations_from")
    new = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="rotations_to")
    step = models.CharField(max_length=6, choices=Step.choices, default=Step.MAKE)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    # The process that drives it; after this moment another may take over.
    claimed_by = models.CharField(max_length=32, blank=True, default="")
    claimed_until = models.DateTimeField(null=True)
    # The change of the permission that is on its way: committed before it is sent, as a ChainTransaction is.
    packed = models.BinaryField(null=True)
    signature = models.CharField(max_length=120, blank=True, default="")
    transaction_id = models.CharField(max_length=64, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    ref_block_num = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(step="DONE", finished_at__isnull=False) | (~Q(step="DONE") & Q(finished_at__isnull=True)),
                name="key_rotation_finished_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"rotation from {self.old.name} to {self.new.name} ({self.step})"


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

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.BATCHED)
    created_at = models.DateTimeField(default=timezone.now)
    # A worker at work on this row; after this moment another may take over.
    claimed_until = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(default=timezone.now)  # not to be sent again before
    attempts = models.PositiveIntegerField(default=0)  # failed sends in a row
    # From SIGNED on
    packed = models.BinaryField(null=True)
    signature = models.CharField(max_length=120, blank=True, default="")
    public_key = models.CharField(max_length=80, blank=True, default="")
    transaction_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001  NULL keeps it unique
    expires_at = models.DateTimeField(null=True)
    ref_block_num = models.BigIntegerField(null=True)  # whole number, not its 16 bits: searches start here
    signed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    # From IN_BLOCK on
    block_num = models.BigIntegerField(null=True)
    block_id = models.CharField(max_length=64, blank=True, default="")
    irreversible_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
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
        return f"transaction {self.transaction_id or self.pk} ({self.status})"


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def ready(self) -> "LedgerEntryQuerySet":
        """Entries that no transaction has taken yet."""
        return self.filter(transaction__isnull=True, conflict="")


class LedgerEntry(models.Model):
    """The record of one closed session. `id` is the ledger id on the chain and says nothing of the session."""

    id = models.BigAutoField(primary_key=True)
    session = models.OneToOneField(
        ChargingSession, null=True, on_delete=models.PROTECT, related_name="ledger_entry"
    )  # NULL only once erased
    salt = models.BinaryField(max_length=32, null=True)
    canonical = models.BinaryField(null=True)  # as it was when closed: tells which field differs later
    digest = models.BinaryField(max_length=32, unique=True)
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="entries")
    transaction = models.ForeignKey(ChainTransaction, null=True, on_delete=models.PROTECT, related_name="entries")
    conflict = models.CharField(max_length=255, blank=True, default="")  # why this entry cannot be recorded
    mismatch = models.CharField(max_length=255, blank=True, default="")  # what the last check found to differ
    checked_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at__isnull=False)
                | Q(session__isnull=False, salt__isnull=False, canonical__isnull=False),
                name="ledger_entry_complete_unless_erased",
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(transaction__isnull=True, conflict=""), name="ledger_entry_ready")
        ]

    def __str__(self) -> str:
        return f"ledger entry {self.pk}"

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

    code = models.CharField(max_length=40)
    subject = models.CharField(max_length=100, blank=True, default="")
    message = models.TextField()
    what_to_do = models.TextField(blank=True, default="")
    opened_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField(default=1)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "subject"], condition=Q(closed_at__isnull=True), name="alert_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()


class StatementSubscription(models.Model):
    """A person who wants each month's statement by e-mail, in the language in which he asked for it."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="statement_subscription")
    language = models.CharField(max_length=10)
    since = models.DateTimeField(default=timezone.now)  # months that ended before are not sent by themselves

    def __str__(self) -> str:
        return f"monthly statements for user {self.user_id}"


class StatementMail(models.Model):
    """One month's statement on its way to one person (ledger/mailing.py). The row is the truth, no message is."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="statement_mails")
    first_day = models.DateField(help_text="of the month")
    monthly = models.BooleanField(help_text="sent by itself, not asked for")
    language = models.CharField(max_length=10)
    requested_at = models.DateTimeField(default=timezone.now)
    # Whoever begins an attempt counts it and moves the next one into the future: that is his claim.
    attempts = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=255, blank=True, default="")  # of the last one, for staff
    sent_to = models.EmailField(blank=True, default="")
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
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
        return f"statement {self.first_day:%Y-%m} for user {self.user_id}"
