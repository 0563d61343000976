"""Who gets a vehicle's statement each month besides its driver, what became of each e-mail, and where invoices go."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stations.one_line import LINE


class StatementRecipient(models.Model):
    """An address, as of an employer, that gets one vehicle's statement each month once its reader has confirmed it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("account"), on_delete=models.CASCADE, related_name="recipients"
    )
    vehicle = models.ForeignKey(
        "stations.Vehicle", verbose_name=_("vehicle"), on_delete=models.CASCADE, related_name="recipients"
    )
    address = models.EmailField(_("e-mail address"))
    home_only = models.BooleanField(_("home only"), default=True)
    language = models.CharField(_("language"), max_length=10)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("recipient of statements"), _("recipients of statements")
        ordering = ["id"]
        constraints = [
            # One address a vehicle and kind: whom to ask again is clear.
            models.UniqueConstraint(fields=["vehicle", "home_only"], name="recipient_one_a_vehicle"),
        ]

    def __str__(self) -> str:
        return f"{self.vehicle}: {self.address}"


class StatementDelivery(models.Model):
    """One e-mail to a recipient: a month's statement, or with no month the question whether they want them."""

    recipient = models.ForeignKey(
        StatementRecipient, verbose_name=_("recipient"), on_delete=models.CASCADE, related_name="deliveries"
    )
    first_day = models.DateField(_("first day"), null=True, help_text=_("of the month; none: the question itself"))
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    # Whoever begins an attempt counts it and moves the next one into the future: that is their claim.
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    retry_at = models.DateTimeField(_("retry at"), default=timezone.now)
    error = models.CharField(_("error"), max_length=255, blank=True, default="")
    sent_to = models.EmailField(_("sent to"), blank=True, default="")
    sent_at = models.DateTimeField(_("sent at"), null=True)
    number = models.CharField(_("number"), max_length=40, blank=True, default="")
    given_up_at = models.DateTimeField(_("given up at"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("e-mail to a recipient"), _("e-mails to recipients")
        ordering = ["-id"]
        constraints = [
            # Whatever beats and workers do at the same time, a month goes to a recipient once.
            models.UniqueConstraint(
                fields=["recipient", "first_day"],
                condition=Q(first_day__isnull=False),
                name="delivery_month_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["retry_at"],
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
                name="delivery_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id}: {self.first_day or '?'}"


class InvoiceAddress(models.Model):
    """To whom the operator's invoices are made out. Without it a statement is no e-invoice."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, verbose_name=_("account"), on_delete=models.CASCADE, related_name="invoice_address"
    )
    name = models.CharField(_("name"), max_length=100, validators=[LINE])
    street = models.CharField(_("street and number"), max_length=100, blank=True, default="", validators=[LINE])
    postal_code = models.CharField(_("postal code"), max_length=10, blank=True, default="", validators=[LINE])
    city = models.CharField(_("city"), max_length=100, blank=True, default="", validators=[LINE])
    country = models.CharField(
        _("country"),
        max_length=2,
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", _("Expected two letters such as DE."))],
        help_text="ISO 3166-1 alpha-2",
    )
    reference = models.CharField(
        _("buyer's reference"),
        max_length=60,
        blank=True,
        default="",
        validators=[LINE],
        help_text=_("what the buyer wants to find on it, such as a cost centre or a Leitweg-ID"),
    )

    class Meta:
        verbose_name, verbose_name_plural = _("invoice address"), _("invoice addresses")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name
