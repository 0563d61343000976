"""What the OpenAPI document says in words and examples; tests/api/test_openapi.py checks these."""

from typing import Any

from api.keyset import PAGE_SIZE_MAX
from evportal.openapi.examples import PLACES, UUID, page

Schema = dict[str, Any]

DESCRIPTION = f"""Charging sessions, their records on the chain, sites and stations, for people's programs and for
integrators.

Authentication: `Authorization: Bearer TOKEN`, with a personal token (`evp_…`, made under Security, with scopes and an
end) or an access token of Cognito's client credentials (scopes `evportal/sessions.read` and so on). A token sees what
its person may see now, or what was chosen for its program; all else is 404.

Figures: energy in Wh and money in minor units of an ISO 4217 currency, both whole numbers; time RFC 3339 in UTC.

Lists: `{{"next", "previous", "results"}}`, at most {PAGE_SIZE_MAX} rows a page; follow `next` until it is null. Rows
that come meanwhile move nothing. Filters that there are not are refused.

Versions: answers have an ETag; `If-None-Match` gets 304 while nothing changed. A change needs `If-Match`.

Repeats: writes take an `Idempotency-Key`; the same request with the same key gets the same answer for a day.

Rates: each answer says `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`; too many are 429 with
`Retry-After`.

Errors: `application/problem+json` (RFC 9457) with a stable `code`.
"""

TITLES = {
    400: "The request is not valid; `errors` names the fields",
    401: "The token is missing or refused",
    403: "The token's scopes or the caller's rights do not allow it",
    404: "There is nothing here that you may see",
    406: "Answers are JSON, and nothing else",
    409: "It contradicts what is there",
    412: "It was changed since you read it",
    413: "Too large",
    415: "The body is not application/json",
    422: "Understood, but it cannot be done: `code` says why",
    428: "If-Match is missing",
    429: "Too many requests; try again after Retry-After",
    503: "Something that is needed cannot be had; repeat the same request later",
}
PROBLEMS = {
    400: ("invalid_request", "limit: expected 1 to 200"),
    401: ("token_expired", "this token expired at 2026-03-01T08:00:00Z"),
    403: ("insufficient_scope", "expected a token with the scope sessions.read"),
    404: ("not_found", "there is nothing here that you may see"),
    406: ("not_acceptable", "Could not satisfy the request Accept header."),
    409: ("already_exists", "there is a site with this code"),
    412: ("precondition_failed", "it was changed since you read it: read it again, then decide"),
    413: ("request_too_large", "expected at most 65536 bytes, got more"),
    415: ("unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
    422: ("idempotency_key_reused", "this Idempotency-Key came with another request before; use a new one"),
    428: ("precondition_required", "expected If-Match with the ETag of what you read"),
    429: ("throttled", "Request was throttled. Expected available in 12 seconds."),
    503: ("unavailable", "the database does not answer; repeat the same request later"),
}
TEXT: Schema = {"type": "string"}
PROBLEM_SCHEMA: Schema = {
    "type": "object",
    "description": "RFC 9457; `code` is stable.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        **dict.fromkeys(("type", "title", "code", "detail"), TEXT),
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": TEXT, "message": TEXT},
            },
        },
    },
}
RECEIPT: Schema = {
    "type": "object",
    "description": "evportal-receipt/2, as verify_receipt.py takes it",
    "required": ["format", "record", "salt", "digest", "ledger_id", "chain_id", "transaction_id", "block_num"],
    "properties": {
        "format": {"type": "string", "const": "evportal-receipt/2"},
        "record": {"type": "object", "additionalProperties": True},
        **dict.fromkeys(("salt", "digest", "ledger_id", "chain_id", "transaction_id"), TEXT),
        "block_num": {"type": "integer"},
    },
    "additionalProperties": True,
}

HOOK = "0b5a6a0e-3c0d-4a6e-8f0e-6d5f2f6f9a10"
NAME: Schema = {"type": "string", "pattern": "^[^/\\x00-\\x1f\\x7f]{1,64}$"}
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
# name in the address: schema, words, example
PATH: dict[str, tuple[Schema, str, Any]] = {
    "id": ({"type": "string", "format": "uuid"}, "Its id", UUID),
    "number": (NUMBER, "Its id", 7),
    "code": (NAME, "The code of the site, or of the tariff", "S1"),
    "identity": (NAME, "The station's identity", "CP-MARKET-1"),
    "transaction_id": (
        {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9*_=:+|@.\\-]{0,35}$"},
        "The station's own number for the charge",
        "T1",
    ),
}


RECORDED: Schema = {
    "state": "recorded",
    "ledger_id": 4711,
    "block_num": 1234567,
    "recorded_at": "2026-03-01T08:45:07Z",
    "reason": "",
}
SESSION: Schema = {
    "id": UUID,
    "status": "COMPLETED",
    "started_at": "2026-03-01T08:00:00Z",
    "stopped_at": "2026-03-01T08:45:00Z",
    "location": {"id": "S1", "name": "Market hall", "country": "DEU", "time_zone": "Europe/Berlin"},
    "station": "CP-MARKET-1",
    "evse_id": 1,
    "connector_id": 1,
    "transaction_id": "T1",
    "id_token": {"uid": "04D1E2F3A4B5C6", "type": "ISO14443"},
    "meter_start_wh": 52340000,
    "meter_stop_wh": 52347780,
    "energy_wh": 7780,
    "cost_minor": 312,
    "currency": "EUR",
    "stop_reason": "EVDisconnected",
    "source": "STATION",
    "flags": [],
    "credit": False,
    "credit_reference": None,
    "credited_by": None,
    "tariff": {
        "id": "STANDARD",
        "name": "Standard",
        "currency": "EUR",
        "price_per_kwh": "0.27",
        "price_per_session": "1",
        "vat_percent": "19",
    },
    "cost_lines": [],
    "record": "recorded",
    "counted": {"energy_wh": 7780, "cost_minor": 312, "currency": "EUR"},
    "ledger": RECORDED,
    "updated_at": "2026-03-01T08:45:00Z",
}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ENTRY: Schema = {
    "session": UUID,
    "state": "recorded",
    "label": "Recorded",
    "detail": "block 1,234,567, 09:45:07",
    "reason": "The record stands on the chain and equals what you see here.",
    "advice": "",
    "status": "IRREVERSIBLE",
    "ledger_id": 4711,
    "digest": DIGEST,
    "opened_at": "2026-03-01T08:45:01Z",
    "checked_at": None,
    "chain_id": DIGEST,
    "account": "evledger",
    "transaction_id": DIGEST,
    "block_num": 1234567,
    "block_id": DIGEST,
    "recorded_at": "2026-03-01T08:45:07Z",
    "signature": "SIG_R1_K…",
    "public_key": "PUB_R1_5…",
    "taken_back": None,
}
WEBHOOK: Schema = {
    "id": HOOK,
    "url": "https://example.com/evportal",
    "description": "bookkeeping",
    "active": True,
    "created_at": "2026-03-01T08:00:00Z",
    "failing_since": None,
    "disabled_reason": "",
}
NEW_WEBHOOK: Schema = WEBHOOK | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="}
DELIVERY: Schema = {
    "id": UUID,
    "event": "session.recorded",
    "session": UUID,
    "status": "delivered",
    "attempts": 1,
    "created_at": "2026-03-01T08:45:07Z",
    "last_attempt_at": "2026-03-01T08:45:08Z",
    "next_attempt_at": "2026-03-01T08:45:18Z",
    "delivered_at": "2026-03-01T08:45:08Z",
    "response_status": 204,
    "error": "",
}
ME: Schema = {
    "kind": "person",
    "id": "42",
    "name": "maria",
    "roles": ["customer"],
    "language": "de",
    "time_zone": "Europe/Berlin",
    "scopes": ["sessions.read", "profile.read"],
    "token_expires_at": "2026-06-01T00:00:00Z",
}
SAMPLE: Schema = {
    "sampled_at": "2026-03-01T08:15:00Z",
    "measurand": "Energy.Active.Import.Register",
    "value": "41236500",
    "unit": "Wh",
    "phase": "",
    "context": "Sample.Periodic",
}
STEP: Schema = {
    "number": 1,
    "title": "The record and the salt give the digest",
    "expected": DIGEST,
    "found": DIGEST,
    "outcome": "ok",
    "note": "",
}
REPORTED: Schema = {
    "id": UUID,
    "transaction_id": "T1",
    "evse_id": 1,
    "connector_id": 1,
    "id_token": {"uid": "04D1E2F3A4B5C6", "type": "ISO14443"},
    "status": "ACTIVE",
    "started_at": "2026-03-01T08:00:00Z",
    "stopped_at": None,
    "meter_start_wh": 1000,
    "meter_stop_wh": None,
    "energy_wh": None,
    "cost_minor": None,
    "currency": "",
    "tariff": {},
    "stop_reason": "",
    "flags": [],
}
EXAMPLES: dict[str, Schema] = {
    "me_get": {"answer": ME},
    "me_update": {"body": {"time_zone": "Europe/Berlin"}, "answer": ME},
    **PLACES,
    "sessions_list": {"answer": page(SESSION)},
    "sessions_get": {"answer": SESSION},
    "sessions_meter_values": {"answer": page(SAMPLE)},
    "sessions_ledger": {"answer": ENTRY},
    "sessions_receipt": {
        "answer": {
            "format": "evportal-receipt/2",
            "record": {"id": UUID, "energy_wh": 7780},
            "salt": DIGEST,
            "digest": DIGEST,
            "ledger_id": "4711",
            "chain_id": DIGEST,
            "account": "evledger",
            "transaction_id": DIGEST,
            "block_num": 1234567,
        }
    },
    "sessions_proof": {
        "answer": {
            "verdict": "VERIFIED",
            "checked_at": "2026-03-02T10:00:00Z",
            "nodes": ["https://node-1.example", "https://node-2.example"],
            "steps": [STEP],
            "notices": {"credited": None, "producers": 21, "replaceable_by": [], "hosts": 2, "signed": "NOT SIGNED"},
        }
    },
    "statements_list": {
        "answer": {
            "time_zone": "Europe/Berlin",
            "months": [
                {
                    "month": "2026-03",
                    "sessions": 3,
                    "energy_wh": 23340,
                    "costs": [{"cost_minor": 936, "currency": "EUR"}],
                    "differing": 0,
                    "left_out": 0,
                }
            ],
        }
    },
    "ledger_get": {
        "answer": {
            "chain_id": DIGEST,
            "account": "evledger",
            "backlog": 2,
            "oldest_open_s": 1,
            "transactions": {"SENT": 1},
            "head_block_num": 1234569,
            "lib_block_num": 1234567,
            "lag_s": 1,
            "alerts": 0,
        }
    },
    "webhooks_list": {"answer": page(WEBHOOK)},
    "webhooks_create": {"body": {"url": "https://example.com/evportal"}, "answer": NEW_WEBHOOK},
    "webhooks_get": {"answer": WEBHOOK},
    "webhooks_update": {"body": {"active": True}, "answer": WEBHOOK},
    "webhooks_delete": {},
    "webhooks_new_secret": {"answer": NEW_WEBHOOK},
    "webhooks_ping": {"answer": DELIVERY | {"event": "ping", "session": None, "status": "pending"}},
    "webhooks_deliveries": {"answer": page(DELIVERY)},
    "station_start": {
        "body": {
            "transaction_id": "T1",
            "started_at": "2026-03-01T08:00:00Z",
            "meter_start_wh": 1000,
            "id_token": {"uid": "04D1E2F3A4B5C6"},
        },
        "answer": REPORTED,
    },
    "station_session": {"answer": REPORTED},
    "station_meter_values": {
        "body": {"values": [{"sampled_at": "2026-03-01T08:15:00Z", "value": 2500}]},
        "answer": {"accepted": 1, "repeated": 0},
    },
    "station_boot": {"body": {"running": ["T2"]}, "answer": {"ended": ["T1"]}},
    "station_stop": {
        "body": {"stopped_at": "2026-03-01T08:45:00Z", "meter_stop_wh": 8780},
        "answer": REPORTED
        | {"status": "COMPLETED", "stopped_at": "2026-03-01T08:45:00Z", "meter_stop_wh": 8780, "energy_wh": 7780},
    },
}
