"""The second factor: an authenticator's codes (TOTP, RFC 6238), recovery codes, remembered devices, and the reset.

django-otp keeps the authenticators, checks their codes, takes none twice and lets whoever is wrong wait 1, 2, 4, 8 …
seconds. Every check locks the device's row, so that of two who show the same code at once only one is let in.
"""

import secrets
from base64 import b32encode
from datetime import timedelta

import segno
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django_otp.models import Device

from accounts.login.access import remembering_allowed
from accounts.login.errors import CodeTooEarlyError
from accounts.login.notices import notice_send
from accounts.login.people import sign_in_record
from accounts.models import (
    ApiToken,
    Authenticator,
    RecoveryCode,
    RecoverySheet,
    RememberedDevice,
    SignIn,
    User,
    secret_digest,
)
from common.client_address import browser_name, client_address

RECOVERY_CODES = 10
CODE_GROUPS, GROUP_LETTERS = 4, 4
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another; 16 of them are 79 bits
COOKIE = "remembered"
COOKIE_SALT = "accounts.remembered"
REMEMBERED_DAYS = 30
ENROLLING = "enrolling"  # in the session: which authenticator it is setting up


# --- the authenticator


def authenticator_of(user: User) -> Authenticator | None:
    """The authenticator that counts, if the person has set one up."""
    device: Authenticator | None = Authenticator.objects.filter(user=user, confirmed=True).order_by("-pk").first()
    return device


def authenticator_pending(*, user: User, session: SessionBase) -> Authenticator:
    """The one that is being set up: its key stays the same in this session until it is confirmed.

    Another session gets another key, which ends the first: a key that somebody else may have read opens nothing.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two tabs at once get the same key
        pending = Authenticator.objects.filter(user=user, confirmed=False)
        device: Authenticator | None = pending.filter(pk=session.get(ENROLLING)).first()
        if device is None or not device.opens():
            pending.delete()
            device = Authenticator.make(user=user)
            session[ENROLLING] = device.pk
    return device


def authenticator_key(device: Authenticator) -> str:
    """The key as people type it: base32 in groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def authenticator_qr(device: Authenticator) -> str:
    """The key as a QR code: an SVG image as a data: address, dark on white whatever the colours of the page."""
    return str(segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff"))


def authenticator_confirm(*, user: User, code: str) -> Authenticator | None:
    """Take the pending authenticator into use when its code is right; the one before it and remembered devices go.

    Raises CodeTooEarlyError.
    """
    with transaction.atomic():
        pending = Authenticator.objects.select_for_update().filter(user=user, confirmed=False)
        device: Authenticator | None = pending.first()
        if device is None or not _taken(device, code):
            return None
        Authenticator.objects.filter(user=user, confirmed=True).delete()
        RememberedDevice.objects.filter(user=user).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
    return device


def code_check(*, user: User, device: Device, code: str) -> Device | None:
    """The device, when its code is right and not used before; its use is kept. Raises CodeTooEarlyError."""
    with transaction.atomic():
        locked: Device | None = Device.from_persistent_id(device.persistent_id, for_verify=True)
        if locked is None or locked.user_id != user.pk or not _taken(locked, code):
            return None
    return locked


def _taken(device: Device, code: str) -> bool:
    """Whether the code is right. While one has to wait django-otp calls every code wrong, without looking at it."""
    if wait_s := _wait_s(device):
        raise CodeTooEarlyError(wait_s)
    return bool(device.verify_token(code))


def seconds_locked(device: Device) -> int:
    """How long this device takes no code, after wrong ones."""
    device.refresh_from_db()
    return _wait_s(device)


def _wait_s(device: Device) -> int:
    allowed, why = device.verify_is_allowed()
    if allowed:
        return 0
    wait: timedelta = why["locked_until"] - timezone.now()
    return max(1, round(wait.total_seconds()))


# --- recovery codes


def recovery_codes_new(*, user: User) -> list[str]:
    """Make ten new codes, which are told this once; the ones before are void."""
    codes = [recovery_code_new() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        RecoverySheet.objects.filter(user=user).delete()
        sheet = RecoverySheet.objects.create(user=user, name="recovery codes")
        RecoveryCode.objects.bulk_create(
            RecoveryCode(sheet=sheet, digest=secret_digest(recovery_code_plain(code))) for code in codes
        )
    return codes


def recovery_code_new() -> str:
    """Four groups of four, from letters that are not mistaken for others."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP_LETTERS)) for _ in range(CODE_GROUPS))
    return "-".join(groups)


def recovery_code_plain(code: str) -> str:
    """A code without what people write between its letters."""
    return "".join(letter for letter in code.lower() if letter.isalnum())


def recovery_sheet_of(user: User) -> RecoverySheet | None:
    """None where none was made."""
    sheet: RecoverySheet | None = RecoverySheet.objects.filter(user=user).first()
    return sheet


def recovery_codes_left(user: User) -> int:
    """How many are unused."""
    return int(RecoveryCode.objects.filter(sheet__user=user, used_at__isnull=True).count())


# --- remembered devices


def device_remember(*, user: User, request: HttpRequest) -> str:
    """Keep this browser for REMEMBERED_DAYS; returns the value of its cookie, of which only a digest is kept."""
    secret = secrets.token_urlsafe(32)
    RememberedDevice.objects.create(
        user=user,
        name="remembered",
        digest=secret_digest(secret),
        browser=browser_name(request),
        address=client_address(request),
        expires_at=timezone.now() + timedelta(days=REMEMBERED_DAYS),
    )
    return signing.dumps(secret, salt=COOKIE_SALT)


def device_recall(*, user: User, cookie: str) -> RememberedDevice | None:
    """The remembered device of this cookie, if it is this person's, is not over, and remembering is allowed (still)."""
    try:
        secret = signing.loads(cookie, salt=COOKIE_SALT, max_age=timedelta(days=REMEMBERED_DAYS))
    except signing.BadSignature:
        return None
    device: RememberedDevice | None = RememberedDevice.objects.filter(
        user=user, digest=secret_digest(str(secret))
    ).first()
    if device is None or not device.verify_token(secret) or not remembering_allowed(user):
        return None
    RememberedDevice.objects.filter(pk=device.pk).update(last_used_at=timezone.now())
    return device


# --- lost device


def second_factor_reset(*, user: User) -> None:
    """Forget authenticator, recovery codes and remembered devices: the person sets up a new one at the next login.

    Sessions that had shown the second factor see nothing from their next request on. The person gets an e-mail.
    """
    with transaction.atomic():
        for model in (Authenticator, RecoverySheet, RememberedDevice):
            model.objects.filter(user=user).delete()
        # Whoever had the lost device may have made some.
        ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=timezone.now())
        sign_in_record(user=user, outcome=SignIn.Outcome.RESET)
    notice_send(user=user, about="reset")
