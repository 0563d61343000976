"""What a stranger reads: the first page with a sample to try the check on, who runs this, what is kept of people."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.login.access import public
from accounts.login.second_factor import REMEMBERED_DAYS
from ledger.receipts.words import MEANINGS, TITLES, VERDICTS
from portal.welcome.operator import operator
from portal.welcome.sample import sample
from stations.zones import zone_named


@never_cache
@require_safe
def landing_page(request: HttpRequest) -> HttpResponse:
    """Stands at / for who is not logged in."""
    context = {
        "sample": sample().content,
        "record": sample().record,
        "started_at": sample().started_at,
        "zone": zone_named(sample().record["location"]["time_zone"]),
        "titles": TITLES,
        "verdicts": VERDICTS,
        "meanings": MEANINGS,
    }
    return render(request, "portal/welcome/landing.html", context)


@public
@require_safe
def imprint_page(request: HttpRequest) -> HttpResponse:
    """Name, address, contact and VAT id of the operator, as they are set."""
    return render(request, "portal/welcome/imprint.html", {"operator": operator()})


@public
@require_safe
def privacy_page(request: HttpRequest) -> HttpResponse:
    """What this software does with personal data, with the times of its settings."""
    context = {
        "operator": operator(),
        "keep_days": settings.ACCESS_LOG_KEEP_DAYS,
        "messages_days": settings.OCPP_MESSAGES_KEEP_DAYS,
        "session_hours": settings.SESSION_COOKIE_AGE // 3600,
        "remembered_days": REMEMBERED_DAYS,
    }
    return render(request, "portal/welcome/privacy.html", context)
