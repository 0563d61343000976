"""REST: a site's limit and its schedule, read and set as a whole."""

import logging
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Program
from accounts.programs.authentication import grant_of
from api.lists import DetailView
from api.strict_fields import FlagField, StrictSerializer, TextField, WholeNumberField
from api.view import etag
from stations.load.hurrying import hurry_site
from stations.load.schedule import Period, overlapping
from stations.models import Site, SiteLimit, SiteLimitPeriod
from stations.models.load import AMPERES_MAX

log = logging.getLogger(__name__)
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
PERIODS_MAX = 50


class WeekdaysField(serializers.ListField):
    """ISO weekdays, each once."""

    child = WholeNumberField(minimum=1, maximum=7)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=7, **kwargs)

    def to_internal_value(self, data: Any) -> list[int]:
        """In their order; one that comes twice is a mistake."""
        found: list[int] = super().to_internal_value(data)
        if len(set(found)) != len(found):
            raise serializers.ValidationError("expected each weekday once")
        return sorted(found)


class PeriodBody(StrictSerializer):
    """By the site's clock; `ends` that is not after `starts` is on the next day."""

    weekdays = WeekdaysField(help_text="On which it begins: ISO, 1 is Monday.")
    starts = TextField(pattern=CLOCK)
    ends = TextField(pattern=CLOCK)
    amperes = WholeNumberField(minimum=0, maximum=AMPERES_MAX)


class LimitBody(StrictSerializer):
    """Amperes per phase. What is left out gets its usual value; without periods there is no schedule."""

    enabled = FlagField()
    amperes = WholeNumberField(minimum=0, maximum=AMPERES_MAX)
    phases = WholeNumberField(minimum=1, maximum=3, required=False, help_text="1 or 3.")
    reserve = WholeNumberField(minimum=0, maximum=AMPERES_MAX, required=False)
    voltage = WholeNumberField(minimum=100, maximum=500, required=False)
    periods = PeriodBody(many=True, required=False)

    def validate_phases(self, phases: int) -> int:
        """A supply with two is none of these."""
        if phases not in SiteLimit.Phases.values:
            raise serializers.ValidationError(f"expected 1 or 3, got {phases}")
        return phases

    def validate_periods(self, periods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """At each time one limit."""
        if len(periods) > PERIODS_MAX:
            raise serializers.ValidationError(f"expected at most {PERIODS_MAX}, got {len(periods)}")
        found = [
            Period(
                frozenset(one["weekdays"]),
                time.fromisoformat(one["starts"]),
                time.fromisoformat(one["ends"]),
                one["amperes"],
            )
            for one in periods
        ]
        if pair := overlapping(found):
            raise serializers.ValidationError(f"periods {pair[0]} and {pair[1]} overlap")
        return periods


class PeriodSerializer(serializers.Serializer[SiteLimitPeriod]):
    weekdays = serializers.SerializerMethodField()
    starts = serializers.SerializerMethodField()
    ends = serializers.SerializerMethodField()
    amperes = serializers.IntegerField()

    def get_weekdays(self, period: SiteLimitPeriod) -> list[int]:
        """ISO: 1 is Monday."""
        return [int(day) for day in period.weekdays]

    def get_starts(self, period: SiteLimitPeriod) -> str:
        """By the site's clock, "17:00"."""
        return f"{period.starts:%H:%M}"

    def get_ends(self, period: SiteLimitPeriod) -> str:
        """By the site's clock."""
        return f"{period.ends:%H:%M}"


class LimitSerializer(serializers.Serializer[Site]):
    """Of a site that has none yet: `amperes` is null, `enabled` false."""

    site = serializers.CharField(source="code")
    time_zone = serializers.CharField()
    enabled = serializers.BooleanField(source="limit.enabled")
    amperes = serializers.IntegerField(source="limit.amperes", allow_null=True)
    phases = serializers.IntegerField(source="limit.phases")
    reserve = serializers.IntegerField(source="limit.reserve")
    voltage = serializers.IntegerField(source="limit.voltage")
    periods = PeriodSerializer(many=True)

    def to_representation(self, instance: Site) -> Any:
        """The site's limit, or the usual values."""
        limit = SiteLimit.objects.filter(site=instance).first()
        periods = list(limit.periods.order_by("starts", "weekdays", "pk")) if limit else []
        shown = {"code": instance.code, "time_zone": instance.time_zone, "limit": limit or SiteLimit()}
        found: Any = super().to_representation({**shown, "periods": periods})  # type: ignore[arg-type]
        return found


class LimitView(DetailView):
    """PUT sets all of it, if it is still the version that the caller read (If-Match)."""

    queryset = Site.objects.all()
    serializer_class, body_class = LimitSerializer, LimitBody
    scopes = {"GET": "stations.read", "PUT": "stations.write"}
    rights = {"PUT": "stations.change_sitelimit"}
    operations = {"GET": "sites_limit", "PUT": "sites_limit_set"}

    def visible(self) -> QuerySet[Any]:
        """Operators and programs: a driver who charged there has no business with it."""
        user: Any = self.request.user
        runs_it = isinstance(user, Program) or user.has_perm("stations.view_sitelimit")
        return super().visible() if runs_it else Site.objects.none()

    def put(self, request: Request, **kwargs: Any) -> Response:
        """The stations are told at once."""
        self.row()  # 404 comes before what is wrong with the body
        body = self.body()

        def act() -> Response:
            site = self.row_locked()
            self.version_require(request, self.shown(site))
            limit_set(site, body)
            log.info("API: %s set the limit of site %s", grant_of(request).name, site.code)
            transaction.on_commit(lambda: hurry_site(site.pk))
            data = self.shown(site)
            return Response(data, headers={"ETag": etag(data)})

        return self.once(request, act)


def limit_set(site: Site, body: dict[str, Any]) -> None:
    """Limit and schedule as they were sent; raises ValidationError."""
    limit = SiteLimit.objects.filter(site=site).first() or SiteLimit(site=site)
    usual = SiteLimit()
    for name in ("enabled", "amperes", "phases", "reserve", "voltage"):
        setattr(limit, name, body.get(name, getattr(usual, name)))
    try:
        limit.clean()
    except ValidationError as error:
        raise exceptions.ValidationError({"reserve": ["expected at most `amperes`"]}) from error
    limit.save()
    limit.periods.all().delete()
    SiteLimitPeriod.objects.bulk_create(
        SiteLimitPeriod(
            limit=limit,
            weekdays="".join(map(str, one["weekdays"])),
            starts=time.fromisoformat(one["starts"]),
            ends=time.fromisoformat(one["ends"]),
            amperes=one["amperes"],
        )
        for one in body.get("periods", [])
    )
