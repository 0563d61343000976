"""The limit of a site's supply, its schedule, and what each outlet was told of it (stations/load/)."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

AMPERES_MAX = 3000  # of a site with a transformer of its own
WEEKDAYS = "1234567"


class SiteLimit(models.Model):
    """What all outlets of a site may draw together, in whole amperes on each phase."""

    class Phases(models.IntegerChoices):
        ONE = 1, _("one phase")
        THREE = 3, _("three phases")

    site = models.OneToOneField(
        "stations.Site", verbose_name=_("site"), on_delete=models.CASCADE, related_name="load_limit"
    )
    enabled = models.BooleanField(
        _("in force"), default=False, help_text=_("switched off, the stations' own limits hold alone")
    )
    amperes = models.PositiveSmallIntegerField(
        _("limit, A per phase"),
        validators=[MaxValueValidator(AMPERES_MAX)],
        help_text=_("for all outlets of the site together, where no period of the schedule says otherwise"),
    )
    phases = models.PositiveSmallIntegerField(_("phases"), choices=Phases.choices, default=Phases.THREE)
    reserve = models.PositiveSmallIntegerField(
        _("kept free, A"),
        default=0,
        validators=[MaxValueValidator(AMPERES_MAX)],
        help_text=_("of each limit, for whatever else hangs on the same supply"),
    )
    voltage = models.PositiveSmallIntegerField(
        _("voltage, V"),
        default=230,
        validators=[MinValueValidator(100), MaxValueValidator(500)],
        help_text=_("from line to neutral; from it the power of outlets with direct current is worked out"),
    )

    # Since when more is drawn than is allowed, by what the stations measured; and how much, on the fullest phase.
    exceeded_since = models.DateTimeField(_("exceeded since"), null=True, editable=False)
    exceeded_a = models.DecimalField(_("drawn, A"), max_digits=7, decimal_places=1, null=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("limit of a site"), _("limits of sites")
        ordering = ["site__name", "id"]

    def __str__(self) -> str:
        return f"{self.site}: {self.amperes} A"

    def clean(self) -> None:
        if self.amperes is not None and self.reserve is not None and self.reserve > self.amperes:
            raise ValidationError({"reserve": _("Expected at most the limit.")})


def days_words(days: str) -> str:
    """The ISO weekdays "12" as "Mon, Tue"; all of them as "every day"."""
    if days == WEEKDAYS:
        return gettext("every day")
    return ", ".join(str(WEEKDAYS_ABBR[int(day) - 1]) for day in days)


class SiteLimitPeriod(models.Model):
    """Another limit at certain times, by the site's own clock. An end not after the start is on the next day."""

    limit = models.ForeignKey(SiteLimit, verbose_name=_("limit"), on_delete=models.CASCADE, related_name="periods")
    weekdays = models.CharField(_("weekdays"), max_length=7, default=WEEKDAYS)  # ISO: 1 is Monday
    starts = models.TimeField(_("from"))
    ends = models.TimeField(_("to"))
    amperes = models.PositiveSmallIntegerField(_("limit, A per phase"), validators=[MaxValueValidator(AMPERES_MAX)])

    class Meta:
        verbose_name, verbose_name_plural = _("period of a limit"), _("periods of a limit")
        ordering = ["weekdays", "starts", "id"]

    def __str__(self) -> str:
        return f"{days_words(self.weekdays)} {self.starts:%H:%M}–{self.ends:%H:%M}: {self.amperes} A"


class LimitedOutlet(models.Model):
    """An EVSE of a site with a limit: how it is wired, and what it has now. Its connectors charge one at a time."""

    class FirstLine(models.IntegerChoices):
        """To which phase of the site the outlet's L1 is connected; then L2 and L3 follow in order."""

        UNKNOWN = 0, _("not known: counted on all phases")
        L1 = 1, "L1"
        L2 = 2, "L2"
        L3 = 3, "L3"

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="limited_outlets"
    )
    evse_id = models.PositiveIntegerField(_("EVSE number"))
    first_line = models.PositiveSmallIntegerField(
        _("its L1 is the site's"),
        choices=FirstLine.choices,
        default=FirstLine.UNKNOWN,
        help_text=_("so that cars on one phase are counted on that one"),
    )
    # What the last look found and decided.
    session = models.ForeignKey(
        "stations.ChargingSession",
        verbose_name=_("charge"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    drawn_a = models.DecimalField(_("drawn, A"), max_digits=7, decimal_places=1, null=True, editable=False)
    drawn_at = models.DateTimeField(_("measured at"), null=True, editable=False)
    lines = models.CharField(_("phases"), max_length=3, default="", editable=False)  # those of the site; "": all
    want_a = models.PositiveSmallIntegerField(_("drawn of more, A"), null=True, editable=False)
    want_at = models.DateTimeField(null=True, editable=False)
    share_a = models.PositiveSmallIntegerField(_("share, A"), null=True, editable=False)
    most_a = models.PositiveSmallIntegerField(_("counted with, A"), null=True, editable=False)
    reason = models.CharField(_("reason"), max_length=8, default="", editable=False)
    looked_at = models.DateTimeField(_("looked at"), null=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("outlet with a limit"), _("outlets with a limit")
        ordering = ["station__identity", "evse_id"]
        constraints = [models.UniqueConstraint(fields=["station", "evse_id"], name="limited_outlet_once")]

    def __str__(self) -> str:
        return f"{self.station.identity}/{self.evse_id}"


class OutletLimit(models.Model):
    """What an outlet was told in one layer, and what it answered (stations/load/standing.py).

    `amperes` to `lines`: accepted. `asked_…`: on its way, in `command`. `maybe`: sent and never answered, as
    [[amperes, until, lines], …].
    """

    class LayerChoice(models.TextChoices):
        FALLBACK = "FALLBACK", _("without a connection")
        STANDBY = "STANDBY", _("for the next car")
        CHARGE = "CHARGE", _("for this charge")

    outlet = models.ForeignKey(LimitedOutlet, verbose_name=_("outlet"), on_delete=models.CASCADE, related_name="told")
    layer = models.CharField(_("what for"), max_length=8, choices=LayerChoice.choices)
    amperes = models.PositiveSmallIntegerField(_("accepted, A"), null=True)
    until = models.DateTimeField(_("until"), null=True)
    lines = models.CharField(max_length=3, blank=True, default="")
    accepted_at = models.DateTimeField(_("accepted at"), null=True)
    asked_amperes = models.PositiveSmallIntegerField(_("asked, A"), null=True)
    asked_until = models.DateTimeField(null=True)
    asked_lines = models.CharField(max_length=3, blank=True, default="")
    command = models.ForeignKey(
        "stations.Command", verbose_name=_("command"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    maybe = models.JSONField(default=list, blank=True)
    refused_at = models.DateTimeField(_("refused at"), null=True)
    words = models.CharField(_("answer"), max_length=500, blank=True, default="")

    class Meta:
        verbose_name, verbose_name_plural = _("limit of an outlet"), _("limits of outlets")
        ordering = ["outlet", "id"]
        constraints = [
            models.UniqueConstraint(fields=["outlet", "layer"], name="outlet_limit_once_a_layer"),
            models.CheckConstraint(
                condition=Q(amperes__isnull=True) | Q(accepted_at__isnull=False), name="outlet_limit_accepted_when"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outlet} {self.layer}"
