"""Fresh evidence of what runs here, for a verifier elsewhere."""

import re

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import base64_of, fields, listed, text, whole
from tpm.service.door.parsing import base64_bytes, object_fields
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text, signature_der
from tpm.service.errors import InvalidRequestError
from tpm.service.integrity.attestations import Attestation, attested
from tpm.service.keys.audit_check import Head
from tpm.service.views.parts import device, evidence
from tpm.service.views.pcrs import PCRS

NONCE_BYTES = 32
SEQUENCE_MAX = 2**53 - 1
HASH = "[0-9a-f]{64}"
HEAD = fields(
    sequence=whole("of the entry that the verifier saw last as the newest; 0: none", 0, SEQUENCE_MAX, 0),
    hash={"type": "string", "description": "its hash", "pattern": f"^{HASH}$", "example": "0" * 64},
)
CLAIMS = (
    "JSON: manifest_digest, measured_pcr, event_log_sha256, integrity, audit {sequence, hash, and since when asked}, "
    "power_on_clock_ms. "
    "The quote's extraData is SHA-256(nonce || this text)"
)
ATTESTATION = fields(
    quote=base64_of("TPMS_ATTEST"),
    signature=base64_of("of the AK, ECDSA with SHA-256 in ASN.1 DER,"),
    pcrs={
        "type": "object",
        "description": "values of the SHA-256 bank, by number",
        "additionalProperties": base64_of("32 bytes", least=32, most=32),
        "example": {"16": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    },
    claims=text(CLAIMS, '{"manifest_digest": null, …}'),
    event_log=listed(text("what the measured PCR was extended with", "sha256:2cf2… 0644 /srv/app/tpm/client.py")),
)


class AsciiRenderer(JSONRenderer):
    """Bytes of a file's name that are no UTF-8 are lone surrogates, which JSON can write only as escapes."""

    ensure_ascii = True


class AttestationsView(APIView):
    """`POST /v1/attestations` `{nonce, pcrs}`: a quote over 1 to 24 PCRs, with the event log and what else it claims.

    The nonce has 32 bytes, which the verifier draws anew each time. `audit` is the head of the log of key uses that the
    verifier saw last: then the claims say in `audit.since` what hash that entry has now (null: it is not there), and
    whether the chain leads on from it to the newest entry. It answers although integrity failed, and says so.
    """

    scope = "tpm/attest"
    answers_unverified = True
    renderer_classes = (AsciiRenderer,)

    @described(
        "attestations_create",
        body=fields(
            optional=("audit",),
            nonce=base64_of("32 bytes", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", least=32, most=32),
            pcrs={
                **listed(whole("number", 0, PCRS - 1, 16), most=PCRS),
                "uniqueItems": True,
                "example": [8, 16],
            },
            audit=HEAD,
        ),
        answers={200: ATTESTATION},
    )
    def post(self, request: Request) -> Response:
        given = object_fields(request.data, required=("nonce", "pcrs"), optional=("audit",))
        nonce, pcrs = _nonce(given["nonce"]), _pcrs(given["pcrs"])
        last = _head(given["audit"]) if "audit" in given else None
        return Response(rendered(attested(device(), nonce=nonce, pcrs=pcrs, evidence=evidence(last))))


def _nonce(value: object) -> bytes:
    if not isinstance(value, str):
        raise InvalidRequestError("nonce: expected a string")
    nonce = base64_bytes("nonce", value)
    if len(nonce) != NONCE_BYTES:
        raise InvalidRequestError(f"nonce: expected {NONCE_BYTES} bytes, got {len(nonce)}")
    return nonce


def _pcrs(value: object) -> list[int]:
    numbers = value if isinstance(value, list) else []
    whole_numbers = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < PCRS for n in numbers)
    if not numbers or not whole_numbers or len(set(numbers)) != len(numbers):
        raise InvalidRequestError(f"pcrs: expected an array of 1 to {PCRS} different numbers from 0 to {PCRS - 1}")
    return numbers


def _head(value: object) -> Head:
    given = object_fields(value, required=("sequence", "hash"))
    sequence, digest = given["sequence"], given["hash"]
    if type(sequence) is not int or not 0 <= sequence <= SEQUENCE_MAX:
        raise InvalidRequestError(f"audit.sequence: expected a whole number from 0 to {SEQUENCE_MAX}")
    if not isinstance(digest, str) or not re.fullmatch(HASH, digest):
        raise InvalidRequestError("audit.hash: expected 64 digits of lower-case hex")
    return Head(sequence, digest)


def rendered(attestation: Attestation) -> dict[str, object]:
    """Return the answer: binary values in base64, the PCRs by their numbers as text."""
    statement = attestation.quote.statement
    return {
        "quote": base64_text(statement.attest),
        "signature": signature_der(statement.signature),
        "pcrs": {str(number): base64_text(value) for number, value in attestation.quote.pcrs.items()},
        "claims": attestation.claims,
        "event_log": list(attestation.event_log),
    }
