"""Logging in as tests need it: past the identity provider and with the second factor shown, or the whole way."""

import time

from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from playwright.sync_api import Page

from accounts.login.access import SHOWN_AT
from accounts.login.renewal import RENEW_AT
from accounts.login.roles import roles_set
from accounts.models import Authenticator, User

LATER_S = 24 * 3600


def log_in(client: Client, user: User, *, second_factor: bool = True) -> None:
    """Give this client a session of the person; without the second factor: what a stolen password gives."""
    client.force_login(user)
    session = client.session
    session[RENEW_AT] = time.time() + LATER_S  # the provider is not asked
    if second_factor:
        device = Authenticator.objects.filter(user=user, confirmed=True).first()
        device = device or Authenticator.make(user=user, confirmed=True)
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session[SHOWN_AT] = time.time()
    session.save()


def browser_log_in(page: Page, base: str, user: User, *, second_factor: bool = True) -> None:
    """Give a real browser such a session, and open the first page of the portal."""
    client = Client()
    log_in(client, user, second_factor=second_factor)
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": base, "httpOnly": True, "sameSite": "Lax"}])
    page.goto(f"{base}/")


def person(name: str, role: str) -> User:
    """Somebody with that role, as after a login."""
    user = User.objects.create_user(name)
    roles_set(user=user, roles=[role])
    return user


def browser_of(user: User) -> Client:
    client = Client()
    log_in(client, user)
    return client
