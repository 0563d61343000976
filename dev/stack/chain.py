"""Gives the development stack its keys, its chain and its settings: what lies between the parts and the portal."""

import os

import httpx2

from dev.chain.keys import KeyPair
from dev.chain.setup import NOBODY, bootstrap, contract_pins, record_keys, write_genesis
from dev.cognito import Client, Person, Pool, Provider
from dev.common.files import ensure_secret, replace
from dev.common.steps import StackError
from dev.parts import tpm_release
from dev.parts.swtpm import tcti
from dev.parts.tpm_service import SCOPES
from dev.stack.layout import (
    CHAIN,
    COGNITO,
    GENESIS,
    LOG,
    PORTAL_ENV,
    SECRETS,
    TPM_RELEASE,
    TPM_RELEASE_KEY,
    TPM_SOCKET,
    VAR,
    Ports,
    read_settings,
    write_settings,
)
from dev.stack.master_key import ensure_recovery_key
from tpm.client import TpmClient, TpmError, TpmRefused
from tpm.service.release.release_key import public_path
from tpm.service.release.strict_json import ReleaseError
from tpm.tokens import ClientCredentials

LEDGER_KEY = "ledger"
DATABASE_URL = "EVPORTAL_DATABASE_URL"
CHAIN_ID = "EVPORTAL_LEDGER_CHAIN_ID"
RECOVERY_KEY = SECRETS / "ledger_recovery_key.pem"  # in production on a machine that is offline
DEMO_PEOPLE = {"driver": "customer", "operator": "operator", "auditor": "auditor", "admin": "admin"}  # name: group
# Who runs the demo, for pages and papers: made up, and seen to be.
DEMO_OPERATOR = {
    "EVPORTAL_OPERATOR_NAME": "EVPortal demo",
    "EVPORTAL_OPERATOR_ADDRESS": "1 Example Street|Anytown|United States",
    "EVPORTAL_OPERATOR_CONTACT": "charging@example.org",
    "EVPORTAL_OPERATOR_VAT_ID": "DEMO-000000000",
}
OFFLINE_KEYS = ("producer", "owner", "active", "prune")


def chain_key(name: str) -> KeyPair:
    """The chain's key pair of this name, made at first; in production these are offline."""
    return KeyPair.ensure(SECRETS / f"chain_{name}.json")


def make_secrets() -> None:
    """Make what is missing of genesis and keys; what is there is never replaced."""
    keys = {name: chain_key(name) for name in OFFLINE_KEYS}
    ensure_recovery_key(RECOVERY_KEY)
    if not GENESIS.exists():
        if (CHAIN / "producer" / "blocks" / "blocks.log").exists():
            raise StackError(f"{GENESIS} is gone, but its chain is there. Put it back, or delete {VAR} to begin anew.")
        write_genesis(GENESIS, keys["producer"].public)


def portal_client() -> Client:
    """The portal's app client at the identity provider."""
    return Pool(COGNITO).ensure_client("portal", SCOPES)


def login_client(ports: Ports) -> Client:
    """The app client through which people log in to the portal, at the addresses that the demo has."""
    return Pool(COGNITO).ensure_login_client(ports.url("WEB"), ports.url("WEB").replace("127.0.0.1", "localhost"))


def demo_people() -> list[Person]:
    """One person for each role, each with the random password in var/secrets."""
    pool = Pool(COGNITO)
    return [pool.ensure_person(name, demo_password(name), groups=[group]) for name, group in DEMO_PEOPLE.items()]


def provider(ports: Ports) -> Provider:
    """The addresses of the identity provider (honcho runs it, not this object)."""
    return Provider(COGNITO, ports["COGNITO"], log=LOG / "cognito.log")


def stack_environment(ports: Ports) -> dict[str, str]:
    """The settings of the Procfile: ports, and the TPM service's own (tpm/service/settings.py)."""
    cognito = provider(ports)
    return {
        **{f"{name}_PORT": str(port) for name, port in ports.by_name.items()},
        "TPM_TCTI": tcti(TPM_SOCKET),
        "TPM_KEY_DIR": str(VAR / "tpm" / "keys"),
        "TPM_TOKEN_ISSUER": cognito.issuer,
        "TPM_JWKS_URL": cognito.jwks_url,
        "TPM_ALLOWED_CLIENTS": portal_client().client_id,
        "TPM_RELEASE_KEY": str(public_path(TPM_RELEASE_KEY)),
    }


def make_tpm_release() -> None:
    """Make the release that the TPM service runs, signed with the demo's release key; nothing when it is up to date.

    The service must not be running: it would see its files change. Raises StackError.
    """
    try:
        tpm_release.build(TPM_RELEASE, release_key=TPM_RELEASE_KEY)
    except ReleaseError as error:
        raise StackError(f"cannot make the release of the TPM service: {error}") from error


def ledger_keys(ports: Ports) -> list[str]:
    """Public keys of the TPM's signing keys (PUB_R1_…): the ledger's first one, made at first, then the later ones."""
    app = portal_client()
    credentials = ClientCredentials(provider(ports).token_url, app.client_id, app.client_secret, SCOPES)
    try:
        return signing_keys(TpmClient(ports.url("TPM"), credentials))
    except TpmError as error:
        raise StackError(f"the TPM service gave no key: {error}") from error


def signing_keys(client: TpmClient) -> list[str]:
    """The same; the first one may be there with another policy: demos made before there were policies go on."""
    try:
        first = client.key_get(LEDGER_KEY)
    except TpmRefused as error:
        if error.code != "key_not_found":
            raise
        first = client.key_create(LEDGER_KEY, policy="release")
    return [first.public_key_eosio, *(key.public_key_eosio for key in client.key_list() if key.public_key_eosio)]


def set_up_chain(ports: Ports, tpm_keys: list[str]) -> str:
    """Contract, account and permissions, as far as missing, given away; returns the TPM's key that may `record`.

    That is the first one, or the one that the ledger was rotated to.
    """
    bootstrap(
        ports.url("NODEOS"),
        producer_key=chain_key("producer"),
        owner_key=chain_key("owner"),
        active_key=chain_key("active"),
        record_public_key=tpm_keys[0],
        rotated_public_keys=tpm_keys,
        prune_public_key=chain_key("prune").public,
        give_away=True,
    )
    return next(key for key in record_keys(ports.url("NODEOS")) if key in tpm_keys)


def chain_id(ports: Ports) -> str:
    """The id of the running chain; raises StackError when the portal's records are on another one."""
    found = str(httpx2.get(ports.url("NODEOS") + "/v1/chain/get_info", timeout=10).json()["chain_id"])
    pinned = read_settings(PORTAL_ENV).get(CHAIN_ID, found)
    if pinned != found:
        raise StackError(
            f"The database's records are on chain {pinned}, but the one in {CHAIN} is {found}.\n"
            f"Put the old {CHAIN} back, or delete {VAR} to begin anew (all that is recorded there is lost then)."
        )
    return found


def write_portal_settings(ports: Ports, found_chain_id: str) -> None:
    """Write var/env, which the portal and every `manage.py` read (evportal/env.py)."""
    client = portal_client()
    secret = SECRETS / "tpm_client_secret"
    replace(secret, client.client_secret)
    login, login_secret = login_client(ports), SECRETS / "oidc_client_secret"
    replace(login_secret, login.client_secret)
    settings = {
        "EVPORTAL_REDIS_URL": f"redis://127.0.0.1:{ports['REDIS']}/0",
        "EVPORTAL_LEDGER_NODES": f"{ports.url('NODEOS')},{ports.url('READER')}",
        CHAIN_ID: found_chain_id,
        "EVPORTAL_LEDGER_KEY": LEDGER_KEY,
        "EVPORTAL_LEDGER_OWNER_KEY": NOBODY,
        "EVPORTAL_LEDGER_ACTIVE_KEY": NOBODY,
        "EVPORTAL_LEDGER_PRUNE_KEY": chain_key("prune").public,
        **contract_pins(ports.url("NODEOS"), read_settings(PORTAL_ENV)),
        "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE": str(ensure_recovery_key(RECOVERY_KEY)),
        "EVPORTAL_LEDGER_MASTER_KEY_POLICY": master_key_policy(ports),
        "EVPORTAL_OIDC_ISSUER": provider(ports).issuer,
        "EVPORTAL_OIDC_DOMAIN": provider(ports).url,
        "EVPORTAL_OIDC_CLIENT_ID": login.client_id,
        "EVPORTAL_OIDC_CLIENT_SECRET_FILE": str(login_secret),
        "EVPORTAL_PUBLIC_URL": ports.url("WEB"),
        "EVPORTAL_OCPP_PUBLIC_URL": f"{ports.url('GATEWAY').replace('http', 'ws', 1)}/ocpp",
        "EVPORTAL_OCPI_COUNTRY_CODE": "US",
        "EVPORTAL_OCPI_PARTY_ID": "EVP",
        "EVPORTAL_OCPI_OPERATOR_NAME": DEMO_OPERATOR["EVPORTAL_OPERATOR_NAME"],
        **DEMO_OPERATOR,
        "EVPORTAL_OCPI_PARTNER_URLS": "any",  # a partner may run beside it
        "EVPORTAL_TPM_SERVICE_URL": ports.url("TPM"),
        "EVPORTAL_TPM_TOKEN_URL": provider(ports).token_url,
        "EVPORTAL_TPM_CLIENT_ID": client.client_id,
        "EVPORTAL_TPM_CLIENT_SECRET_FILE": str(secret),
    }
    database = os.environ.get(DATABASE_URL) or read_settings(PORTAL_ENV).get(DATABASE_URL)
    if database:
        settings[DATABASE_URL] = database
    write_settings(PORTAL_ENV, "written by `make demo` at each run", settings)


def master_key_policy(ports: Ports) -> str:
    """Sealed for approved releases of the TPM service, unless it runs without being measured."""
    try:
        integrity = TpmClient(ports.url("TPM"), lambda: "").health().get("integrity")
    except TpmError as error:
        raise StackError(f"the TPM service does not tell its health: {error}") from error
    return "none" if integrity in (None, "unmeasured") else "release"


def demo_password(name: str) -> str:
    """The password of a demo login, random, kept in var/secrets."""
    return ensure_secret(SECRETS / f"demo_password_{name}")
