"""What a person may do, by role. Roles come from Cognito's groups at each login. The rights are stated here alone.

customer   their own sessions, as everybody who is logged in
operator   reads everything, runs the stations, puts ledger entries back to work
auditor    reads everything, starts audits of the ledger, changes nothing
admin      may do everything (a superuser)
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.backends import BaseBackend

from accounts.models import Role, User

STAFF = frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMIN})
READ_APPS = frozenset({"accounts", "stations", "ledger", "tpm", "admin"})
# What operators may do besides reading: app, model (None: all of the app's models), verbs.
OPERATOR_RIGHTS: tuple[tuple[str, str | None, frozenset[str]], ...] = (
    ("accounts", "user", frozenset({"support"})),  # the support view; users and roles are the identity provider's
    ("stations", None, frozenset({"add", "change"})),
    ("ledger", "ledgerentry", frozenset({"change"})),
    ("ledger", "alert", frozenset({"change"})),
    ("ledger", "auditrun", frozenset({"add"})),
    ("tpm", "tpmservice", frozenset({"change"})),
)
# An audit compares, and changes no record.
AUDITOR_RIGHTS: tuple[tuple[str, str | None, frozenset[str]], ...] = (("ledger", "auditrun", frozenset({"add"})),)


def roles_set(*, user: User, roles: Iterable[str]) -> None:
    """Make these the person's roles (unknown names are left out) and save what follows from them, if anything did."""
    known = sorted({role for role in roles if role in Role.values})
    wanted = {"roles": known, "is_staff": bool(STAFF & set(known)), "is_superuser": Role.ADMIN in known}
    if any(getattr(user, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            setattr(user, name, value)
        user.save(update_fields=list(wanted))


def only_reads(user: User) -> bool:
    """Whether they read everybody's data and change nothing: auditors, who are not operators as well."""
    return Role.AUDITOR in user.roles and not {Role.OPERATOR, Role.ADMIN} & set(user.roles)


class RoleBackend(BaseBackend):
    """Answers `user.has_perm` from the person's roles; logs nobody in."""

    def has_perm(self, user_obj: Any, perm: str, obj: object = None) -> bool:
        """By the roles of the last login alone: nobody is given a right one by one."""
        if not user_obj.is_active or not isinstance(user_obj, User):
            return False
        app, _, codename = perm.partition(".")
        verb, _, model = codename.partition("_")
        if verb == "view":
            return app in READ_APPS and bool({Role.AUDITOR, Role.OPERATOR} & set(user_obj.roles))
        return any(
            app == of_app and verb in verbs and of_model in (None, model)
            for role, rights in ((Role.OPERATOR, OPERATOR_RIGHTS), (Role.AUDITOR, AUDITOR_RIGHTS))
            if role in user_obj.roles
            for of_app, of_model, verbs in rights
        )

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """For the admin: whether to list this app at all."""
        return self.has_perm(user_obj, f"{app_label}.view_any")
