"""The public page of the log (/log): what it is, who witnesses it, how it stands, and what is to be pinned."""

from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.login.access import public
from ledger.log.newest import published
from ledger.log.witnesses.certificates import looked_at
from ledger.models import LogCosignature, LogWitness
from ledger.receipts.published import public_nodes, published_log
from portal.log.growth import growth
from stations.zones import zone_named
from tpm.register import gate


def witnesses() -> list[Any]:
    """Those that are asked, each with the first and the newest that it signed (`since`, `signed_size`, `signed_at`),
    and when it looked at our TPM of today itself (`looked_at`, or None).
    """
    signed = LogCosignature.objects.filter(witness=OuterRef("pk"))
    first, newest = signed.order_by("checkpoint_id"), signed.order_by("-checkpoint_id")
    found: list[Any] = list(
        LogWitness.objects.filter(enabled=True)
        .annotate(
            since=Subquery(first.values("cosigned_at")[:1]),
            signed_at=Subquery(newest.values("cosigned_at")[:1]),
            signed_size=Subquery(newest.values("checkpoint__size")[:1]),
        )
        .order_by(F("since").asc(nulls_last=True), "name")
    )
    tpms = gate.enrolled_tpms()
    for each in found:
        each.looked_at = looked_at(each.ak_certificates, tpms)
    return found


@never_cache
@public
@require_safe
def log_page(request: HttpRequest) -> HttpResponse:
    """The same for everybody."""
    newest = published()
    known = witnesses()
    context = {
        "newest": newest,
        "root": bytes(newest.root).hex() if newest else "",
        "witnesses": known,
        "tpm_looked_at": any(each.looked_at for each in known),
        "signed_by": [each for each in known if newest and each.signed_size == newest.size],
        "growth": growth(timezone.now()),
        "zone": zone_named(getattr(request.user, "time_zone", "")),
        "origin": settings.LOG_ORIGIN,
        "log_address": request.build_absolute_uri("/log"),
        "nodes": public_nodes(),
        "chain_id": settings.LEDGER_CHAIN_ID,
        "account": settings.LEDGER_ACCOUNT,
        "log_key": published_log().log_key,
    }
    return render(request, "portal/log/log.html", context)
