"""Which sites, stations, connectors and tokens a caller sees; sessions: `ChargingSessionQuerySet.visible_to`.

staff      all of them, if the role reads them
a driver   his own tokens, and the places where he charged
a program  all, or those of the sites that were chosen for it
"""

from typing import Any, ClassVar, Self

from django.apps import apps

from accounts.api_authentication import Program


class Visible:
    """Mixed into a QuerySet. `site` leads from a row to its site, `of_session` from a session to the row."""

    permission: ClassVar[str]
    site: ClassVar[str]
    of_session: ClassVar[str]
    filter: Any
    none: Any

    def visible_to(self, user: Any) -> Self:
        if isinstance(user, Program):
            return self if user.client.all_sites else self.at_sites_of(user)
        if user.is_staff and user.has_perm(self.permission):
            return self
        found: Self = self.of_customer(user) if user.is_authenticated else self.none()
        return found

    def at_sites_of(self, program: Program) -> Self:
        found: Self = self.filter(**{f"{self.site}__in": program.client.sites.values("pk")})
        return found

    def of_customer(self, user: Any) -> Self:
        sessions = apps.get_model("stations", "ChargingSession").objects.filter(customer_id=user.pk)
        found: Self = self.filter(pk__in=sessions.order_by().values(self.of_session))  # not a join: no row twice
        return found
