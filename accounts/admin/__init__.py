"""People in the admin; Django looks for it here (`autodiscover`)."""

from accounts.admin import people
from accounts.privacy import admin as privacy
from accounts.programs import admin as programs

__all__ = ["people", "privacy", "programs"]
