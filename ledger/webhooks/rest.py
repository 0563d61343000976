"""REST: webhooks of the caller, their deliveries, a ping, a new secret."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.login.roles import only_reads
from accounts.models import Program, User
from accounts.programs.authentication import HasRight
from api.lists import ChangeView, ListView, NewRowView, RowsView
from api.strict_fields import FlagField, StrictSerializer, TextField
from common.outgoing.addresses import URL_MAX, AddressRefused, url_check
from ledger.models import Webhook, WebhookDelivery
from ledger.webhooks import delivery, outbox
from stations.rest.serializers import text

READ, WRITE = "webhooks.read", "webhooks.write"
WEBHOOKS_MAX = 10


class AddressField(TextField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pattern=rf"https?://[!-~]{{1,{URL_MAX - 8}}}", **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """An address that may be called: https, public."""
        url = super().to_internal_value(data)
        try:
            url_check(url, local_allowed=settings.WEBHOOK_ALLOW_LOCAL)
        except AddressRefused as error:
            raise serializers.ValidationError(str(error)) from error
        return url


class WebhookBody(StrictSerializer):
    url = AddressField()
    description = text(100, required=False)


class WebhookChangeBody(WebhookBody):
    active = FlagField(required=False, source="is_active")


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    active = serializers.BooleanField(source="is_active")

    class Meta:
        model = Webhook
        fields = ["id", "url", "description", "active", "created_at", "failing_since", "disabled_reason"]
        read_only_fields = fields


class NewWebhookSerializer(WebhookSerializer):
    """With the secret, which is shown this once."""

    secret = serializers.SerializerMethodField()

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]

    def get_secret(self, hook: Webhook) -> str:
        """Shown once, when it is made."""
        return str(getattr(hook, "shown_secret", ""))


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery
        fields = [
            *("id", "event", "session", "status", "attempts", "created_at", "last_attempt_at", "next_attempt_at"),
            *("delivered_at", "response_status", "error"),
        ]
        read_only_fields = fields


class WebhookRows(RowsView):
    """A caller's own webhooks, and nobody else's: an operator sees all of them in the admin."""

    queryset = Webhook.objects.all()
    serializer_class: Any = WebhookSerializer

    def check_permissions(self, request: Request) -> None:
        """Auditors change nothing, and have nothing sent elsewhere; what they have of before they may remove."""
        super().check_permissions(request)
        changes = request.method not in {"GET", "HEAD", "DELETE"}
        if changes and isinstance(request.user, User) and only_reads(request.user):
            raise exceptions.PermissionDenied(HasRight.message)

    def visible(self) -> QuerySet[Webhook]:
        """The caller's own."""
        return own_webhooks(self.request.user)


def own_webhooks(user: Any) -> QuerySet[Webhook]:
    """Those of the person, or of the program."""
    return Webhook.objects.filter(**{"client": user.client} if isinstance(user, Program) else {"user": user})


class WebhooksView(WebhookRows, NewRowView, ListView):
    body_class = WebhookBody
    created_class = NewWebhookSerializer
    scopes = {"GET": READ, "POST": WRITE}
    operations = {"GET": "webhooks_list", "POST": "webhooks_create"}
    ordering = ("created_at", "id")
    address_name = "api-webhook"

    def create(self, body: dict[str, Any]) -> Webhook:
        """The secret is in this answer alone."""
        user: Any = self.request.user
        owner_row = user.client if isinstance(user, Program) else user
        type(owner_row)._default_manager.select_for_update().get(pk=owner_row.pk)  # two at once are counted one by one
        if self.visible().count() >= WEBHOOKS_MAX:
            raise TooMany
        owner = {"client": user.client} if isinstance(user, Program) else {"user": user}
        hook = Webhook(**owner, **body)
        secret = delivery.secret_make(hook=hook)
        hook.save()
        hook.shown_secret = secret  # type: ignore[attr-defined]
        return hook


class TooMany(exceptions.APIException):
    status_code = 409
    default_code = "too_many"
    default_detail = f"expected at most {WEBHOOKS_MAX} webhooks: remove one first"


class WebhookView(WebhookRows, ChangeView):
    body_class = WebhookChangeBody
    scopes = {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}
    operations = {"GET": "webhooks_get", "PATCH": "webhooks_update", "DELETE": "webhooks_delete"}

    def change(self, row: Any, body: dict[str, Any]) -> None:
        """One that is made active again begins anew, at once, with what still waits."""
        for name, value in body.items():
            setattr(row, name, value)
        if body.get("is_active"):
            row.begin_anew()
            delivery.all_due(hook=row)
        row.save()

    def delete(self, request: Request, **kwargs: Any) -> Response:
        """It is gone with its deliveries. Needs no If-Match."""
        self.row()

        def act() -> Response:
            self.visible().filter(**self.named).delete()
            return Response(status=204)

        return self.once(request, act)


class WebhookSecretView(WebhookRows):
    """A new secret, shown this once; the old one ends at once."""

    scopes, operations, statuses = {"POST": WRITE}, {"POST": "webhooks_new_secret"}, {"POST": 200}
    serializer_class = NewWebhookSerializer

    def post(self, request: Request, **kwargs: Any) -> Response:
        """A new secret; the old one counts no longer."""
        self.row()

        def act() -> Response:
            hook = self.row_locked()
            hook.shown_secret = delivery.secret_make(hook=hook)
            hook.save(update_fields=["secret"])
            return Response(self.shown(hook))

        return self.once(request, act)


class WebhookPingView(WebhookRows):
    """A delivery to try the receiver with. It is sent soon: read the deliveries to see how it went."""

    scopes, operations, statuses = {"POST": WRITE}, {"POST": "webhooks_ping"}, {"POST": 202}
    serializer_class = DeliverySerializer

    def post(self, request: Request, **kwargs: Any) -> Response:
        """202: a delivery to try the receiver with is on its way."""
        hook = self.row()
        return self.once(request, lambda: Response(self.shown(outbox.ping(hook=hook)), status=202))


class DeliveriesView(ListView):
    """What was sent, the newest first, for 30 days."""

    serializer_class = DeliverySerializer
    scopes, operations = {"GET": READ}, {"GET": "webhooks_deliveries"}
    ordering = ("-created_at", "-id")

    def visible(self) -> QuerySet[WebhookDelivery]:
        """Of a webhook of the caller; another's is 404."""
        if not own_webhooks(self.request.user).filter(pk=self.kwargs["id"]).exists():
            raise exceptions.NotFound
        return WebhookDelivery.objects.filter(webhook_id=self.kwargs["id"])
