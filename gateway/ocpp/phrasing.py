"""What the composers of all versions share: payloads without what was not given, outcomes in words, secrets hidden."""

from collections.abc import Callable, Mapping
from typing import Any

from common import sealed_text
from common.sealed_text import SealedTextError
from gateway.ocpp.composing import Unsupported
from stations.commands.kinds import KINDS
from stations.models import Command, StationVariable

SECRET = StationVariable.SECRET

Payload = dict[str, Any]
# The OCPP action and the payload of its CALL. It may read the database, and note what it sends (stations/commands).
Composer = Callable[[Command], tuple[str, Payload]]
State = Command.State

# What a station answers to say yes; some of it later, or after its next start.
YES = frozenset({"Accepted", "AcceptedCanceled", "Scheduled", "RebootRequired", "Unlocked", "Unpublished"})
WORDS_MAX = 500
NOT_SHOWN = "(not shown)"
TRANSACTION_MAX = 36  # of 2.x


def given(**members: Any) -> Payload:
    """A payload without what was not given: None, "" and empty lists."""
    return {name: value for name, value in members.items() if value is not None and value != "" and value != []}


def renamed(params: Mapping[str, Any], **names: str) -> Payload:
    """Members under OCPP's names, without what was not given: `renamed(params, evse_id="evseId")`."""
    return given(**{ocpp: params.get(ours) for ours, ocpp in names.items()})


def transaction_text(text: str) -> str:
    """The charge's number as the station gave it; raises Unsupported."""
    if len(text) > TRANSACTION_MAX:
        raise Unsupported(f"charges over OCPP 2 have numbers of at most {TRANSACTION_MAX} characters")
    return text


def unsealed(params: Mapping[str, Any]) -> str:
    """The secret that a command carries sealed."""
    return sealed_text.unseal(params["sealed"])


def status_outcome(payload: Mapping[str, Any]) -> tuple[State, str]:
    """By the answer's `status` and `statusInfo`; an answer without a status is a yes."""
    status = str(payload.get("status", ""))
    state = State.ACCEPTED if not status or status in YES else State.REJECTED
    return state, with_reason(status or "Accepted", payload.get("statusInfo"))


def with_reason(status: str, info: Any) -> str:
    """ "Rejected (NoProfile: there is none)"."""
    info = info if isinstance(info, dict) else {}
    reason = ": ".join(str(part) for part in (info.get("reasonCode"), info.get("additionalInfo")) if part)
    return (f"{status} ({reason})" if reason else status)[:WORDS_MAX]


def several(results: list[tuple[str, str]]) -> tuple[State, str]:
    """Of an answer about several things, (name, status) each: a yes if all are; the others are named."""
    wrong = [f"{name}: {status}" for name, status in results if status.split(" ")[0] not in YES]
    later = [name for name, status in results if status.startswith("RebootRequired")]
    if wrong:
        return State.REJECTED, "; ".join(wrong)[:WORDS_MAX]
    words = f"Accepted; after its next start: {', '.join(later)}" if later else "Accepted"
    return State.ACCEPTED, words[:WORDS_MAX]


def guarded(kind: str, composer: Composer | None, default: str) -> Composer:
    """The composer where the station's version has such a message; it says so where parameters are not whole."""

    def compose(command: Command) -> tuple[str, Payload]:
        version = command.station.ocpp_version or default
        if composer is None or version not in KINDS[kind].actions:
            raise Unsupported(f"OCPP {version} has no message for {kind}")
        try:
            return composer(command)
        except (KeyError, TypeError, ValueError, AttributeError, SealedTextError) as error:  # written by hand, or old
            raise Unsupported(f"its parameters cannot be read: {type(error).__name__} {error}"[:WORDS_MAX]) from error

    return compose


def hidden(command: Command, payload: Payload) -> Payload:
    """The payload as the log of messages may keep it: without the secret of a credential."""
    if command.kind != "set_credential":
        return payload
    return {name: _HIDDEN.get(name, content) for name, content in payload.items()}


def answer_hide(command: Command, payload: Payload, *, items: str, value: str) -> None:
    """Take secrets out of the answer that is kept with the command, where a station tells them that should not.

    `items`: which member lists what was read, `value`: where each has it.
    """
    told = payload.get(items) or []
    kept = [{**one, value: NOT_SHOWN} if value in one and _names_secret(one) else one for one in told]
    command.answer = {**payload, items: kept}
    command.save(update_fields=["answer"])


def _names_secret(one: Payload) -> bool:
    variable = one.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else one.get("key")
    return str(name).lower() in SECRET


_HIDDEN: Payload = {"value": NOT_SHOWN, "setVariableData": [{"attributeValue": NOT_SHOWN}]}
