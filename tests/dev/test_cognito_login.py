"""The development provider and moto's imitation of Cognito, whose makers do not know each other, held to one interface.

That is what the portal's own verifier takes, and which claims a person's tokens have.
"""

from collections.abc import Iterator

import jwt
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.login import identity
from accounts.login.errors import LoginRefusedError
from dev.cognito import Person, Provider
from tests.accounts.login.conftest import PASSWORD, Login, anna  # noqa: F401 - a fixture
from tests.conftest import allow_addresses
from tests.environment import COGNITO_CLIENT
from tests.tpm.service.door.test_moto import Moto, moto  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.provider]
# moto leaves out what it has no use for; Cognito's own list is in Amazon's developer guide (ID token, access token).
ID = {"sub", "aud", "iss", "token_use", "exp", "iat", "auth_time", "jti", "cognito:username"}
ACCESS = {"sub", "iss", "token_use", "exp", "iat", "auth_time", "jti", "client_id", "username"}


@pytest.fixture
def ours(client: Client, cognito: Provider, anna: Person) -> Iterator[identity.Tokens]:  # noqa: F811
    cache.clear()
    allow_addresses("http://testserver")
    login = Login.begin(client, cognito)
    form = {"grant_type": "authorization_code", "code": login.at_provider()["code"]}
    form |= {"redirect_uri": login.query["redirect_uri"]}
    state = client.session["oidc_states"][login.query["state"]]
    form |= {"code_verifier": state["code_verifier"], "client_id": COGNITO_CLIENT.client_id}
    tokens = identity.code_exchange(form | {"client_secret": COGNITO_CLIENT.client_secret})
    assert identity.id_token_verify(tokens.id_token, nonce=state["nonce"])["sub"] == anna.sub
    yield tokens


def claims(token: str) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_both_makers_tokens_have_the_same_claims(ours: identity.Tokens, moto: Moto) -> None:  # noqa: F811
    theirs = moto.tokens(moto.client_id)
    for token in (ours.id_token, theirs["IdToken"]):
        assert set(claims(token)) >= ID
        assert claims(token)["token_use"] == "id"
    for token in (ours.access_token, theirs["AccessToken"]):
        assert set(claims(token)) >= ACCESS
        assert claims(token)["token_use"] == "access"
    assert claims(ours.id_token)["email_verified"] is True


def test_the_portal_takes_motos_id_token_and_none_else(moto: Moto, settings: Settings) -> None:  # noqa: F811
    """Its discovery is not asked: moto's issuer is an address at Amazon."""
    settings.OIDC_ISSUER, settings.OIDC_RP_CLIENT_ID = moto.issuer, moto.client_id
    addresses = identity.Provider(moto.issuer, "", "", moto.jwks_url)
    known = pytest.MonkeyPatch()
    known.setattr(identity, "provider", lambda: addresses)
    try:
        tokens = moto.tokens(moto.client_id)
        sub = str(claims(tokens["IdToken"])["sub"])
        assert identity.id_token_verify(tokens["IdToken"], sub=sub)["cognito:username"] == "anna"
        for token in (
            tokens["AccessToken"],
            moto.tokens(moto.new_client())["IdToken"],
            tokens["IdToken"][:-8] + "AAAAAAAA",
        ):
            with pytest.raises(LoginRefusedError):
                identity.id_token_verify(token, sub=sub)
    finally:
        known.undo()


def test_refresh_tokens_are_hashed_and_can_be_revoked(ours: identity.Tokens, cognito: Provider) -> None:
    kept = (cognito.pool.directory / "refresh-tokens.json").read_text()
    assert ours.refresh_token not in kept
    assert claims(identity.tokens_renew(ours.refresh_token).id_token).get("nonce") is None
    cognito.pool.refresh_tokens_revoke(str(claims(ours.id_token)["origin_jti"]))
    with pytest.raises(LoginRefusedError, match="invalid_grant"):
        identity.tokens_renew(ours.refresh_token)


def test_passwords_are_hashed(cognito: Provider, anna: Person) -> None:  # noqa: F811
    assert PASSWORD not in (cognito.pool.directory / "people.json").read_text()
    assert cognito.pool.sign_in("anna", PASSWORD) == cognito.pool.person(anna.sub)
    assert cognito.pool.sign_in("anna", PASSWORD + " ") is None
