"""What a token may be used for. Cognito says `evportal/sessions.read`, a personal token `sessions.read`.

A scope opens a kind of request and never a row: which rows, and whether to write, is the caller's own right.
"""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

RESOURCE_SERVER = "evportal"
SCOPES = {
    "sessions.read": _("Read charging sessions, their meter values, receipts and proofs"),
    "stations.read": _("Read sites, stations and connectors"),
    "stations.write": _("Add and change sites, stations and connectors (operators)"),
    "stations.command": _("Ask stations to do something, and read what became of it (operators)"),
    "tokens.read": _("Read cards and contracts"),
    "tariffs.read": _("Read tariffs"),
    "tariffs.write": _("Add and change tariffs (operators)"),
    "statements.read": _("Read monthly sums"),
    "profile.read": _("Read who you are"),
    "profile.write": _("Change your language and time zone"),
    "webhooks.read": _("Read webhooks and their deliveries"),
    "webhooks.write": _("Add, change and remove webhooks"),
    "ledger.read": _("Read how recording on the chain goes"),
}
# What a token has where nobody chose: reading, nothing else.
READING = tuple(name for name in SCOPES if name.endswith(".read"))


def from_cognito(scope: object) -> frozenset[str]:
    """The scopes of ours in a Cognito token's `scope` claim; those of other resource servers are not ours."""
    names = str(scope or "").split()
    found = {name.removeprefix(f"{RESOURCE_SERVER}/") for name in names if name.startswith(f"{RESOURCE_SERVER}/")}
    return frozenset(found & SCOPES.keys())


def known(names: Iterable[str]) -> list[str]:
    """These names in the order of SCOPES, each once; raises ValueError for one that there is not."""
    wanted = set(names)
    if unknown := sorted(wanted - SCOPES.keys()):
        raise ValueError(f"expected scopes of {', '.join(SCOPES)}, got {unknown[0][:40]!a}")
    return [name for name in SCOPES if name in wanted]
