"""The transparency log over the ledger: its tiles, its checkpoints, and who witnesses them (ledger/log/)."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from ledger.models.recording import ChainTransaction


class LogTile(models.Model):
    """Up to 256 neighbours of one level, the rightmost of a level growing. Append only: what stands in it stays.

    Level 0 holds the leaves themselves, 40 bytes each; the tile of their hashes is made of them. Level L above holds
    the hashes of complete subtrees of 256^L leaves, 32 bytes each.
    """

    WIDTH = 256

    level = models.PositiveSmallIntegerField(pgettext_lazy("log", "level"))
    index = models.BigIntegerField(pgettext_lazy("log", "index"))
    width = models.PositiveSmallIntegerField(pgettext_lazy("log", "width"))  # how many there are of 256
    data = models.BinaryField()

    class Meta:
        ordering = ["level", "index"]
        verbose_name, verbose_name_plural = _("log tile"), _("log tiles")
        constraints = [
            models.UniqueConstraint(fields=["level", "index"], name="log_tile_once"),
            models.CheckConstraint(condition=Q(width__gte=1, width__lte=256), name="log_tile_of_256"),
            models.CheckConstraint(condition=Q(index__gte=0, level__lte=7), name="log_tile_has_a_place"),
        ]

    def __str__(self) -> str:
        return gettext("log tile %(level)s/%(index)s") % {"level": self.level, "index": self.index}

    @property
    def is_complete(self) -> bool:
        return self.width == self.WIDTH


class LogCheckpoint(models.Model):
    """One size of the log and its root. Committed before anything is signed, and never replaced by another root.

    Made (size, root) -> signed (note) -> on its way to the chain (transaction) -> published (the transaction is
    irreversible). Each is the successor of exactly one: `old_size`.
    """

    class State(models.TextChoices):
        MADE = "MADE", pgettext_lazy("checkpoint", "Made")  # nothing signed yet
        SIGNED = "SIGNED", pgettext_lazy("checkpoint", "Signed")  # by the log's key; the chain does not have it
        ON_ITS_WAY = "ON_ITS_WAY", pgettext_lazy("checkpoint", "On its way to the chain")
        PUBLISHED = "PUBLISHED", pgettext_lazy("checkpoint", "Published")

    size = models.BigIntegerField(pgettext_lazy("log", "size"), unique=True)
    old_size = models.BigIntegerField(pgettext_lazy("log", "size before"), unique=True)
    root = models.BinaryField(_("root"), max_length=32)
    upto_block = models.BigIntegerField(_("up to block"))  # all records of ours up to it are leaves
    # Ledger ids of older blocks that were found late: the last leaves of this batch, in this order.
    late = models.JSONField(_("found late"), default=list)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    # C2SP signed note with the log's own signature; witnesses' lines are LogCosignature.
    note = models.TextField(_("note"), blank=True, default="")
    vkey = models.CharField(_("key"), max_length=500, blank=True, default="")  # of the log, that signed the note
    signed_at = models.DateTimeField(_("signed at"), null=True)
    # The one that records it on the chain, or will; another one after one that has expired.
    transaction = models.OneToOneField(
        ChainTransaction,
        null=True,
        on_delete=models.PROTECT,
        related_name="checkpoint",
        verbose_name=_("transaction"),
    )
    published_at = models.DateTimeField(_("published at"), null=True)

    class Meta:
        ordering = ["-size"]
        verbose_name, verbose_name_plural = _("log checkpoint"), _("log checkpoints")
        indexes = [models.Index(fields=["published_at"], name="log_checkpoint_published")]
        constraints = [
            models.CheckConstraint(condition=Q(old_size__gte=0, size__gt=F("old_size")), name="log_checkpoint_grows"),
            # What is signed is stored, what goes to the chain was signed, what is published is on the chain. (What was
            # restored from there is published, and signed anew after that.)
            models.CheckConstraint(
                condition=Q(note="", vkey="", signed_at__isnull=True)
                | (~Q(note="") & ~Q(vkey="") & Q(signed_at__isnull=False)),
                name="log_checkpoint_signed_is_stored",
            ),
            models.CheckConstraint(
                condition=Q(transaction__isnull=True) | Q(signed_at__isnull=False) | Q(published_at__isnull=False),
                name="log_checkpoint_sent_is_signed",
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | Q(transaction__isnull=False),
                name="log_checkpoint_published_is_on_chain",
            ),
        ]

    def __str__(self) -> str:
        return gettext("log checkpoint %(size)s") % {"size": self.size}

    @property
    def state(self) -> State:
        """How far it is."""
        if self.published_at is not None:
            return self.State.PUBLISHED
        if self.transaction_id is not None:
            return self.State.ON_ITS_WAY
        return self.State.SIGNED if self.note else self.State.MADE


class LogWitness(models.Model):
    """Somebody else who follows the log and signs each checkpoint that is consistent with those before."""

    class State(models.TextChoices):
        NEW = "NEW", pgettext_lazy("witness", "Not asked yet")
        OK = "OK", pgettext_lazy("witness", "Witnesses")
        MISSING = "MISSING", pgettext_lazy("witness", "Does not answer")
        REFUSES = "REFUSES", pgettext_lazy("witness", "Refuses")

    name = models.CharField(_("name"), max_length=255, unique=True)  # as its key names it
    url = models.URLField("URL", max_length=500)  # /add-checkpoint is below it
    vkey = models.CharField(_("key"), max_length=500)  # name+key id+base64, C2SP signed-note
    enabled = models.BooleanField(pgettext_lazy("witness", "enabled"), default=True)
    added_at = models.DateTimeField(_("added at"), default=timezone.now)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.NEW)
    last_size = models.BigIntegerField(_("last size"), default=0)  # that it has signed, or says it knows
    last_asked_at = models.DateTimeField(_("last asked at"), null=True, blank=True)
    last_answer_at = models.DateTimeField(_("last answer at"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=500, blank=True, default="")
    # What it says of our TPMs that it looked at itself (evportal-ak-certificate/1), checked before it is stored.
    ak_certificates = models.JSONField(_("certificates of TPMs"), default=list, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("log witness"), _("log witnesses")

    def __str__(self) -> str:
        return self.name


class LogCosignature(models.Model):
    """A witness's signature line under a checkpoint."""

    checkpoint = models.ForeignKey(
        LogCheckpoint, on_delete=models.CASCADE, related_name="cosignatures", verbose_name=_("log checkpoint")
    )
    witness = models.ForeignKey(
        LogWitness, on_delete=models.PROTECT, related_name="cosignatures", verbose_name=_("log witness")
    )
    line = models.TextField(_("signature"))  # the whole line of the note, without its end
    cosigned_at = models.DateTimeField(_("cosigned at"))  # as the witness signed it
    received_at = models.DateTimeField(_("received at"), default=timezone.now)

    class Meta:
        ordering = ["checkpoint", "witness"]
        verbose_name, verbose_name_plural = _("log cosignature"), _("log cosignatures")
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "witness"], name="log_cosignature_once"),
        ]
        # The first and the newest of a witness, among millions
        indexes = [models.Index(fields=["witness", "checkpoint"], name="log_cosignature_of_witness")]

    def __str__(self) -> str:
        return f"{self.witness_id} {self.checkpoint_id}"
