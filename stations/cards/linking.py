"""One-time codes by which a driver links a card or contract to their account.

An operator makes the code on the token's page and hands it over with the card; it is shown once and kept as an HMAC
under the portal's secret key, so the database alone gives none away. 30^10 codes, and few tries an hour.
"""

import ipaddress
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from common.throttling import UNCOUNTED, counted
from stations.cards.services import id_token_link
from stations.errors import LinkCodeRefusedError, LinkCodesThrottledError, TokenTakenError
from stations.models import IdToken, LinkCode

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that reads like something else: no 0 O, 1 I L, U
LENGTH = 10
VALID_FOR = timedelta(days=7)
# Tries in an hour. Many drivers may share an address, but nobody types thirty codes.
TRIES_OF_USER, TRIES_FROM_ADDRESS = 10, 30
TRIES_S = 3600


@transaction.atomic
def link_code_make(*, id_token: IdToken, made_by: User | None) -> str:
    """A new code for this token, "ABCDE-FGHJK", which ends the one before; returned this once.

    Raises TokenTakenError where the token belongs to a customer: unlink it there first.
    """
    locked = IdToken.objects.select_for_update(no_key=True).get(pk=id_token.pk)  # of two makers one waits
    if locked.customer_id is not None:
        raise TokenTakenError(f"token {locked.uid} ({locked.type}) belongs to a customer: unlink it first")
    now = timezone.now()
    LinkCode.objects.filter(id_token=locked, used_at__isnull=True, ended_at__isnull=True).update(ended_at=now)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    LinkCode.objects.create(
        id_token=locked,
        code_hash=code_hash(code, settings.SECRET_KEY),
        made_at=now,
        made_by=made_by,
        expires_at=now + VALID_FOR,
    )
    return f"{code[:5]}-{code[5:]}"


def link_code_redeem(*, typed: str, customer: User, address: str) -> tuple[IdToken, int]:
    """Link the token of this code to the customer; returns it and how many past sessions came along.

    `typed` may have any case, spaces and dashes. Raises LinkCodeRefusedError, and LinkCodesThrottledError before the
    code is looked at. Each call counts as a try, whatever comes of it.
    """
    try_count(customer=customer, address=address)
    plain = code_plain(typed)
    hashes = [code_hash(plain, secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    with transaction.atomic():
        found = LinkCode.objects.open().select_related("id_token").filter(code_hash__in=hashes).first()
        if found is None or not any(constant_time_compare(found.code_hash, one) for one in hashes):
            raise LinkCodeRefusedError("no open code is like this one")
        used = LinkCode.objects.open().filter(pk=found.pk).update(used_at=timezone.now(), used_by=customer)
        if not used:
            raise LinkCodeRefusedError("another one was first")
        try:
            return found.id_token, id_token_link(id_token=found.id_token, customer=customer)
        except TokenTakenError as error:
            raise LinkCodeRefusedError("the token was linked otherwise meanwhile") from error


def code_plain(typed: str) -> str:
    """What was meant: "abcde fghjk" -> "ABCDEFGHJK"."""
    return "".join(letter for letter in typed.upper() if letter in ALPHABET)


def code_hash(code: str, secret: str) -> str:
    """HMAC of the code under `secret` (SECRET_KEY, or an old one), hex: codes are not kept as they are."""
    return salted_hmac("stations.linking", code, secret, algorithm="sha256").hexdigest()


def try_count(*, customer: User, address: str) -> None:
    """Count a try; raises LinkCodesThrottledError after too many, and where they cannot be counted."""
    tries = {f"link-user:{customer.pk}": TRIES_OF_USER, f"link-from:{network(address)}": TRIES_FROM_ADDRESS}
    try:
        for key, most in tries.items():
            if counted(key, window_s=TRIES_S)[0] > most:
                raise LinkCodesThrottledError("too many tries")
    except UNCOUNTED as error:
        raise LinkCodesThrottledError("tries cannot be counted now") from error


def network(address: str) -> str:
    """Who is behind an address: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
