"""Which sites, stations, connectors and tokens a caller sees; sessions: `ChargingSessionQuerySet.visible_to`.

staff      all of them, if the role reads them
a driver   their own tokens, and the places where they charged
a program  all, or those of the sites that were chosen for it
"""

from typing import Any, ClassVar, Self

from django.apps import apps
from django.db import models

from accounts.models.programs import Program
from common.dated import M


class Visible(models.QuerySet[M]):
    """`site` leads from a row to its site, `of_session` from a session to the row."""

    permission: ClassVar[str]
    site: ClassVar[str]
    of_session: ClassVar[str]

    def visible_to(self, user: Any) -> Self:
        if isinstance(user, Program):
            return self if user.client.all_sites else self.at_sites_of(user)
        if user.is_staff and user.has_perm(self.permission):
            return self
        return self.of_customer(user) if user.is_authenticated else self.none()

    def at_sites_of(self, program: Program) -> Self:
        return self.filter(**{f"{self.site}__in": program.client.sites.values("pk")})

    def of_customer(self, user: Any) -> Self:
        sessions = apps.get_model("stations", "ChargingSession").objects.filter(customer_id=user.pk)
        return self.filter(pk__in=sessions.order_by().values(self.of_session))  # not a join: no row twice
