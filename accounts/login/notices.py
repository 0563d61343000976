"""E-mails about an account's second factor: whoever did not do it themselves should hear of it."""

import logging
import smtplib

from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User

log = logging.getLogger(__name__)

SUBJECTS = {
    "reset": _("Your second factor was reset"),
    "enrolled": _("An authenticator was set up for your account"),
    "recovery_code": _("A recovery code was used"),
    "codes_made": _("New recovery codes were made"),
}


def notice_send(*, user: User, about: str) -> bool:
    """Write to the person, in their language; False where there is no verified address or the mail server fails."""
    if not user.email:
        return False
    with translation.override(user.language or None):
        text = render_to_string("accounts/notice.txt", {"about": about, "user": user, "subject": SUBJECTS[about]})
        try:
            send_mail(f"EVPortal: {SUBJECTS[about]}", text, None, [user.email])
        except (smtplib.SMTPException, OSError) as error:
            log.warning("notice %s to user %s not sent: %s", about, user.pk, type(error).__name__)
            return False
    return True
