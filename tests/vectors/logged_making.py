"""Making cases of `evportal-receipt/3`."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from tests.vectors.chain import Json
from tests.vectors.log_world import AUDITOR, CLUB, LOG_KEY, LogWorld, producer_public
from tests.vectors.making import SILENT, case

LOGGED = LogWorld()
PINNED: Json = {"log_key": LOG_KEY.vkey, "witnesses": [CLUB.vkey, AUDITOR.vkey], "quorum": None}
UNPINNED: Json = {"log_key": None, "witnesses": [], "quorum": None}
NOT_ASKED = dict.fromkeys((3, 10, 11), "not asked")
NO_CHAIN = dict.fromkeys(range(3, 12), "not asked")
NONE = {"log": None, "producer_key": None}
Change = Callable[[Json], object]


def notices_of(logged: LogWorld, **changed: Any) -> Json:
    return {"log": logged.notice(), "producer_key": producer_public() if logged.producer else None, **changed}


def offline_case(
    name: str,
    why: str,
    logged: LogWorld = LOGGED,
    *,
    receipt: Json | None = None,
    steps: Mapping[int, str] | None = None,
    notices: Json | None = None,
    **pins: Any,
) -> Json:
    said = {**SILENT, **notices_of(logged), **(notices or {})}
    return case(
        f"logged-{name}",
        why,
        world=logged.world,
        receipt=logged.receipt() if receipt is None else receipt,
        nodes=[],
        steps={**NOT_ASKED, **(steps or {})},
        notices=said,
        count=15,
        offline=True,
        **{**PINNED, **pins},
    )


def online_case(name: str, why: str, logged: LogWorld = LOGGED, **more: Any) -> Json:
    said = {**notices_of(logged), **more.pop("notices", {})}
    content = more.pop("receipt", None) or logged.receipt()
    pins = {**PINNED, **{pin: more.pop(pin) for pin in PINNED if pin in more}}
    count = 15 if content["log"] else 12
    return case(f"logged-{name}", why, world=logged.world, receipt=content, count=count, notices=said, **pins, **more)


def changed_receipt(change: Change, logged: LogWorld = LOGGED) -> Json:
    content = copy.deepcopy(logged.receipt())
    change(content)
    return content
