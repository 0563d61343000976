"""Keys: made, listed, deleted, and what they sign."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey as P256Key
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import (
    DIGEST,
    FORMAT,
    MESSAGE,
    NAME_SCHEMA,
    POLICY,
    SIGNATURE,
    base64_of,
    fields,
    listed,
    one_of,
    ref,
    text,
)
from tpm.service.door.authentication import Caller
from tpm.service.door.idempotency import Answer
from tpm.service.door.parsing import base64_bytes, sign_batch, sign_item, signed_item, text_fields
from tpm.service.door.schema import IDEMPOTENCY_KEY, described
from tpm.service.encoding import base64_text, point_of, public_key_eosio, public_key_pem
from tpm.service.errors import InvalidRequestError, ServiceError
from tpm.service.keys.encryption import decrypt, encrypt
from tpm.service.keys.signing import Digest, Message, check_use, sign, verify
from tpm.service.keys.store import NAME, USAGES, Key
from tpm.service.views.direct import DirectView
from tpm.service.views.parts import audit_log, device, idempotent_answers, key_store


class KeysView(APIView):
    """`GET /v1/keys` lists all keys by name; `POST /v1/keys` makes one: 201, the same again 200, another body 409."""

    scope = "tpm/keys"

    @described("keys_list", answers={200: fields(keys=listed(ref("Key")))})
    def get(self, request: Request) -> Response:
        return Response({"keys": [rendered(key) for key in key_store().all()]})

    @described(
        "keys_create",
        body=fields(
            optional=("policy",),
            name={**NAME_SCHEMA, "example": "site-7"},
            type=text("of the key", "ecc-p256", choices=tuple(USAGES)),
            usage=text("decrypt for rsa-2048 only", "sign", choices=("sign", "decrypt")),
            policy=POLICY,
        ),
        answers={200: ref("Key"), 201: ref("Key")},
        problems=(409, 422),
    )
    def post(self, request: Request) -> Response:
        given = text_fields(request.data, required=("name", "type", "usage"), optional=("policy",))
        if not re.fullmatch(NAME, given["name"]):
            raise InvalidRequestError("name: expected 1 to 63 of a-z, 0-9 and '-', not beginning with '-'")
        with audit_log().change("key_create", given["name"]) as outcome:
            key, new = key_store().create(
                name=given["name"], type=given["type"], usage=given["usage"], policy=given.get("policy")
            )
            outcome.text = "done" if new else "unchanged"
        return Response(rendered(key), status=201 if new else 200)


class KeyView(APIView):
    """`GET` and `DELETE /v1/keys/{name}`."""

    scope = "tpm/keys"

    @described("keys_get", answers={200: ref("Key")}, problems=(404,))
    def get(self, request: Request, name: str) -> Response:
        return Response(rendered(key_store().get(name)))

    @described("keys_delete", answers={204: None}, problems=(404,))
    def delete(self, request: Request, name: str) -> Response:
        with audit_log().change("key_delete", name):
            key_store().delete(name)
        return Response(status=204)


class SignView(DirectView):
    """`POST /v1/keys/{name}/sign`: one item, or up to 256 as `{batch: […]}`.

    A batch is answered in its order. An item that is not valid, or not for this key, has an error of its own and the
    others are signed. When the TPM fails, the request fails.
    """

    scope = "tpm/sign"

    @described(
        "keys_sign",
        body=one_of(ref("DigestItem"), ref("MessageItem"), ref("SignBatch")),
        answers={200: one_of(ref("Signed"), ref("SignedBatch"))},
        problems=(404, 409, 413, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, client: Caller, body: Any, meta: Mapping[str, Any], name: str) -> Answer:
        def act() -> Answer:
            batch = isinstance(body, dict) and "batch" in body
            return signed_batch(name, sign_batch(body)) if batch else signed(name, sign_item(body))

        idempotency_key = meta.get("HTTP_IDEMPOTENCY_KEY")
        if idempotency_key is None:
            return act()
        made = key_store().get(name).blob.public.hex()  # a key that was made anew under its name is another one
        return idempotent_answers().once((client.client_id, name), idempotency_key, [made, body], act)


class VerifyView(APIView):
    """`POST /v1/keys/{name}/verify` of an item and `signature`: whether this key made the signature.

    A signature that is well formed and not this key's, or not of this item, is an answer, `{"valid": false}`.
    """

    scope = "tpm/crypto"

    @described(
        "keys_verify",
        body=one_of(
            fields(digest=DIGEST, format=FORMAT, signature=SIGNATURE), fields(data=MESSAGE, signature=SIGNATURE)
        ),
        answers={200: fields(valid={"type": "boolean"})},
        problems=(404, 413, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        item, signature = signed_item(request.data)
        key = key_store().get(name)
        if isinstance(item, Message):  # for which the TPM has to use the key
            with audit_log().use("verify", name, [item.sha256]):
                return Response({"valid": verify(device(), key, item, signature)})
        return Response({"valid": verify(device(), key, item, signature)})


class EncryptView(APIView):
    """`POST /v1/keys/{name}/encrypt` `{data}`: at most 190 bytes, for a key with usage `decrypt`."""

    scope = "tpm/crypto"

    @described(
        "keys_encrypt",
        body=fields(data=base64_of("up to 190 bytes", most=190)),
        answers={200: fields(ciphertext=base64_of("256 bytes", least=256, most=256))},
        problems=(404, 413, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        data = base64_bytes("data", text_fields(request.data, required=("data",))["data"])
        return Response({"ciphertext": base64_text(encrypt(key_store().get(name), data))})


class DecryptView(APIView):
    """`POST /v1/keys/{name}/decrypt` `{ciphertext}`."""

    scope = "tpm/crypto"

    @described(
        "keys_decrypt",
        body=fields(ciphertext=base64_of("256 bytes", "A" * 342 + "==", least=256, most=256)),
        answers={200: fields(data=base64_of("what was encrypted"))},
        problems=(404, 413, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        ciphertext = base64_bytes("ciphertext", text_fields(request.data, required=("ciphertext",))["ciphertext"])
        key = key_store().get(name)
        with audit_log().use("decrypt", name, [sha256(ciphertext).hexdigest()]):
            data = decrypt(device(), key, ciphertext)
        return Response({"data": base64_text(data)})


def signed(name: str, item: Digest | Message) -> Answer:
    """Sign one item; raises ServiceError when it is none for this key."""
    return {"signature": _signatures(key_store().get(name), [item])[0]}


def signed_batch(name: str, items: Sequence[Digest | Message | ServiceError]) -> Answer:
    """Sign what can be signed, in one turn at the TPM; each result is a signature or an error, in the order given."""
    key = key_store().get(name)
    checked = [_usable(key, item) for item in items]
    signatures = iter(_signatures(key, [item for item in checked if not isinstance(item, ServiceError)]))
    return {
        "results": [
            {"error": item.summary()} if isinstance(item, ServiceError) else {"signature": next(signatures)}
            for item in checked
        ]
    }


def _signatures(key: Key, items: Sequence[Digest | Message]) -> list[str]:
    if not items:
        return []
    with audit_log().use("sign", key.name, [item.sha256 for item in items]):
        return sign(device(), key, items)


def _usable(key: Key, item: Digest | Message | ServiceError) -> Digest | Message | ServiceError:
    if not isinstance(item, ServiceError):
        try:
            check_use(key, item)
        except ServiceError as error:
            return error
    return item


def rendered(key: Key) -> dict[str, object]:
    """Return a key as JSON; nothing of its blob leaves the service."""
    return {
        "name": key.name,
        "type": key.type,
        "usage": key.usage,
        "policy": key.policy,
        "public_key_pem": public_key_pem(key.public) if key.public else None,
        "public_key_eosio": public_key_eosio(point_of(key.public)) if isinstance(key.public, P256Key) else None,
        "created_at": key.created_at.isoformat(),
    }
