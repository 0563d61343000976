"""The chain-setup of compose.yaml, in its container: the ledger's key in the TPM, contract and permissions.

Writes the chain's id, the contract's pins, and the public key, to /run/portal/env, where the portal reads them. Run
again, it looks what is there and changes nothing; a chain of another id than the one written is refused.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from dev.chain.keys import KeyPair
from dev.chain.setup import ChainError, bootstrap, contract_pins, record_keys
from dev.chain.transactions import call
from dev.common.files import replace
from dev.common.steps import run
from dev.stack.layout import read_settings
from tpm.client import TpmClient, TpmError
from tpm.tokens import ClientCredentials

NODE = "http://nodeos:8888"
SECRETS = Path("/run/secrets")
PORTAL_ENV = Path("/run/portal/env")
CHAIN_ID = "EVPORTAL_LEDGER_CHAIN_ID"
PUBLIC_KEY = "EVPORTAL_LEDGER_PUBLIC_KEY"  # for people, who publish it
LEDGER_KEY = "ledger"
SCOPES = ("tpm/keys", "tpm/sign")
ATTEMPTS = 20
RETRY_S = 1.0


def main() -> None:
    public_key, *others = ledger_keys()
    keys = {name: KeyPair.load(SECRETS / f"chain_{name}") for name in ("producer", "owner", "active", "prune")}
    bootstrap(
        NODE,
        producer_key=keys["producer"],
        owner_key=keys["owner"],
        active_key=keys["active"],
        record_public_key=public_key,
        rotated_public_keys=others,
        prune_public_key=keys["prune"].public,
    )
    remember(
        str(call(NODE, "chain/get_info")["chain_id"]),
        ", ".join(record_keys(NODE)),
        contract_pins(NODE, read_settings(PORTAL_ENV)),
    )


def ledger_keys() -> list[str]:
    """Public keys of the TPM's signing keys (PUB_R1_…): the ledger's first one, made at first, then the later ones.

    The service may need a moment after its start.
    """
    secret = (SECRETS / "setup_tpm_client_secret").read_text()
    client_id = os.environ["EVPORTAL_TPM_CLIENT_ID"]
    credentials = ClientCredentials(os.environ["EVPORTAL_TPM_TOKEN_URL"], client_id, secret, SCOPES)
    client = TpmClient(os.environ["EVPORTAL_TPM_SERVICE_URL"], credentials)
    for attempt in range(ATTEMPTS):
        try:
            first = client.key_create(LEDGER_KEY, policy="release").public_key_eosio
            return [first, *(key.public_key_eosio for key in client.key_list() if key.public_key_eosio)]
        except TpmError as error:
            if error.permanent or attempt == ATTEMPTS - 1:
                raise
            time.sleep(RETRY_S)
    raise AssertionError("unreachable")


def remember(chain_id: str, public_key: str, pins: Mapping[str, str]) -> None:
    """Pin the chain and the contract; raises ChainError when the portal's records are on another one."""
    line = f"{CHAIN_ID}={chain_id}\n"
    text = PORTAL_ENV.read_text() if PORTAL_ENV.exists() else ""
    if CHAIN_ID in text and line not in text:
        raise ChainError(0, f"the portal's records are on another chain than {chain_id}: {text.strip()}")
    pinned = "".join(f"{name}={value}\n" for name, value in pins.items())
    content = f"# written by chain-setup at each start\n{PUBLIC_KEY}={public_key}\n{line}{pinned}"
    replace(PORTAL_ENV, content, mode=0o644)
    print(f"chain {chain_id}, key {public_key}")


if __name__ == "__main__":
    run(main, ChainError, TpmError, OSError)
