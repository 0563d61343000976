"""What has to be true before a view does anything: the token's scope, and that the service is what was approved."""

from typing import TYPE_CHECKING, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tpm.service.door.authentication import Caller, require_scope
from tpm.service.views.parts import device, integrity

if TYPE_CHECKING:  # DRF imports this module while it imports its views
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """The token has to hold the `scope` that the view names, for all keys or for the one that the URL names.

    Then the service has to be what was approved, but for a view that `answers_unverified`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return True; raises ForbiddenError, then IntegrityFailedError, or ServiceError when no TPM can judge it."""
        scope: str = view.scope  # type: ignore[attr-defined]
        require_scope(cast(Caller, request.user), scope, view.kwargs.get("name"))
        if not getattr(view, "answers_unverified", False):
            integrity().require(device())
        return True
