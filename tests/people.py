"""Logging in as tests need it: past the identity provider and with the second factor shown."""

from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User


def log_in(client: Client, user: User, *, second_factor: bool = True) -> None:
    """Give this client a session of the person; without the second factor: what a stolen password gives."""
    client.force_login(user)
    if second_factor:
        device, _ = TOTPDevice.objects.get_or_create(user=user, name="authenticator", confirmed=True)
        session = client.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
