"""The page on which a driver says to whom the operator's invoices are made out."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.invoice.of_statement import country_of
from portal.reading import reader_of
from portal.welcome.operator import operator
from stations.models import InvoiceAddress


class CountryField(forms.CharField):
    """Two letters, in whatever letters they are typed."""

    def to_python(self, value: Any) -> str:
        """In capitals."""
        return str(super().to_python(value) or "").upper()


class InvoiceForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Name and address of the buyer."""

    class Meta:
        model = InvoiceAddress
        fields = ("name", "street", "postal_code", "city", "country", "reference")
        field_classes: ClassVar[dict[str, Any]] = {"country": CountryField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def invoices_page(request: HttpRequest) -> HttpResponse:
    """Say it, change it, or want no invoices any more."""
    user = reader_of(request)
    kept = InvoiceAddress.objects.filter(user=user).first()
    if request.method == "POST" and request.POST.get("none"):
        InvoiceAddress.objects.filter(user=user).delete()
        messages.success(request, _("Your statements are no invoices any more."))
        return HttpResponseRedirect(reverse("statements"))
    form = InvoiceForm(request.POST if request.method == "POST" else None, instance=kept or InvoiceAddress(user=user))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved. Statements of months that are over are invoices now."))
        return HttpResponseRedirect(reverse("statements"))
    who = operator()
    can = bool(who.name and who.address and country_of(who.vat_id))
    context = {"form": form, "kept": kept, "can": can}
    return render(request, "portal/invoice/invoices.html", context, status=400 if form.errors else 200)
