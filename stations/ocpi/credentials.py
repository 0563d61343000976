"""PURE: the Credentials object of the registration, read strictly where we rely on it (mod_credentials).

Members that we do not know are left aside: OCPI lets parties add their own.
"""

import re
from dataclasses import dataclass
from typing import Any

from stations.ocpi.errors import Invalid
from stations.ocpi.forms import Version

ROLES = ("CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP")
ROLES_2_3_0 = tuple(role for role in ROLES if role != "HUB")  # a hub says its party in `hub_party_id` there
ROLES_MAX = 50
TOKEN = re.compile(r"[!-~]{1,64}")
URL = re.compile(r"https?://[!-~]{1,247}")


@dataclass(frozen=True)
class Role:
    role: str
    country_code: str
    party_id: str
    name: str

    @property
    def party(self) -> tuple[str, str]:
        return (self.country_code, self.party_id)

    @property
    def stored(self) -> dict[str, str]:
        return {"role": self.role, "country_code": self.country_code, "party_id": self.party_id, "name": self.name}


@dataclass(frozen=True)
class Credentials:
    """`token`: what we show there. `url`: its versions endpoint."""

    token: str
    url: str
    roles: tuple[Role, ...]


def credentials_read(data: Any, version: Version = Version.V2_2_1) -> Credentials:
    """The Credentials object of a request; raises Invalid naming the first member that is not as demanded."""
    members = _object("the body", data)
    roles, known = members.get("roles"), ROLES_2_3_0 if version == Version.V2_3_0 else ROLES
    if not isinstance(roles, list) or not 1 <= len(roles) <= ROLES_MAX:
        raise Invalid(f"roles: expected a list of 1 to {ROLES_MAX} roles")
    return Credentials(
        token=_text("token", members.get("token"), TOKEN, "1 to 64 printable characters of ASCII"),
        url=_text("url", members.get("url"), URL, "an http address of up to 255 characters"),
        roles=tuple(_role(f"roles.{position}", role, known) for position, role in enumerate(roles)),
    )


def _role(path: str, data: Any, known: tuple[str, ...]) -> Role:
    members = _object(path, data)
    details = _object(f"{path}.business_details", members.get("business_details"))
    if members.get("role") not in known:
        raise Invalid(f"{path}.role: expected one of {', '.join(known)}")
    country = _text(f"{path}.country_code", members.get("country_code"), re.compile("[A-Za-z]{2}"), "two letters")
    party = _text(f"{path}.party_id", members.get("party_id"), re.compile("[A-Za-z0-9]{3}"), "three letters or digits")
    name = details.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid(f"{path}.business_details.name: expected 1 to 100 printable characters")
    return Role(members["role"], country.upper(), party.upper(), name)


def _object(path: str, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Invalid(f"{path}: expected an object")
    return data


def _text(path: str, data: Any, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(data, str) or not pattern.fullmatch(data):
        raise Invalid(f"{path}: expected {expected}")
    return data
