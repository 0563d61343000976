"""How a person reads: light or dark, and in which language. Kept in cookies, the language also with the person."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.login import access
from accounts.models import User

THEMES = {"auto": _("As the system"), "light": _("Light"), "dark": _("Dark")}
YEAR_S = 365 * 24 * 3600


@access.public
@require_POST
def reading_set(request: HttpRequest) -> HttpResponse:
    """Keep the choices in cookies, which the templates read; back to where the reader was."""
    response = HttpResponseRedirect(access.safe_target(request, request.POST.get("next", "")))
    if "theme" in request.POST:
        theme_keep(request, response, request.POST["theme"])
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES):
        language_keep(request, response, language)
        if isinstance(request.user, User):
            User.objects.filter(pk=request.user.pk).update(language=language)
    return response


def theme_keep(request: HttpRequest, response: HttpResponse, theme: str) -> None:
    """Light or dark in a cookie; "auto" needs none."""
    if theme in THEMES and theme != "auto":
        _cookie(request, response, "theme", theme)
    else:
        response.delete_cookie("theme", samesite="Lax")


def language_keep(request: HttpRequest, response: HttpResponse, language: str) -> None:
    """The language of the pages from now on in this browser; empty: as the browser asks for."""
    if language:
        _cookie(request, response, settings.LANGUAGE_COOKIE_NAME, language)
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")


def _cookie(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", secure=request.is_secure(), httponly=True)
