"""The page "Cards": what a driver charges with, linked to their account by a code and unlinked by a button."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from common.client_address import client_address
from stations.cards.forms import LinkForm
from stations.cards.linking import VALID_FOR, link_code_redeem
from stations.cards.services import id_token_unlink
from stations.cards.words import token_name
from stations.errors import LinkCodeRefusedError, LinkCodesThrottledError
from stations.models import IdToken


@dataclass(frozen=True)
class Card:
    """A token with what this customer did with it."""

    token: IdToken
    name: str
    sessions: int
    last_used_at: datetime | None


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # nobody else comes this far
    return request.user


def cards(tokens: QuerySet[IdToken], user: User) -> list[Card]:
    """These tokens with the user's own sessions, the last used first."""
    theirs = Q(sessions__customer=user)
    counted = tokens.annotate(count=Count("sessions", filter=theirs), last=Max("sessions__started_at", filter=theirs))
    found = [Card(token, token_name(token.type, token.uid), token.count, token.last) for token in counted]
    return sorted(found, key=lambda card: card.last_used_at.timestamp() if card.last_used_at else 0.0, reverse=True)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def tokens_page(request: HttpRequest) -> HttpResponse:
    """The reader's cards and contracts, and the form that links another by its code."""
    form = LinkForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _link(request, form):
        return HttpResponseRedirect(reverse("tokens"))
    user = _user(request)
    former = IdToken.objects.filter(sessions__customer=user).exclude(customer=user).distinct()
    context = {
        "form": form,
        "cards": cards(IdToken.objects.filter(customer=user), user),
        "former": cards(former, user),
        "days": VALID_FOR.days,
    }
    return render(request, "stations/cards/tokens.html", context)


def _link(request: HttpRequest, form: LinkForm) -> bool:
    """Link the card of the typed code, or say on the form why not."""
    address = client_address(request) or ""
    try:
        token, count = link_code_redeem(typed=form.cleaned_data["code"], customer=_user(request), address=address)
    except LinkCodeRefusedError:
        # One message for all: which codes exist, or existed, is nobody's business.
        form.add_error("code", _("This code links nothing: it is mistyped, too old, or was used already."))
        return False
    except LinkCodesThrottledError:
        form.add_error("code", _("No more codes can be tried at the moment. Nothing is lost: try again in an hour."))
        return False
    if not count:
        past = _("No earlier charge came along.")
    else:
        past = ngettext("%(count)d earlier charge came along.", "%(count)d earlier charges came along.", count)
    linked = _("Linked: %(card)s.") % {"card": token_name(token.type, token.uid)}
    messages.success(request, f"{linked} {past % {'count': count}}")
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def token_unlink_page(request: HttpRequest, token_id: int) -> HttpResponse:
    """Ask once, then unlink; somebody else's card is not there."""
    user = _user(request)
    token = get_object_or_404(IdToken, pk=token_id, customer=user)
    (card,) = cards(IdToken.objects.filter(pk=token.pk), user)
    if request.method == "POST":
        id_token_unlink(id_token=token)
        messages.success(request, _("Unlinked: %(card)s. Its charges so far stay yours.") % {"card": card.name})
        return HttpResponseRedirect(reverse("tokens"))
    return render(request, "stations/cards/unlink.html", {"card": card})
