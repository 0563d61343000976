"""The page "Security": second factor, recovery codes, remembered devices, API tokens, sign-ins; and how one reads."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.login import access, second_factor
from accounts.login.forms import ReadingForm
from accounts.login.notices import notice_send
from accounts.login.people import sign_in_record
from accounts.login.preferences import language_keep
from accounts.login.second_factor_pages import codes_shown, person
from accounts.models import RememberedDevice, SignIn

SIGN_INS_SHOWN = 30
API_TOKENS = "accounts/_api_tokens.html"  # the section of whoever has API tokens; it brings its own data by a tag


@require_safe
@never_cache
def security_page(request: HttpRequest) -> HttpResponse:
    """Second factor, devices, tokens, sign-ins, and how one reads."""
    return _page(request, ReadingForm(instance=person(request)))


@require_POST
def reading_page(request: HttpRequest) -> HttpResponse:
    """Language and time zone."""
    user = person(request)
    form = ReadingForm(request.POST, instance=user)
    if not form.is_valid():
        return _page(request, form, status=400)
    user.save(update_fields=["language", "time_zone"])
    response = HttpResponseRedirect(reverse("security"))
    language_keep(request, response, user.language)
    messages.success(request, _("Saved."))
    return response


@require_POST
@never_cache
@access.recent_second_factor
def recovery_codes_page(request: HttpRequest) -> HttpResponse:
    """Ten new recovery codes, shown this once; the ones before are void."""
    user = person(request)
    codes = second_factor.recovery_codes_new(user=user)
    sign_in_record(user=user, outcome=SignIn.Outcome.CODES_MADE, request=request)
    notice_send(user=user, about="codes_made")
    return codes_shown(request, codes, target=reverse("security"))


@require_POST
@access.recent_second_factor
def device_forget(request: HttpRequest, pk: int) -> HttpResponse:
    """The device has to show the second factor again, at its next request already."""
    if not RememberedDevice.objects.filter(user=person(request), pk=pk).delete()[0]:
        raise Http404("no such device of this person")
    messages.success(request, _("The device is forgotten. It has to show the second factor again."))
    return HttpResponseRedirect(reverse("security"))


def _page(request: HttpRequest, form: ReadingForm, status: int = 200) -> HttpResponse:
    user = person(request)
    context = {
        "authenticator": second_factor.authenticator_of(user),
        "codes_left": second_factor.recovery_codes_left(user),
        "codes_all": second_factor.RECOVERY_CODES,
        "devices": [device for device in RememberedDevice.objects.filter(user=user) if not device.is_over()],
        "may_remember": access.remembering_allowed(user),
        "remembered_days": second_factor.REMEMBERED_DAYS,
        "sign_ins": SignIn.objects.filter(user=user)[:SIGN_INS_SHOWN],
        "form": form,
        "api_tokens": _template(API_TOKENS),
    }
    return render(request, "accounts/security.html", context, status=status)


def _template(name: str) -> str | None:
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return None
    return name
