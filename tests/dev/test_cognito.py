"""The development provider issues what Cognito issues, to those who have the secret and for scopes that they have."""

from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import httpx2
import jwt
import pytest

from dev.cognito import Client, Failure, Pool, Provider
from dev.common.processes import free_port


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    directory = tmp_path_factory.mktemp("cognito")
    provider = Provider(directory / "pool", free_port(), log=directory / "log")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def client(provider: Provider) -> Client:
    return provider.pool.ensure_client("portal", ["tpm/keys", "tpm/sign"])


def ask(provider: Provider, *, auth: tuple[str, str] | None = None, **form: str) -> httpx2.Response:
    return httpx2.post(provider.token_url, data={"grant_type": "client_credentials", **form}, auth=auth)


def test_a_token_has_cognitos_shape_and_verifies(provider: Provider, client: Client) -> None:
    answer = ask(provider, auth=(client.client_id, client.client_secret), scope="tpm/sign")
    assert answer.status_code == 200
    body = answer.json()
    token = body["access_token"]
    assert body == {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
    discovered = httpx2.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    key = jwt.PyJWKClient(discovered["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256"], issuer=discovered["issuer"])
    names = {"sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"}
    assert set(claims) == names
    assert claims["sub"] == claims["client_id"] == client.client_id
    assert (claims["token_use"], claims["scope"], claims["version"]) == ("access", "tpm/sign", 2)
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": key.key_id}


def test_credentials_in_the_body_and_all_scopes_when_none_is_named(provider: Provider, client: Client) -> None:
    answer = ask(provider, client_id=client.client_id, client_secret=client.client_secret)
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["scope"] == "tpm/keys tpm/sign"


def test_what_is_refused(provider: Provider, client: Client) -> None:
    good = (client.client_id, client.client_secret)
    assert ask(provider, auth=(client.client_id, "guess")).json()["error"] == "invalid_client"
    assert ask(provider, auth=("nobody", "guess")).json()["error"] == "invalid_client"
    assert ask(provider).json()["error"] == "invalid_client"
    foreign = ask(provider, auth=good, scope="tpm/sign tpm/attest")
    assert (foreign.status_code, foreign.json()["error"]) == (400, "invalid_scope")
    other = httpx2.post(provider.token_url, data={"grant_type": "password"}, auth=good)
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")


def test_secrets_are_random_private_and_kept(provider: Provider, client: Client, tmp_path: Path) -> None:
    names = [path.name for path in provider.pool.directory.iterdir() if path.name != ".lock"]
    assert sorted(names) == ["clients.json", "signing-key.pem"]
    for name in names:
        assert S_IMODE((provider.pool.directory / name).stat().st_mode) == 0o600
    assert provider.pool.ensure_client("portal", client.scopes) == client
    elsewhere = Pool(tmp_path / "other").ensure_client("portal", client.scopes)
    assert elsewhere.client_id != client.client_id
    assert elsewhere.client_secret != client.client_secret
    before = httpx2.get(provider.jwks_url).json()
    provider.stop()
    provider.start()
    assert httpx2.get(provider.jwks_url).json() == before


def test_keys_rotate_while_it_runs(provider: Provider, client: Client) -> None:
    """The key before stays published for the tokens that it signed, the one before that does not."""

    def kid_of_a_new_token() -> str:
        answer = ask(provider, auth=(client.client_id, client.client_secret))
        return str(jwt.get_unverified_header(answer.json()["access_token"])["kid"])

    def published() -> list[str]:
        return [key["kid"] for key in httpx2.get(provider.jwks_url).json()["keys"]]

    first = kid_of_a_new_token()
    provider.pool.rotate_key()
    second = kid_of_a_new_token()
    assert first != second
    assert published() == [second, first]
    provider.pool.rotate_key()
    assert published() == [kid_of_a_new_token(), second]
    provider.pool.rotate_key(withdraw_old=True)
    assert published() == [kid_of_a_new_token()]
    assert set(httpx2.get(provider.jwks_url).json()["keys"][0]) == {"kty", "n", "e", "kid", "use", "alg"}


def test_it_fails_on_demand(provider: Provider, client: Client) -> None:
    good = (client.client_id, client.client_secret)
    asked = provider.asked("jwks.json")
    provider.pool.fail("jwks.json", Failure(500, "<html>"))
    provider.pool.fail("token", Failure(0, delay_s=0.3))
    try:
        broken = httpx2.get(provider.jwks_url)
        assert (broken.status_code, broken.text) == (500, "<html>")
        slow = ask(provider, auth=good)
        assert (slow.status_code, slow.elapsed.total_seconds() >= 0.3) == (200, True)
    finally:
        provider.pool.heal()
    assert httpx2.get(provider.jwks_url).status_code == 200
    assert provider.asked("jwks.json") == asked + 2


def test_lifetime_of_a_clients_tokens(provider: Provider) -> None:
    hasty = provider.pool.ensure_client("hasty", ["tpm/sign"], lifetime_s=300)
    body = ask(provider, auth=(hasty.client_id, hasty.client_secret)).json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert body["expires_in"] == claims["exp"] - claims["iat"] == 300
