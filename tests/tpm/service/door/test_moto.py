"""Tokens of another maker: those of moto's cognito-idp server, an imitation of Cognito by people who do not know us.

moto has no client credentials (there is no `/oauth2/token` in it), and its tokens are those of a person's sign-in, with
the scope `aws.cognito.signin.user.admin`. So none of them opens a door here; but the service tells its answers apart,
and says `insufficient_scope` only of a token whose signature, issuer, times, use and client are all right.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx2
import pytest

from dev.common.processes import Child, free_port, port_open
from dev.parts.tpm_service import TpmStack

pytestmark = pytest.mark.provider

REGION = "eu-central-1"
SERVER = """
import sys
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""
PASSWORD = "A driver's password 1"


@dataclass(frozen=True)
class Moto:
    """A pool of moto's with one app client and a user."""

    cognito: Any
    url: str
    pool: str
    client_id: str

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/{self.pool}/.well-known/jwks.json"

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{REGION}.amazonaws.com/{self.pool}"

    def tokens(self, client_id: str) -> dict[str, str]:
        """Sign in, and return AccessToken and IdToken."""
        answer = self.cognito.admin_initiate_auth(
            UserPoolId=self.pool,
            ClientId=client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "anna", "PASSWORD": PASSWORD},
        )
        result: dict[str, str] = answer["AuthenticationResult"]
        return result

    def new_client(self) -> str:
        answer = self.cognito.create_user_pool_client(UserPoolId=self.pool, ClientName="portal")
        return str(answer["UserPoolClient"]["ClientId"])


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    server = Child("moto", [sys.executable, "-c", SERVER, str(port)], log=log)
    server.start()
    try:
        server.wait_ready(lambda: port_open(port), timeout_s=30)
        url = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        cognito = boto3.client("cognito-idp", region_name=REGION, endpoint_url=url, **keys)
        pool = cognito.create_user_pool(PoolName="evportal")["UserPool"]["Id"]
        cognito.admin_create_user(UserPoolId=pool, Username="anna")
        cognito.admin_set_user_password(UserPoolId=pool, Username="anna", Password=PASSWORD, Permanent=True)
        yield Moto(cognito, url, pool, Moto(cognito, url, pool, "").new_client())
    finally:
        server.stop()


@pytest.fixture(scope="module")
def stack(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    """A TPM service that trusts moto's pool, and only it."""
    settings = {
        "TPM_JWKS_URL": moto.jwks_url,
        "TPM_TOKEN_ISSUER": moto.issuer,
        "TPM_ALLOWED_CLIENTS": moto.client_id,
    }
    stack = TpmStack(tmp_path_factory.mktemp("tpm"), settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def call(stack: TpmStack, token: str) -> tuple[int, str, str]:
    """Return status, code and detail of the service's answer."""
    answer = httpx2.get(f"{stack.service_url}/v1/keys", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    problem = answer.json()
    return answer.status_code, problem["code"], problem["detail"]


def test_access_token_is_genuine_but_opens_nothing(moto: Moto, stack: TpmStack) -> None:
    token = moto.tokens(moto.client_id)["AccessToken"]
    assert call(stack, token) == (403, "insufficient_scope", "expected a token with scope 'tpm/keys'")


def test_id_token(moto: Moto, stack: TpmStack) -> None:
    """It has no `client_id`, as Cognito's do not: `aud` is not taken for it."""
    status, code, _ = call(stack, moto.tokens(moto.client_id)["IdToken"])
    assert (status, code) == (401, "token_invalid")


def test_changed_and_foreign_tokens(moto: Moto, stack: TpmStack) -> None:
    head, body, signature = moto.tokens(moto.client_id)["AccessToken"].split(".")
    assert call(stack, f"{head}.{body}.{signature[:-8]}AAAAAAAA")[:2] == (401, "token_invalid")
    assert call(stack, f"{head}.{body}.")[:2] == (401, "token_invalid")
    ours = stack.credentials(stack.portal, ["tpm/keys"])()
    assert call(stack, ours) == (401, "token_invalid", "kid: no such key")


def test_another_client_of_the_pool(moto: Moto, stack: TpmStack) -> None:
    token = moto.tokens(moto.new_client())["AccessToken"]
    assert call(stack, token)[:2] == (403, "client_not_allowed")


def test_another_pool_with_the_same_key(moto: Moto, stack: TpmStack) -> None:
    """moto signs for all its pools with one key: only the issuer tells them apart."""
    pool = moto.cognito.create_user_pool(PoolName="other")["UserPool"]["Id"]
    other = Moto(moto.cognito, moto.url, pool, "")
    moto.cognito.admin_create_user(UserPoolId=pool, Username="anna")
    moto.cognito.admin_set_user_password(UserPoolId=pool, Username="anna", Password=PASSWORD, Permanent=True)
    assert call(stack, other.tokens(other.new_client())["AccessToken"]) == (
        401,
        "token_invalid",
        "not a valid access token (InvalidIssuerError)",
    )
    assert httpx2.get(other.jwks_url).json() == httpx2.get(moto.jwks_url).json()


def test_names_of_scopes_fit_a_resource_server_of_cognito(moto: Moto) -> None:
    """By the model that Amazon publishes with boto3: the names that the service uses are names that Cognito takes."""
    shape = moto.cognito.meta.service_model.shape_for("ResourceServerScopeNameType")
    names = ["keys", "sign", "crypto", "seal", "attest", "sign:ledger", "seal:" + "z" * 63]
    for name in names:
        assert re.fullmatch(shape.metadata["pattern"], name)
        assert len(name) <= shape.metadata["max"]
    assert not re.fullmatch(shape.metadata["pattern"], "sign/ledger")
    answer = moto.cognito.create_resource_server(
        UserPoolId=moto.pool,
        Identifier="tpm",
        Name="TPM service",
        Scopes=[{"ScopeName": name, "ScopeDescription": name} for name in names],
    )
    assert [scope["ScopeName"] for scope in answer["ResourceServer"]["Scopes"]] == names


def test_moto_still_has_no_client_credentials(moto: Moto) -> None:
    """The day this fails, the tests above can be done with the tokens that the service is made for."""
    form = {"grant_type": "client_credentials", "client_id": moto.client_id}
    assert httpx2.post(f"{moto.url}/oauth2/token", data=form).status_code != 200
