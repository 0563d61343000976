"""One import of a file through the admin: who, when, what came of it; and the file itself until it is done with.

CHECKING -> CHECKED -> IMPORTING -> DONE, or FAILED, or CANCELLED; and UNDONE, once all of it was taken back. A worker
does the two moving ones in batches: what a batch stored, its findings and how far the file is read are one database
transaction, so a killed worker loses nothing and counts nothing twice. `manage.py import_sessions` has a run as well,
without a file.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import time_zone_validate


class ImportRun(models.Model):
    """The run and, while and after it moves, its counts. `position` and `line` say where the next batch begins."""

    class State(models.TextChoices):
        CHECKING = "CHECKING", _("being checked")  # the dry run
        CHECKED = "CHECKED", _("checked, waits for your decision")
        IMPORTING = "IMPORTING", _("being imported")
        DONE = "DONE", _("imported")
        FAILED = "FAILED", _("failed")
        CANCELLED = "CANCELLED", _("cancelled")
        UNDONE = "UNDONE", _("taken back")

    MOVING = (State.CHECKING, State.IMPORTING)

    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.CHECKING)
    file_name = models.CharField(_("file name"), max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64, db_index=True)
    size = models.PositiveIntegerField(_("size, bytes"))
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, default="", help_text=_("of the sites that the import makes")
    )
    form = models.CharField(_("format"), max_length=100, blank=True, default="")  # in words
    kind = models.CharField(_("kind of file"), max_length=200, blank=True, default="")  # in words, too
    source = models.CharField(
        _("source"), max_length=16, blank=True, default="", help_text=_("whose session numbers these are")
    )
    dates = models.CharField(_("form of dates"), max_length=3, blank=True, default="")
    mapping = models.ForeignKey(
        "stations.ImportMapping",
        verbose_name=_("mapping"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="runs",
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("uploaded by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="import_runs",
    )
    uploaded_at = models.DateTimeField(_("uploaded at"), default=timezone.now)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("confirmed by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    position = models.PositiveIntegerField(default=0)  # bytes read, some more than were stored
    line = models.PositiveIntegerField(default=1)  # the next batch begins at the first record from here on
    imported = models.PositiveIntegerField(_("imported"), default=0)
    already_there = models.PositiveIntegerField(_("already there"), default=0)
    skipped = models.PositiveIntegerField(default=0)
    different = models.PositiveIntegerField(default=0)
    flags = models.JSONField(default=dict, blank=True)  # {"zero_energy": how many, …}
    reason = models.CharField(max_length=500, blank=True, default="")  # why it failed, or why it waits
    made = models.JSONField(default=dict, blank=True)  # {"site": [codes], …} that were not there before
    taken_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("taken back by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    taken_back_at = models.DateTimeField(_("taken back at"), null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # claims since the last batch that was stored

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("import"), _("imports")
        indexes = [
            # The sweep: the few that move.
            models.Index(
                fields=["claimed_until"], condition=Q(state__in=["CHECKING", "IMPORTING"]), name="import_moving"
            )
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.uploaded_at:%Y-%m-%d %H:%M})"

    @property
    def moving(self) -> bool:
        return self.state in self.MOVING

    @property
    def rows(self) -> int:
        return self.imported + self.already_there + self.skipped + self.different

    @property
    def left_out(self) -> int:
        return self.skipped + self.different

    @property
    def percent(self) -> int:
        return 100 * self.position // max(self.size, 1)


class ImportMapping(models.Model):
    """What the columns of a table mean that none of our formats is (stations/imports/formats/mapped.py)."""

    name = models.CharField(_("name"), max_length=16, unique=True)
    columns = models.JSONField(_("columns"), default=dict)  # {"started": "Start of charge", …}
    dates = models.CharField(_("form of dates"), max_length=3, blank=True, default="")
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="", validators=[time_zone_validate])
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="", help_text="ISO 4217")
    energy_unit = models.CharField(
        _("unit of energy"), max_length=3, choices=[("kWh", "kWh"), ("Wh", "Wh")], default="kWh"
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("mapping of columns"), _("mappings of columns")

    def __str__(self) -> str:
        return self.name


class ImportFile(models.Model):
    """The uploaded bytes, apart from the run, so that no list reads them; deleted when the run is over."""

    run = models.OneToOneField(ImportRun, on_delete=models.CASCADE, related_name="file")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"file of {self.run_id}"


class ImportFinding(models.Model):
    """A row that did not become a session, and why: the field, what was expected and what came."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="findings")
    line = models.PositiveIntegerField()
    session_id = models.CharField(max_length=36, blank=True, default="")
    outcome = models.CharField(max_length=9)  # skipped | different
    field = models.CharField(max_length=200, blank=True, default="")
    expected = models.CharField(max_length=500)
    got = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="import_finding_once_a_line")]

    def __str__(self) -> str:
        return f"line {self.line} {self.outcome}"
