"""The page on which a person makes tokens for programs, sees when they were used, and takes them back."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.login import access
from accounts.models import User
from accounts.models.programs import ApiToken
from accounts.programs.scopes import READING, SCOPES
from accounts.programs.tokens import DAYS_DEFAULT, DAYS_MAX, TooManyTokens, token_make, token_revoke


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("What it is for"), max_length=60, widget=forms.TextInput(attrs={"class": "form-control"})
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days until it ends"),
        min_value=1,
        max_value=DAYS_MAX,
        initial=DAYS_DEFAULT,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=list(SCOPES.items()),
        initial=list(READING),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@access.recent_second_factor
@sensitive_variables("shown", "context")
def tokens_page(request: HttpRequest) -> HttpResponse:
    """The list with the form; after a POST with the new token, shown in this one answer."""
    assert isinstance(request.user, User)
    form = TokenForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            context["made"], context["shown"] = token_make(user=request.user, **form.cleaned_data)
            context["form"] = TokenForm()
        except TooManyTokens:
            form.add_error(None, _("You have as many tokens as one may have: revoke one first."))
    context["tokens"] = ApiToken.objects.filter(user=request.user)
    status = 400 if request.method == "POST" and "made" not in context else 200
    return render(request, "accounts/api_tokens.html", context, status=status)


@require_POST
def token_revoke_page(request: HttpRequest, pk: int) -> HttpResponse:
    assert isinstance(request.user, User)
    token_revoke(token=get_object_or_404(ApiToken, pk=pk, user=request.user))
    return HttpResponseRedirect(reverse("api_tokens"))
