"""Which versions there are, by which name stations ask for them, and who handles what."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from gateway.ocpp.handling import V16, V21, V201, Call, Handler, ManyHandler

# By name, as Django has its apps: the server stands beside the versions, and needs nothing of what they need.
v2, v16 = import_module("gateway.ocpp.v2.handlers"), import_module("gateway.ocpp.v16.handlers")
composing_v2, composing_v16 = import_module("gateway.ocpp.v2.composing"), import_module("gateway.ocpp.v16.composing")

# The best first.
SUBPROTOCOLS = {"ocpp2.1": V21, "ocpp2.0.1": V201, "ocpp1.6": V16}
HANDLERS: Mapping[str, Mapping[str, Handler]] = {V16: v16.HANDLERS, V201: v2.HANDLERS_201, V21: v2.HANDLERS_21}
MANY: Mapping[str, Mapping[str, ManyHandler]] = {V16: v16.MANY, V201: v2.MANY, V21: v2.MANY}

COMPOSING: Mapping[str, Any] = {V16: composing_v16, V201: composing_v2, V21: composing_v2}


def best_of(offered: list[str]) -> str | None:
    """The name of the best version that both know."""
    return next((name for name in SUBPROTOCOLS if name in offered), None)


def handler_of(call: Call) -> Handler | None:
    """Who handles one of these; None: it is not supported."""
    return HANDLERS[call.version].get(call.action)


def many_of(call: Call) -> ManyHandler | None:
    """Who handles this one together with others; None: it is answered alone."""
    many = MANY[call.version].get(call.action)
    return many if many is not None and many.takes(call) else None
