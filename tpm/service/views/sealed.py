"""Sealed objects: kept, listed, opened, deleted."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import POLICY, base64_of, fields, listed, ref
from tpm.service.door.parsing import base64_bytes, object_fields, text_fields
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text
from tpm.service.keys.sealed import Sealed
from tpm.service.views.parts import audit_log, sealed_store


class SealedListView(APIView):
    """`GET /v1/sealed`: all objects by name, without what they hold."""

    scope = "tpm/seal"

    @described("sealed_list", answers={200: fields(sealed=listed(ref("Sealed")))})
    def get(self, request: Request) -> Response:
        return Response({"sealed": [rendered(sealed) for sealed in sealed_store().all()]})


class SealedView(APIView):
    """`PUT /v1/sealed/{name}` `{data}` keeps 1 to 32,768 bytes: 201, the same again 200, other data 409.

    Nothing is ever overwritten. `GET` tells about the object, `DELETE` destroys it.
    """

    scope = "tpm/seal"

    @described(
        "sealed_create",
        body=fields(optional=("policy",), data=base64_of("1 to 32,768 bytes", least=1, most=32768), policy=POLICY),
        answers={200: ref("Sealed"), 201: ref("Sealed")},
        problems=(404, 409, 413, 422),
    )
    def put(self, request: Request, name: str) -> Response:
        given = text_fields(request.data, required=("data",), optional=("policy",))
        data = base64_bytes("data", given["data"])
        with audit_log().change("seal_create", name) as outcome:
            sealed, new = sealed_store().create(name=name, data=data, policy=given.get("policy"))
            outcome.text = "done" if new else "unchanged"
        return Response(rendered(sealed), status=201 if new else 200)

    @described("sealed_get", answers={200: ref("Sealed")}, problems=(404,))
    def get(self, request: Request, name: str) -> Response:
        return Response(rendered(sealed_store().get(name)))

    @described("sealed_delete", answers={204: None}, problems=(404,))
    def delete(self, request: Request, name: str) -> Response:
        with audit_log().change("seal_delete", name):
            sealed_store().delete(name)
        return Response(status=204)


class UnsealView(APIView):
    """`POST /v1/sealed/{name}/unseal`, with no body or `{}`: what the object holds."""

    scope = "tpm/seal"

    @described("sealed_unseal", answers={200: fields(data=base64_of("what it holds"))}, problems=(400, 404, 413, 415))
    def post(self, request: Request, name: str) -> Response:
        if request.data != {}:
            object_fields(request.data, required=())
        with audit_log().use("unseal", name):
            data = sealed_store().unseal(name)
        return Response({"data": base64_text(data)})


def rendered(sealed: Sealed) -> dict[str, object]:
    """Return what is told of an object; nothing that it holds."""
    return {
        "name": sealed.name,
        "size": sealed.size,
        "policy": sealed.policy,
        "created_at": sealed.created_at.isoformat(),
    }
