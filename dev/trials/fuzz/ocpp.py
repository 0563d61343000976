"""Says made-up OCPP messages to a gateway: each is answered, or its connection closed (`make fuzz-ocpp`)."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from websockets.exceptions import ConnectionClosed

ANSWER_S = 5.0


def told(open_one: Any, texts: Iterable[str], *, version: str) -> Counter[str]:
    """Say each; returns how often it was answered with what: RESULT, a code, "closed", or "" for what is an answer.

    Raises TimeoutError where one stays without an answer. `open_one()` makes a connection, also after one was closed.
    """
    found: Counter[str] = Counter()
    socket = open_one()
    for text in texts:
        try:
            socket.send(text)
            if is_unanswered(text, version):  # nobody answers answers; the next message shows that it goes on
                found[""] += 1
                continue
            frame = _answer(socket, text)
            found["RESULT" if frame[0] == 3 else frame[2]] += 1
        except ConnectionClosed:
            found["closed"] += 1
            socket = open_one()
    socket.close()
    return found


def _answer(socket: Any, text: str) -> Any:
    """The next frame that is no CALL; those are refused."""
    try:
        while (frame := json.loads(socket.recv(ANSWER_S)))[0] == 2:
            socket.send(json.dumps([4, frame[1], "NotSupported", "", {}]))
    except TimeoutError as error:
        raise TimeoutError(f"no answer to {text[:300]!r}") from error
    return frame


def is_unanswered(text: str, version: str) -> bool:
    """What OCPP-J gives no answer to: answers, and in 2.1 SEND."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    kinds = (3, 4, 5, 6) if version == "2.1" else (3, 4)
    return isinstance(said, list) and len(said) in (3, 4, 5) and said[0] in kinds and isinstance(said[1], str)
