"""REST: who the caller is. A person may change how they read: language and time zone."""

import zoneinfo
from typing import Any

from django.conf import settings
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Program, User
from accounts.programs.authentication import grant_of
from accounts.programs.scopes import SCOPES
from api.strict_fields import StrictSerializer, TextField
from api.view import ApiView, etag


class ZoneField(TextField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pattern=r"([A-Za-z0-9_+\-/]{1,64})?", **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """The name of an IANA time zone, or "" for none of one's own."""
        name = super().to_internal_value(data)
        if name and name not in zoneinfo.available_timezones():
            raise serializers.ValidationError(f"expected an IANA time zone such as Europe/Berlin, got {name!a}")
        return name


class MeBody(StrictSerializer):
    """`language` and `time_zone`: "" for the browser's, and for that of the newest session's site."""

    language = TextField(one_of=["", *dict(settings.LANGUAGES)], required=False)
    time_zone = ZoneField(required=False)


class MeSerializer(serializers.Serializer[Any]):
    """`id` is the app client's id where the caller is a program; then there are no roles, language and time zone."""

    kind = serializers.ChoiceField(choices=["person", "program"])
    id = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    language = serializers.CharField(allow_blank=True)
    time_zone = serializers.CharField(allow_blank=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(SCOPES)))
    token_expires_at = serializers.DateTimeField(allow_null=True)


class MeView(ApiView):
    serializer_class, body_class = MeSerializer, MeBody
    scopes = {"GET": "profile.read", "PATCH": "profile.write"}
    operations = {"GET": "me_get", "PATCH": "me_update"}

    def get(self, request: Request) -> Response:
        """Who calls, and what with: person or program, roles, scopes, until when."""
        return Response(self.shown(request))

    def patch(self, request: Request) -> Response:
        """Changes language and time zone of a person; a program has none: 403."""
        if not isinstance(request.user, User):
            raise exceptions.PermissionDenied("only a person has a time zone: expected a personal token")
        message = MeBody(data=self.body_require(request), partial=True)
        message.is_valid(raise_exception=True)

        user_id = request.user.pk

        def act() -> Response:
            request.user = User.objects.select_for_update().get(pk=user_id)
            self.version_require(request, self.shown(request))
            for name, value in message.validated_data.items():
                setattr(request.user, name, value)
            request.user.save(update_fields=list(message.validated_data))
            data = self.shown(request)
            return Response(data, headers={"ETag": etag(data)})

        return self.once(request, act)

    def shown(self, request: Request) -> dict[str, Any]:
        """The members of the answer."""
        user: Any = request.user
        grant = grant_of(request)
        scopes = [name for name in SCOPES if name in grant.scopes]
        if isinstance(user, Program):
            own = {"kind": "program", "id": user.client.client_id, "name": user.client.name, "roles": []}
            return {**own, "language": "", "time_zone": "", "scopes": scopes, "token_expires_at": None}
        own = {"kind": "person", "id": str(user.pk), "name": user.get_username(), "roles": user.roles}
        assert grant.token is not None, "a person calls with a token of their own"
        expires = serializers.DateTimeField().to_representation(grant.token.expires_at)
        reads = {"language": user.language, "time_zone": user.time_zone}
        return {**own, **reads, "scopes": scopes, "token_expires_at": expires}
