"""The page "My data": what is held, the archive of it, who looked, and deleting the account."""

from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.login import access
from accounts.login.second_factor import authenticator_of
from accounts.login.second_factor_pages import checked
from accounts.models import AccessLogEntry, Archive, SignIn, User
from accounts.privacy import archive
from accounts.privacy.erasure import ErasureRefusedError, erasure_ask, hindrances
from accounts.privacy.forms import DeleteForm

LOOKS_A_PAGE = 25


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # nobody else comes this far
    return request.user


@require_safe
@never_cache
def my_data_page(request: HttpRequest) -> HttpResponse:
    """What is held, the archive, and who looked."""
    user = _user(request)
    looks = Paginator(AccessLogEntry.objects.filter(customer=user), LOOKS_A_PAGE)
    context = {
        "holds": [section.holds(user) for section in archive.SECTIONS.values()],
        "ready": archive.archive_ready(customer=user),
        "making": Archive.objects.filter(customer=user).exclude(status=Archive.Status.READY).first(),
        "page": looks.get_page(request.GET.get("page")),
    }
    return render(request, "accounts/privacy/my_data.html", context)


@require_POST
def archive_ask_page(request: HttpRequest) -> HttpResponse:
    """Asks for the archive; a second click changes nothing."""
    archive.archive_ask(customer=_user(request))
    return HttpResponseRedirect(reverse("my_data"))


@require_safe
@never_cache
def archive_file(request: HttpRequest, archive_id: int) -> StreamingHttpResponse:
    """The ZIP, for its owner alone, until it is over."""
    found = archive.archive_ready(customer=_user(request))
    if found is None or found.pk != archive_id:
        raise Http404(f"no archive {archive_id} of this person")
    name = f"evportal-my-data-{found.ready_at or timezone.now():%Y-%m-%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(found.size)}
    return StreamingHttpResponse(archive.archive_bytes(found), content_type="application/zip", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def delete_page(request: HttpRequest) -> HttpResponse:
    """Say what goes and what stays, ask once, and begin; the account is locked from then on."""
    user = _user(request)
    form = DeleteForm(request.POST if request.method == "POST" else None, user=user)
    reasons = hindrances(user)
    if request.method == "POST" and not reasons and form.is_valid() and _code_is_right(request, form):
        try:
            erasure_ask(customer=user)
        except ErasureRefusedError as error:  # a charge began just now
            reasons = [str(error)]
        else:
            logout(request)
            return HttpResponseRedirect(reverse("deleted"))
    refused = bool(reasons) and request.method == "POST"
    context = {"form": form, "reasons": reasons, "ready": archive.archive_ready(customer=user)}
    return render(request, "accounts/privacy/delete.html", context, status=409 if refused else 200)


def _code_is_right(request: HttpRequest, form: DeleteForm) -> bool:
    """A code of the authenticator, now: whoever found the phone unlocked deletes nothing. Else the form says why."""
    device = authenticator_of(_user(request))
    if device is None:
        form.add_error("code", _("Set up an authenticator first, on the page Security."))
        return False
    return checked(request, device, form, SignIn.Outcome.SECOND_FACTOR)


@access.public
@require_safe
def deleted_page(request: HttpRequest) -> HttpResponse:
    """What happens now, for who has no account any more. It says nothing of anybody."""
    return render(request, "accounts/privacy/deleted.html")
