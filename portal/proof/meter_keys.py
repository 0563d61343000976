"""The public keys of meters, published beside the ledger's: whoever checks a receipt pins them."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.login.access import public
from stations.models.metering import MeterPublicKey

State = MeterPublicKey.State


def published_meter_keys() -> list[dict[str, Any]]:
    """Each key that a person confirmed, those that were withdrawn or replaced too: charges of their time stay."""
    rows = MeterPublicKey.objects.filter(confirmed_at__isnull=False).select_related("station", "connector")
    return [_published(row) for row in rows.order_by("station__identity", "connector", "-confirmed_at", "-pk")]


def _published(row: MeterPublicKey) -> dict[str, Any]:
    return {
        "station": row.station.identity,
        "evse_id": row.connector.evse_id if row.connector else None,
        "meter_serial": row.meter_serial or None,
        "curve": row.curve,
        "public_key": row.public_key,
        "fingerprint": row.fingerprint,
        "confirmed_at": row.confirmed_at,
        "ended_at": row.ended_at,
        "withdrawn": row.state == State.WITHDRAWN,
    }


@public
@require_safe
def meter_keys_page(request: HttpRequest) -> HttpResponse:
    """All of them, for everybody."""
    return render(request, "portal/proof/meter_keys.html", {"keys": published_meter_keys()})


@public
@require_safe
def meter_keys_file(request: HttpRequest) -> JsonResponse:
    """The same for machines: public keys as hex of their DER, as `--meter-key` takes them."""
    return JsonResponse({"meter_keys": published_meter_keys()})
