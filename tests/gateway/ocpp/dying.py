"""`manage.py gateway` that dies by SIGKILL at chosen steps, and comes back each time.

    python -m tests.gateway.ocpp.dying PORT '[["StartTransaction", "handled"], …]'

Each life is a fork of this process, which has read all modules already. It ends at its step of the plan; the last one,
for which nothing is planned, lives until SIGTERM. "early" is no step but a fault: it answers, and has not committed.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

STEPS = ("read", "handled", "committed", "answered")
EARLY = "early"
PR_SET_PDEATHSIG = 1


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives it")


def name_of(text: str) -> str:
    """The action of a CALL, of a TransactionEvent the event; "" of anything else."""
    frame = json.loads(text)
    if frame[0] != 2:
        return ""
    return str(frame[3]["eventType"] if frame[2] == "TransactionEvent" else frame[2])


def arm(message: str, step: str) -> None:
    """Let this process die when it is at that step of such a message."""
    from gateway.ocpp.server import answering
    from gateway.ocpp.server.connection import Link, StationSocket
    from gateway.ocpp.server.log import Logged, logged_write

    called, send = Link._called, StationSocket.send
    links: list[tuple[Link, asyncio.AbstractEventLoop]] = []
    answers: list[str] = []

    async def dying_called(link: Link, frame: Any, text: str) -> str:
        if name_of(text) != message:
            return await called(link, frame, text)
        if step == "read":
            die()
        links.append((link, asyncio.get_running_loop()))
        answer = await called(link, frame, text)
        if step == "committed":
            die()
        answers.append(answer)
        return answer

    async def dying_send(socket: StationSocket, text: Any, *more: Any) -> None:
        await send(socket, text, *more)
        if step == "answered" and text in answers:
            die()

    def dying_write(frames: Iterable[Logged]) -> None:
        """The last that is done before the commit."""
        rows = list(frames)
        logged_write(rows)
        if step not in ("handled", EARLY) or not any(name_of(row.text) == message for row in rows):
            return
        if step == EARLY:
            link, loop = links[-1]
            asyncio.run_coroutine_threadsafe(send(link.socket, rows[-1].text), loop).result()
        die()

    setattr(Link, "_called", dying_called)  # noqa: B010
    setattr(StationSocket, "send", dying_send)  # noqa: B010
    setattr(answering, "logged_write", dying_write)  # noqa: B010


def live(port: int, planned: list[str]) -> NoReturn:
    """One life, in the fork."""
    from django.core.management import call_command

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if planned:
        arm(*planned)
    call_command("gateway", host="127.0.0.1", port=port)
    os._exit(0)


def main() -> None:
    import django

    django.setup()
    __import__("gateway.ocpp.server.process")
    port, plan = int(sys.argv[1]), json.loads(sys.argv[2])
    for planned in [*plan, []]:
        if not (pid := os.fork()):
            live(port, planned)
        signal.signal(signal.SIGTERM, lambda *_, pid=pid: os.kill(pid, signal.SIGTERM))
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            return
        print(f"died: {planned}", flush=True)


if __name__ == "__main__":
    main()
