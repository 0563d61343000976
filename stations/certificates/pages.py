"""Roots and revocation lists, for whoever has to judge a certificate: stations, proxies, auditors. Nothing secret."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.login.access import public
from stations.certificates import authority
from stations.models import StationAuthority

FOR_AN_HOUR = "public, max-age=3600"
SHORTLY = "public, max-age=60"  # a revocation is to be heard of


@public
@require_safe
def roots(request: HttpRequest) -> HttpResponse:
    """The roots that are believed now, the one that signs first (PEM, RFC 7468); 404 without any."""
    found = authority.trusted()
    if not found:
        raise Http404("there is no station authority")
    response = HttpResponse(authority.roots_pem(found), content_type="application/x-pem-file")
    response["Cache-Control"] = FOR_AN_HOUR
    return response


@public
@require_safe
def revocation_list(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The revocation list of an authority, or of the one that signs (DER; RFC 5280, 4.2.1.13)."""
    which = {"status": StationAuthority.Status.CURRENT} if pk is None else {"pk": pk}
    row = get_object_or_404(StationAuthority, crl_der__isnull=False, **which)
    response = HttpResponse(bytes(row.crl_der or b""), content_type="application/pkix-crl")
    response["Cache-Control"] = SHORTLY
    return response
