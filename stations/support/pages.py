"""Looking a customer up for the support view: by name, e-mail address, card or session, and only for a reason."""

import contextlib
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all
from accounts.support.view import REASON_MAX, REASON_MIN, may_support, support_begin, support_end
from stations.models import IdToken

FOUND_MAX = 20
TERM_MIN = 3


class ReasonForm(forms.Form):
    reason = forms.CharField(min_length=REASON_MIN, max_length=REASON_MAX, label=_("Reason"))


def customers_found(term: str) -> QuerySet[User]:
    """Who fits: names and addresses by their beginning, cards and sessions in full."""
    name = Q(username__istartswith=term) | Q(email__istartswith=term)
    name |= Q(first_name__istartswith=term) | Q(last_name__istartswith=term)
    which = name | Q(pk__in=IdToken.objects.written(term).values("customer"))
    with contextlib.suppress(ValueError):  # it need not be a session's id
        which |= Q(pk__in=User.objects.filter(charging_sessions=UUID(term)).values("pk"))
    return User.objects.filter(which).order_by("username")


@require_safe
@never_cache
def lookup_page(request: HttpRequest) -> HttpResponse:
    """Customers by name, e-mail address, card or session; from TERM_MIN letters on."""
    _right(request)
    term = request.GET.get("q", "").replace("\0", "").strip()
    found = list(customers_found(term)[: FOUND_MAX + 1]) if len(term) >= TERM_MIN else []
    return _page(request, term, found, ReasonForm())


def _page(request: HttpRequest, term: str, found: list[User], form: ReasonForm, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    access_note_all(viewer=request.user, customers=found[:FOUND_MAX], what=Look.LIST, subject="support: looked up")
    context = {
        **admin.site.each_context(request),
        "title": gettext("Customer support"),
        "term": term,
        "short": 0 < len(term) < TERM_MIN,
        "found": found[:FOUND_MAX],
        "more": len(found) > FOUND_MAX,
        "form": form,
    }
    return render(request, "stations/support/lookup.html", context, status=status)


@require_POST
def begin(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Begins the support view of this customer, for the reason that was given."""
    _right(request)
    customer = get_object_or_404(User, pk=customer_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, customer.username, [customer], form, status=400)
    support_begin(request=request, customer=customer, reason=form.cleaned_data["reason"])
    return HttpResponseRedirect(reverse("history"))


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Back to being oneself."""
    support_end(request=request)
    messages.info(request, gettext("The support view has ended."))
    return HttpResponseRedirect(reverse("support"))


def _right(request: HttpRequest) -> None:
    if not may_support(request.user):
        raise PermissionDenied
