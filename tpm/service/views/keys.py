"""Keys: made, listed, deleted, and what they sign."""

import re
from collections.abc import Sequence
from typing import cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.authentication import Caller
from tpm.service.errors import InvalidRequestError, ServiceError
from tpm.service.idempotency import Answer
from tpm.service.keys import NAME, Key
from tpm.service.parsing import SignItem, sign_batch, sign_item, signed_item, text_fields
from tpm.service.wiring import idempotent_answers, key_store


class KeysView(APIView):
    """`GET /v1/keys` lists all keys by name; `POST /v1/keys` makes one: 201, the same again 200, another body 409."""

    scope = "tpm/keys"

    def get(self, request: Request) -> Response:
        return Response({"keys": [rendered(key) for key in key_store().all()]})

    def post(self, request: Request) -> Response:
        fields = text_fields(request.data, required=("name", "type", "usage"), optional=("policy",))
        if not re.fullmatch(NAME, fields["name"]):
            raise InvalidRequestError("name: expected 1 to 63 of a-z, 0-9 and '-', not beginning with '-'")
        key, new = key_store().create(
            name=fields["name"], type=fields["type"], usage=fields["usage"], policy=fields.get("policy")
        )
        return Response(rendered(key), status=201 if new else 200)


class KeyView(APIView):
    """`GET` and `DELETE /v1/keys/{name}`."""

    scope = "tpm/keys"

    def get(self, request: Request, name: str) -> Response:
        return Response(rendered(key_store().get(name)))

    def delete(self, request: Request, name: str) -> Response:
        key_store().delete(name)
        return Response(status=204)


class SignView(APIView):
    """`POST /v1/keys/{name}/sign`: one `{digest, format}`, or up to 256 as `{batch: […]}`, answered in their order.

    An item that is not valid has an error of its own and the others are signed. When the TPM fails, the request fails.
    """

    scope = "tpm/sign"

    def post(self, request: Request, name: str) -> Response:
        body = request.data

        def act() -> Answer:
            batch = isinstance(body, dict) and "batch" in body
            return signed_batch(name, sign_batch(body)) if batch else signed(name, sign_item(body))

        client_id = cast(Caller, request.user).client_id
        key = request.headers.get("Idempotency-Key")
        return Response(idempotent_answers().once((client_id, name), key, body, act))


class VerifyView(APIView):
    """`POST /v1/keys/{name}/verify` `{digest, format, signature}`: whether this key made the signature.

    A signature that is well formed and not this key's, or not of this digest, is an answer, `{"valid": false}`.
    """

    scope = "tpm/crypto"

    def post(self, request: Request, name: str) -> Response:
        item, signature = signed_item(request.data)
        return Response({"valid": key_store().verify(name, item.digest, item.format, signature)})


def signed(name: str, item: SignItem) -> Answer:
    return {"signature": key_store().sign(name, [(item.digest, item.format)])[0]}


def signed_batch(name: str, items: Sequence[SignItem | ServiceError]) -> Answer:
    valid = [(item.digest, item.format) for item in items if isinstance(item, SignItem)]
    signatures = iter(key_store().sign(name, valid))
    return {
        "results": [
            {"error": item.summary()} if isinstance(item, ServiceError) else {"signature": next(signatures)}
            for item in items
        ]
    }


def rendered(key: Key) -> dict[str, object]:
    """Return a key as JSON; nothing of its blob leaves the service."""
    return {
        "name": key.name,
        "type": key.type,
        "usage": key.usage,
        "policy": key.policy,
        "public_key_pem": key.public_key_pem,
        "public_key_eosio": key.public_key_eosio,
        "created_at": key.created_at.isoformat(),
    }
