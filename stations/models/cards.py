"""What people charge with: cards, contracts and apps (OCPP IdToken), and the one-time codes that link them."""

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.programs import Program
from stations.identifiers import contract_canonical, token_canonical, token_forms
from stations.models.canonical import Canonical
from stations.models.visibility import Visible


class IdTokenQuerySet(Visible["IdToken"]):
    """Drivers see their own; a program with chosen sites those that charged there."""

    permission = "stations.view_idtoken"

    def at_sites_of(self, program: Program) -> "IdTokenQuerySet":
        sessions = apps.get_model("stations", "ChargingSession").objects.visible_to(program)
        return self.filter(pk__in=sessions.order_by().values("id_token"))

    def written(self, uid: str) -> "IdTokenQuerySet":
        """Tokens of any type whose number this is, however it is written."""
        return self.filter(canonical__in=token_forms(uid))

    def known(self) -> "IdTokenQuerySet":
        """Those that somebody has linked or entered; the others a station, or a file of charges, has named."""
        return self.filter(Q(entered=True) | Q(customer__isnull=False))

    def of_customer(self, user: Any) -> "IdTokenQuerySet":
        return self.filter(customer_id=user.pk)


class IdToken(models.Model):
    """What a driver shows to start a charge: an RFID card, an app user, a contract (OCPP 2.0.1 IdTokenType).

    `uid` is as it was first written; the same in other letters is the same token (stations/identifiers.py).
    """

    class Type(models.TextChoices):
        # OCPP's codes, read as they are written
        ISO14443 = "ISO14443", "ISO14443"
        ISO15693 = "ISO15693", "ISO15693"
        E_MAID = "eMAID", "eMAID"
        CENTRAL = "Central", "Central"
        KEY_CODE = "KeyCode", "KeyCode"
        LOCAL = "Local", "Local"
        MAC_ADDRESS = "MacAddress", "MacAddress"
        # of OCPP 2.1 alone
        EVCC_ID = "EVCCID", "EVCCID"
        VIN = "VIN", "VIN"
        DIRECT_PAYMENT = "DirectPayment", "DirectPayment"

    uid = models.CharField("UID", max_length=36)
    canonical = Canonical(of=lambda token: token_canonical(token.uid, token.type))
    type = models.CharField(_("type"), max_length=16, choices=Type.choices, default=Type.ISO14443)
    contract_id = models.CharField(_("contract ID"), max_length=36, blank=True, default="", help_text="eMAID")
    contract_canonical = Canonical(of=lambda token: contract_canonical(token.contract_id), db_index=True)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="id_tokens",
    )
    blocked = models.BooleanField(_("blocked"), default=False, help_text=_("it may not charge, wherever it is shown"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    group = models.CharField(
        _("group"),
        max_length=36,
        blank=True,
        default="",
        help_text=_("cards of one group may end each other's charges (OCPP parentIdTag, groupIdToken)"),
    )
    single = models.BooleanField(
        _("one charge at a time"), default=False, help_text=_("it may not charge at two stations at once")
    )
    entered = models.BooleanField(
        _("known"),
        default=True,
        help_text=_("somebody has entered it, or said that it may charge; one that a station showed first is unknown"),
    )

    objects = IdTokenQuerySet.as_manager()

    class Meta:
        ordering = ["uid"]
        verbose_name, verbose_name_plural = _("ID token"), _("ID tokens")
        constraints = [models.UniqueConstraint(fields=["canonical", "type"], name="id_token_unique_canonical")]

    def __str__(self) -> str:
        return f"{self.type} {self.uid}"

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """The form says in words what the constraint would refuse."""
        super().validate_unique(exclude)
        same = IdToken.objects.filter(canonical=token_canonical(self.uid, self.type), type=self.type)
        if other := same.exclude(pk=self.pk).first():
            words = _("There is this token already, written %(uid)s.")
            raise ValidationError({"uid": ValidationError(words, params={"uid": other.uid})})

    @property
    def is_known(self) -> bool:
        """Whether somebody has linked or entered it (IdTokenQuerySet.known)."""
        return self.entered or self.customer_id is not None


class LinkCodeQuerySet(models.QuerySet["LinkCode"]):
    def open(self) -> "LinkCodeQuerySet":
        """Codes that still link: neither used nor ended nor too old."""
        return self.filter(used_at__isnull=True, ended_at__isnull=True, expires_at__gt=timezone.now())


class LinkCode(models.Model):
    """A one-time code that links one token to the account of whoever enters it (stations/cards/linking.py)."""

    id_token = models.ForeignKey(
        IdToken, verbose_name=_("ID token"), on_delete=models.CASCADE, related_name="link_codes"
    )
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="link_codes_made",
    )
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("used by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="link_codes_used",
    )
    ended_at = models.DateTimeField(
        _("ended at"), null=True, help_text=_("a newer code took its place, or the token was linked")
    )

    objects = LinkCodeQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("link code"), _("link codes")
        ordering = ["-made_at", "-id"]
        constraints = [
            # A new code ends the one before, also where two are made at once.
            models.UniqueConstraint(
                fields=["id_token"],
                condition=Q(used_at__isnull=True, ended_at__isnull=True),
                name="link_code_one_open_per_token",
            )
        ]

    def __str__(self) -> str:
        return gettext("link code for %(card)s") % {"card": self.id_token}
