"""Rows that know when they last changed."""

from typing import Any, TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=models.Model)
# Fields of which other systems are told nothing: writing them leaves `updated_at` as it is.
UNTOLD = {"customer", "customer_id", "id_token", "id_token_id", "last_seen_at", "credential_hash"}
UNTOLD |= {"usual_silence_s", "expected_by", "ocpp_version", "connection", "connected_at", "booted_at"}
UNTOLD |= {"local_list_version", "last_transaction", "ocpp_status", "error_code", "status_info", "status_at"}
UNTOLD |= {"started_said"}


class DatedQuerySet(models.QuerySet[M]):
    def update(self, **values: Any) -> int:
        """As Django has it; `updated_at` moves when something is written that others are told of."""
        if not values or set(values) - UNTOLD:
            values.setdefault("updated_at", timezone.now())
        return super().update(**values)


class Dated(models.Model):
    """Knows when it last changed in a way that other systems hear of (OCPI's last_updated)."""

    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django has it; `update_fields` takes `updated_at` with it when others are told of one of them."""
        fields = kwargs.get("update_fields")
        if fields is not None and set(fields) - UNTOLD:
            kwargs["update_fields"] = {*fields, "updated_at"}
        super().save(*args, **kwargs)
