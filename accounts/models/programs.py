"""Who calls the REST API, with which tokens, and what was answered to writes that may come again."""

from dataclasses import dataclass

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ApiClient(models.Model):
    """A program of an integrator: a Cognito app client that is known here. An unknown one is refused (403).

    Which kinds of requests it may make is said by the scopes of its tokens; which rows, here: those of its sites
    (`Site.api_clients`), or of all.
    """

    client_id = models.CharField(
        _("client id"),
        max_length=128,
        unique=True,
        validators=[RegexValidator(r"\A[\w+]{1,128}\Z", _("Expected the app client's id, as Cognito shows it."))],
        help_text=_("the app client's id in the Cognito user pool"),
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("whose program it is, for people"))
    all_sites = models.BooleanField(
        _("all sites"), default=False, help_text=_("reads every site; otherwise those that are chosen")
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("clear this to refuse it at its next request")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "id"]
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Program:
    """The caller of a request, where DRF expects a user: no person, so none of a person's permissions."""

    client: ApiClient
    is_authenticated: bool = True
    is_active: bool = True
    is_staff: bool = False

    @property
    def pk(self) -> int:
        """The key of its row: what is counted and logged of the caller."""
        return self.client.pk

    def has_perm(self, perm: str) -> bool:
        """What a program may write is said by its scopes, and by the sites that it sees."""
        return True


class ApiToken(models.Model):
    """A person's own token for programs. Shown once when it is made; what is stored is its SHA-256."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(
        _("beginning"), max_length=12, editable=False, help_text=_("how the token begins, to recognise it by")
    )
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def is_living(self) -> bool:
        """Neither revoked nor over."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class IdempotentAnswer(models.Model):
    """What was answered to a write with an `Idempotency-Key`: the same again gets the same (api/idempotency.py).

    `answer` is encrypted (common/sealed_text.py): some answers show a secret once.
    """

    caller = models.CharField(max_length=150)
    key = models.CharField(max_length=128)
    request = models.CharField(max_length=64, help_text="SHA-256 of method, path, precondition and body")
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("idempotent answer")
        verbose_name_plural = _("idempotent answers")
        constraints = [
            # Of two at once the second waits here for the first, and then reads its answer.
            models.UniqueConstraint(fields=["caller", "key"], name="idempotent_answer_one_a_key")
        ]

    def __str__(self) -> str:
        return f"answer {self.status} to {self.caller}"
