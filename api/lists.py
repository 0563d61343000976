"""Lists and single rows of the REST API, narrowed to what the caller sees, and the writes of operators."""

import logging
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, models, transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import translation
from django_filters import FilterSet
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.programs.authentication import grant_of
from api.keyset import KeysetPagination
from api.view import ApiView, etag

log = logging.getLogger(__name__)


class RowsView(ApiView):
    """`queryset` in all, `serializer_class` for answers, `body_class` for what is written, `filterset_class`."""

    queryset: models.QuerySet[Any]
    serializer_class: type[serializers.BaseSerializer[Any]]
    body_class: type[serializers.Serializer[Any]]
    filterset_class: type[FilterSet] | None = None
    ordering: tuple[str, ...] = ("id",)

    def visible(self) -> models.QuerySet[Any]:
        """The rows that the caller may see; others do not exist for them."""
        rows: Any = self.queryset.all()
        visible: models.QuerySet[Any] = rows.visible_to(self.request.user)
        return visible

    @property
    def named(self) -> dict[str, Any]:
        """What the address says of the row: `{"code": …}`, `{"identity": …}` or `{"pk": …}`."""
        return {"pk" if name in {"id", "number"} else name: value for name, value in self.kwargs.items()}

    def row(self) -> Any:
        """The row that the address names; 404 where the caller may not see it. The look is noted."""
        found = get_object_or_404(self.visible(), **self.named)
        self.looked_at([found])
        return found

    def row_locked(self) -> Any:
        """The row as it is now, for a change that depends on its version; inside a transaction."""
        return get_object_or_404(self.visible().select_for_update(of=("self",), no_key=True), **self.named)

    def looked_at(self, rows: list[Any]) -> None:
        """Called before rows are shown: where they are people's data, this notes whose were looked at."""

    def shown(self, row: Any, *, many: bool = False) -> Any:
        """The row, or the rows, as the answer has them."""
        return self.serializer_class(row, many=many, context={"request": self.request}).data

    def body(self, *, partial: bool = False) -> dict[str, Any]:
        """The members of the request's body, checked; with `partial`, only those that were sent."""
        message = self.body_class(data=self.body_require(self.request), partial=partial)
        message.is_valid(raise_exception=True)
        found: dict[str, Any] = message.validated_data
        return found

    def get_ordering(self) -> tuple[str, ...]:
        """The fields that cursors go by; the last one is unique."""
        return self.ordering


class ListView(RowsView):
    """GET: a page of what the caller sees and the filter lets through."""

    pagination_class = KeysetPagination

    def get(self, request: Request, **kwargs: Any) -> Response:
        """One page, oldest or newest first as the view has it."""
        rows = self.filtered(self.visible())
        paginator = KeysetPagination()
        page = paginator.paginate_queryset(rows, request, view=self)
        self.looked_at(page)
        return paginator.get_paginated_response(self.shown(page, many=True))

    def filtered(self, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Raises ValidationError also for a filter that there is not: a misspelt one would be lost in silence."""
        filters = self.filterset_class.base_filters if self.filterset_class else {}
        expected = {*filters, "cursor", "limit"}
        if unknown := sorted(set(self.request.query_params) - expected):
            message = f"expected only {', '.join(sorted(expected))}; got {unknown[0][:40]!a}"
            raise exceptions.ValidationError({"non_field_errors": [message]})
        if empty := sorted(name for name, value in self.request.query_params.items() if not value):
            raise exceptions.ValidationError({empty[0]: ["expected a value; leave it out for all"]})
        if self.filterset_class is None or not filters.keys() & self.request.query_params.keys():
            return rows
        chosen = self.filterset_class(self.request.query_params, queryset=rows, request=self.request)
        if not chosen.is_valid():
            raise exceptions.ValidationError({name: [*map(str, texts)] for name, texts in chosen.errors.items()})
        found: models.QuerySet[Any] = chosen.qs
        return found


class NewRowView(RowsView):
    """POST: a new row; 201 with its address."""

    address_name: str
    address_field = "pk"
    created_class: type[serializers.BaseSerializer[Any]] | None = None  # where the first answer shows more

    def create(self, body: dict[str, Any]) -> Any:
        """Make the row; raises what the API answers with."""
        raise NotImplementedError

    def post(self, request: Request, **kwargs: Any) -> Response:
        """201 with Location and ETag; the same Idempotency-Key again gets the same answer."""
        body = self.body()

        def act() -> Response:
            row = self.create(body)
            log.info("API: %s made %s %s", grant_of(request).name, row._meta.model_name, row.pk)
            address = reverse(self.address_name, args=[getattr(row, self.address_field)])
            data = (self.created_class or self.serializer_class)(row, context={"request": request}).data
            headers = {"Location": request.build_absolute_uri(address), "ETag": etag(data)}
            return Response(data, status=201, headers=headers)

        return self.once(request, act)


class DetailView(RowsView):
    """GET: one row."""

    def get(self, request: Request, **kwargs: Any) -> Response:
        """One row, with its ETag."""
        return Response(self.shown(self.row()))


class ChangeView(DetailView):
    """PATCH: change it, if it is still the version that the caller read (If-Match)."""

    def change(self, row: Any, body: dict[str, Any]) -> None:
        """Write what was sent; raises ValidationError, and a conflict where another row is the same."""
        row_save(row, body, taken="another one is the same")

    def patch(self, request: Request, **kwargs: Any) -> Response:
        """Changes what was sent, only of the version that If-Match names: else 428 or 412."""
        self.row()  # 404 comes before what is wrong with the body
        body = self.body(partial=True)

        def act() -> Response:
            found = self.row_locked()
            self.version_require(request, self.shown(found))
            self.change(found, body)
            log.info(
                "API: %s changed %s of %s %s", grant_of(request).name, sorted(body), found._meta.model_name, found.pk
            )
            data = self.shown(found)
            return Response(data, headers={"ETag": etag(data)})

        return self.once(request, act)


def row_save(row: Any, changes: dict[str, Any], *, taken: str) -> Any:
    """Set, check by the model's own rules, save. Raises ValidationError, and Taken where another row is the same."""
    for name, value in changes.items():
        setattr(row, name, value)
    try:
        row.clean_fields()
        row.clean()
        with transaction.atomic():
            row.save()
    except ModelError as error:
        with translation.override("en"):  # the models' words are those of the admin, too, in the reader's language
            words = error.message_dict
        found = {"non_field_errors" if name == NON_FIELD_ERRORS else name: text for name, text in words.items()}
        raise exceptions.ValidationError(found) from error
    except IntegrityError as error:
        raise Taken(taken) from error
    return row


class Taken(exceptions.APIException):
    status_code = 409
    default_code = "already_exists"
