"""The page on which an operator sees what a tariff would do, before a site gets it."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from common.admin_log import NamesStay
from stations.models import Site, Tariff
from stations.preview.charges import CHARGES_MAX, Compared, charges_of, compared, points_of
from stations.tariffs.pricing import units
from stations.tariffs.shape import TariffError
from stations.tariffs.terms import terms_of

DAYS = 90


class PreviewForm(forms.Form):
    """Which charges: by the day on which they began (UTC), and the site."""

    first = forms.DateField(label=_("from"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("to"), widget=forms.DateInput(attrs={"type": "date"}))
    site = forms.ModelChoiceField(Site.objects.none(), label=_("site"), required=False, empty_label=_("all sites"))

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Site.objects.filter(currency=currency).order_by("name", "pk")

    def clean(self) -> dict[str, Any]:
        """In that order."""
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", gettext("Expected a day at or after the first."))
        return cleaned


class Previewable(NamesStay):
    """Adds the preview to a tariff's pages."""

    change_form_template = "admin/stations/tariff/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        """With the preview."""
        view = self.admin_site.admin_view(never_cache(self.preview_view))
        return [path("<int:pk>/preview/", view, name="stations_tariff_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What charges cost that were, and what they would cost; nothing is changed."""
        tariff = get_object_or_404(Tariff, pk=pk)
        if not (self.has_view_permission(request, tariff) and request.user.has_perm("stations.view_chargingsession")):
            raise PermissionDenied
        today = timezone.now().astimezone(UTC).date()
        asked = {"first": str(today - timedelta(days=DAYS)), "last": str(today)} | request.GET.dict()
        form = PreviewForm(asked, currency=tariff.currency)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "tariff": tariff,
            "form": form,
            "terms": terms_of(tariff.snapshot()) if _is_whole(tariff) else [],
            "title": gettext("Preview: %(tariff)s") % {"tariff": tariff.name},
        }
        if form.is_valid():
            context |= preview_of(tariff, **form.cleaned_data)
        return render(request, "admin/stations/tariff/preview.html", context)


def _is_whole(tariff: Tariff) -> bool:
    try:
        return bool(tariff.snapshot())
    except TariffError:
        return False


def preview_of(tariff: Tariff, *, first: Any, last: Any, site: Site | None) -> dict[str, Any]:
    """The rows of the page, their sums and the plot; `error`: why the tariff cannot be reckoned with."""
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    found = charges_of(tariff, begin=begin, end=end, site=site)
    sessions = list(found.select_related("station__site", "connector")[: CHARGES_MAX + 1])
    try:
        rows = compared(tariff, sessions[:CHARGES_MAX])
    except TariffError as error:
        return {"error": str(error)}
    paid, would = sum(row.paid_minor or 0 for row in rows), sum(row.would_minor for row in rows)
    amounts = {"paid": paid, "would": would, "more": would - paid}
    points = points_of(rows)
    return {
        "rows": [(row, *_amounts(tariff, row)) for row in rows],
        "sums": {name: units(minor, tariff.currency) for name, minor in amounts.items()},
        "unpriced": sum(row.paid_minor is None for row in rows),
        "left_out": len(sessions) > CHARGES_MAX,
        "points": points,
        "top": units(points.top, tariff.currency),
        "right_kwh": points.right / 1000,
    }


def _amounts(tariff: Tariff, row: Compared) -> list[Decimal | None]:
    minor = (row.paid_minor, row.would_minor, row.more_minor)
    return [None if one is None else units(one, tariff.currency) for one in minor]
