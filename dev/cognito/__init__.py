"""An identity provider of the shape of Amazon Cognito, on Authlib and Flask, for development and tests.

`python -m dev.cognito --port N --dir DIR [--listen ADDRESS] [--url URL] [--domain URL]` serves, with the pool as a path
(it is one of Cognito's issuer URL):

    GET  /{pool}/.well-known/openid-configuration
    GET  /{pool}/.well-known/jwks.json
    GET  /oauth2/authorize  code flow with PKCE (S256; here it is demanded, Cognito lets a client leave it out)
    GET, POST /login        the page where a person gives name and password
    GET  /logout            client_id and logout_uri, as Cognito's own
    POST /oauth2/token      authorization_code, refresh_token, client_credentials; client with Basic or in the body
    GET  /oauth2/userInfo
    POST /oauth2/revoke     a refresh token, and what came from it

`--url` is where programs reach it, `--domain` where browsers do, as Cognito has two addresses, too.

DIR holds signing key, clients, people and refresh tokens; what is missing is made at the start with random secrets,
mode 0600. All of it is read at each request: `Pool.rotate_key`, `Pool.fail`, `Pool.heal` and `Pool.ensure_user` work on
the running provider, from outside.

    pool.py  what is kept in DIR     tokens.py  claims      grants.py  Authlib's grants
    pages.py  what people see        app.py     the Flask application      provider.py  it as a child process

Who only starts it needs no Flask: app.py is imported by the process that serves.
"""

from dev.cognito.pool import Client, Failure, Person, Pool
from dev.cognito.provider import Provider
from dev.cognito.tokens import POOL, access_claims, sign_token

__all__ = [
    "POOL",
    "Client",
    "Failure",
    "Person",
    "Pool",
    "Provider",
    "access_claims",
    "sign_token",
]
