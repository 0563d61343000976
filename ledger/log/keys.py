"""The log's own key: P-256 in the TPM service, certified like the ledger's; and what it is called in notes."""

import hashlib
from base64 import b64decode

from django.conf import settings

from ledger.errors import LogDiffers
from ledger.log.names import verifier_key
from ledger.log.note import Note, Signature, verify
from ledger.models import LogCheckpoint
from ledger.signing.signer import signer
from tpm.client import TpmRefused
from tpm.register import gate


def log_vkey() -> str:
    """The log's verifier key as text, from the database alone; "" before there is one."""
    signed = LogCheckpoint.objects.exclude(vkey="").order_by("-size").values_list("vkey", flat=True).first()
    if signed:
        return str(signed)
    public_key = gate.certified_key(settings.LEDGER_LOG_KEY)
    return verifier_key(public_key).text if public_key else ""


def log_key_create() -> str:
    """Make the log's key unless it is there (PUB_R1_…); raises TpmError. For approved releases of the service only."""
    client = signer(settings.LEDGER_LOG_KEY).client
    try:
        return client.key_create(settings.LEDGER_LOG_KEY, policy="release").public_key_eosio
    except TpmRefused as error:
        if error.code != "policy_unavailable":
            raise
    return client.key_create(settings.LEDGER_LOG_KEY).public_key_eosio  # the service is not measured


def sign(text: str) -> tuple[str, str]:
    """Have the TPM sign a checkpoint's text; returns the note, and the key (vkey) that signed it. Raises TpmError.

    A key that is not there is made, unless the log was signed before: then it was lost, and a person has to know.
    """
    key = signer(settings.LEDGER_LOG_KEY)
    try:
        public_key = key.to_public()
    except TpmRefused as error:
        if error.code != "key_not_found" or LogCheckpoint.objects.exclude(vkey="").exists():
            raise
        public_key = log_key_create()
    known = verifier_key(public_key)
    der = b64decode(key.sign_der(hashlib.sha256(text.encode()).digest()))
    note = Note(text, (Signature(known.name, known.key_id, der),))
    if not verify(note, known):
        raise LogDiffers(f"the TPM service signed with another key than {known.text}", "key")
    return bytes(note).decode(), known.text
