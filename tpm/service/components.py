"""The pieces of the OpenAPI schema: plain dictionaries, because the settings need them before Django is there."""

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

NAME_SCHEMA: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}


SIX_BITS = "[A-Za-z0-9+/]"
LAST_BYTE, LAST_TWO_BYTES = f"{SIX_BITS}[AQgw]==", f"{SIX_BITS}{{2}}[AEIMQUYcgkosw048]="
ANY_BASE64 = f"^({SIX_BITS}{{4}})*({LAST_BYTE}|{LAST_TWO_BYTES})?$"


def base64_of(what: str, example: str = "aGVsbG8=", *, least: int = 0, most: int | None = None) -> Schema:
    """Return the schema of `least` to `most` bytes in the one canonical form of standard base64 (RFC 4648, 3.5)."""
    made: Schema = {"type": "string", "description": f"{what}, in base64", "example": example}
    if least == most:
        ending = ("", LAST_BYTE, LAST_TWO_BYTES)[least % 3]
        return {**made, "pattern": f"^{SIX_BITS}{{{least // 3 * 4}}}{ending}$"}
    limits = {"minLength": least} | ({} if most is None else {"maxLength": most})
    return {**made, "pattern": ANY_BASE64} | {name: -(-size // 3) * 4 for name, size in limits.items() if size}


def text(what: str, example: str, *, choices: Sequence[str] = (), null: bool = False) -> Schema:
    """Return the schema of a string; with `null`, None is a value as well."""
    schema: Schema = {"type": "string", "description": what, "example": example}
    return {**schema, **({"enum": list(choices)} if choices else {}), **({"nullable": True} if null else {})}


def nullable(schema: Schema) -> Schema:
    """Return the schema with null as one more value (OpenAPI 3.0 has a keyword for it, JSON Schema has not)."""
    return {**schema, "nullable": True}


def whole(what: str, least: int, most: int, example: int) -> Schema:
    """Return the schema of an integer from `least` to `most`, both included."""
    return {"type": "integer", "description": what, "minimum": least, "maximum": most, "example": example}


def listed(items: Schema, *, most: int | None = None) -> Schema:
    """Return the schema of an array; one with at most `most` items has at least one."""
    return {"type": "array", "items": items, **({} if most is None else {"minItems": 1, "maxItems": most})}


def fields(*, optional: Sequence[str] = (), **properties: Schema) -> Schema:
    """Return the schema of an object with exactly these fields."""
    required = [name for name in properties if name not in optional]
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def one_of(*schemas: Schema) -> Schema:
    """Return the schema of what fits exactly one of these."""
    return {"oneOf": list(schemas)}


def ref(name: str) -> Schema:
    """Return a reference to one of COMPONENTS."""
    return {"$ref": f"#/components/schemas/{name}"}


POLICY = ref("Policy")
CREATED_AT: Schema = {"type": "string", "format": "date-time"}
DIGEST = base64_of("32 bytes, SHA-256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", least=32, most=32)
FORMAT = text("of the signature", "der", choices=("der", "jws", "eosio", "pkcs1v15", "pss"))
MESSAGE = base64_of("up to 1,024 bytes", most=1024)
SIGNATURE = text("base64, base64url for jws, SIG_R1_… for eosio", "MEUCIQ…")
ANY_ITEM: Schema = {
    "description": "what is no item gets an error of its own, and the others are signed",
    "anyOf": [ref("DigestItem"), ref("MessageItem"), {}],
}

COMPONENTS: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457; `code` is stable.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": text("what is wrong", "key_not_found"),
        },
        "required": ["type", "title", "status", "detail", "code"],
    },
    "Key": fields(
        name=NAME_SCHEMA,
        type=text("of the key", "ecc-p256", choices=("ecc-p256", "rsa-2048", "hmac")),
        usage=text("the one use of the key", "sign", choices=("sign", "decrypt")),
        policy=POLICY,
        public_key_pem=text("SubjectPublicKeyInfo; null for hmac", "-----BEGIN PUBLIC KEY-----…", null=True),
        public_key_eosio=text("for ecc-p256", "PUB_R1_…", null=True),
        created_at=CREATED_AT,
    ),
    "Policy": {
        "type": "string",
        "description": "null, or release: only an approved release of the service can use it",
        "nullable": True,
        "pattern": "^release$",  # generated clients make three classes of an enum with null
        "example": None,
    },
    "DigestItem": fields(digest=DIGEST, format=FORMAT),
    "MessageItem": fields(data=MESSAGE),
    "SignBatch": fields(batch=listed(ANY_ITEM, most=256)),
    "Signed": fields(signature=SIGNATURE),
    "SignedBatch": fields(results=listed(one_of(ref("Signed"), ref("ItemRefused")))),
    "ItemRefused": fields(error=ref("ItemError")),
    "Sealed": fields(name=NAME_SCHEMA, size=whole("bytes", 1, 32768, 32), policy=POLICY, created_at=CREATED_AT),
    "Pcr": fields(pcr=whole("number", 0, 23, 16), value=base64_of("32 bytes", least=32, most=32)),
    "ItemError": fields(
        code=text("as of a problem", "key_usage"), title={"type": "string"}, status={"type": "integer"}
    ),
}
