"""People who log in: drivers (customers) and staff; what proves that it is they; and their sign-ins."""

import base64
import hashlib
import secrets
import zoneinfo
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.plugins.otp_totp.models import TOTPDevice

from common import sealed_text


def time_zone_validate(name: str) -> None:
    """Accept IANA zone names only ("Europe/Berlin")."""
    if name not in zoneinfo.available_timezones():
        said = gettext("expected an IANA time zone such as Europe/Berlin, got %(name)s")
        raise ValidationError(said % {"name": repr(name)})


class Role(models.TextChoices):
    """What Cognito's groups are called here; accounts/login/roles.py says what each may do."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class User(AbstractUser):  # type: ignore[django-manager-missing]  # django-otp has no types
    """A person. A driver's sessions are those whose `customer` is this user."""

    sub = models.CharField(
        _("identity (sub)"),
        max_length=64,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "who this is at the identity provider; names and e-mail addresses may change hands, this never does"
        ),
    )
    roles = models.JSONField(
        _("roles"), default=list, blank=True, editable=False, help_text=_("from Cognito's groups, at each login")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="", validators=[time_zone_validate])
    language = models.CharField(_("language"), max_length=8, blank=True, default="", choices=settings.LANGUAGES)
    remember_allowed = models.BooleanField(
        _("may remember devices"),
        default=True,
        help_text=_("Without it the second factor is asked at every login, on every device."),
    )


def secret_digest(secret: str) -> str:
    """What is kept of a secret drawn at random (at least 79 bits): such a one needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Authenticator(TOTPDevice):  # type: ignore[misc]  # django-otp has no types
    """An authenticator app, whose `key` the database keeps sealed: a copy of it makes nobody's codes.

    It opens for the person only to whom it belongs: nobody can give it to somebody else by writing to the table.
    """

    KEY_BYTES = 20  # RFC 4226, 4, R6
    PURPOSE = "evportal authenticators"

    class Meta:
        proxy = True
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")

    @classmethod
    def make(cls, *, user: User, confirmed: bool = False) -> "Authenticator":
        """With a new key of KEY_BYTES random bytes, sealed for this person."""
        sealed = sealed_text.seal_bytes(secrets.token_bytes(cls.KEY_BYTES), purpose=cls.PURPOSE, about=str(user.pk))
        key = base64.b64encode(sealed).decode()
        made: Authenticator = cls.objects.create(user=user, name="authenticator", key=key, confirmed=confirmed)
        return made

    @property
    def bin_key(self) -> bytes:
        """The key; raises SealedTextError."""
        return sealed_text.unseal_bytes(self._sealed(), purpose=self.PURPOSE, about=str(self.user_id))

    def opens(self) -> bool:
        """Whether its key can be unsealed; False after SECRET_KEY was replaced without its fallback."""
        try:
            return bool(self.bin_key)
        except sealed_text.SealedTextError:
            return False

    def key_anew(self) -> str | None:
        """`key` sealed under SECRET_KEY, None where it is; raises SealedTextError."""
        sealed = sealed_text.sealed_bytes_anew(self._sealed(), purpose=self.PURPOSE, about=str(self.user_id))
        return base64.b64encode(sealed).decode() if sealed else None

    def _sealed(self) -> bytes:
        try:
            return base64.b64decode(self.key, validate=True)
        except ValueError as error:
            raise sealed_text.SealedTextError from error


class RecoverySheet(ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp has no types
    """A person's ten recovery codes, as a device of django-otp: what somebody shows who has lost the authenticator."""

    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("recovery sheet")
        verbose_name_plural = _("recovery sheets")
        constraints = [models.UniqueConstraint(fields=["user"], name="one_recovery_sheet_a_person")]

    def get_throttle_factor(self) -> int:
        """As authenticators: the wait doubles with each failure."""
        return int(settings.OTP_TOTP_THROTTLE_FACTOR)

    def verify_token(self, token: Any) -> bool:
        """Use up the code (its conditional update says who was first); wrong ones are waited for, ever longer."""
        allowed, _reason = self.verify_is_allowed()
        if not allowed:
            return False
        unused = self.codes.filter(digest=secret_digest(str(token)), used_at__isnull=True)
        if not unused.update(used_at=timezone.now()):
            self.throttle_increment(commit=True)
            return False
        self.throttle_reset(commit=True)
        return True


class RecoveryCode(models.Model):
    """One recovery code, of which only the digest is kept."""

    sheet = models.ForeignKey(RecoverySheet, on_delete=models.CASCADE, related_name="codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = [models.UniqueConstraint(fields=["sheet", "digest"], name="one_recovery_code_once")]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class RememberedDevice(Device):  # type: ignore[misc]
    """A browser that need not show the second factor until `expires_at`: it has a cookie, whose digest is here."""

    digest = models.CharField(max_length=64, unique=True)
    browser = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_used_at", "-pk"]
        verbose_name = _("remembered device")
        verbose_name_plural = _("remembered devices")

    def is_over(self) -> bool:
        """Whether its time has passed."""
        return bool(self.expires_at <= timezone.now())

    def verify_token(self, token: Any) -> bool:
        """Whether the cookie is this device's, and still counts."""
        return self.digest == secret_digest(str(token)) and not self.is_over()


class SignIn(models.Model):
    """One step of a login, as the person can look it up: when, from where, with what, and how it went."""

    class Outcome(models.TextChoices):
        LOGGED_IN = "logged_in", _("Logged in")
        SECOND_FACTOR = "second_factor", _("Second factor shown")
        REMEMBERED = "remembered", _("Second factor skipped on a remembered device")
        RECOVERY_CODE = "recovery_code", _("Recovery code used")
        WRONG_CODE = "wrong_code", _("Wrong code")
        REFUSED = "refused", _("Refused: the account is disabled")
        ENROLLED = "enrolled", _("Authenticator set up")
        CODES_MADE = "codes_made", _("New recovery codes made")
        RESET = "reset", _("Second factor reset by staff")
        LOGGED_OUT = "logged_out", _("Logged out")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins", verbose_name=_("user"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    browser = models.CharField(_("browser"), max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        indexes = [models.Index(fields=["user", "-at"], name="sign_ins_of_a_person")]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.at:%Y-%m-%d %H:%M}"


# Defined elsewhere to keep this module short; Django looks for models here.
