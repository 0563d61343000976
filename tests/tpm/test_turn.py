"""Turns at the TPM: first come first served, bounded, with deadlines, and a batch cannot starve the others."""

import threading
import time
from collections.abc import Callable

import pytest

from tpm.service.errors import QueueDeadlineError, QueueFullError
from tpm.service.turn import Turn


def waiting(turn: Turn, work: Callable[[], None], *, admitted: bool = False) -> threading.Thread:
    """Start a thread that waits for its turn to work; returns when it is in the queue."""
    before = len(turn._waiting)

    def wait() -> None:
        with turn.hold(admitted=admitted):
            work()

    thread = threading.Thread(target=wait)
    thread.start()
    while len(turn._waiting) == before:
        time.sleep(0.001)
    return thread


def test_first_come_first_served() -> None:
    turn = Turn(places=8, deadline_s=10)
    order: list[int] = []
    with turn.hold():
        threads = [waiting(turn, lambda number=number: order.append(number)) for number in range(8)]  # type: ignore[misc]
        assert order == []
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_batchs_next_part_goes_behind_those_who_wait() -> None:
    turn = Turn(places=1, deadline_s=10)
    order: list[str] = []
    with turn.hold():
        first = waiting(turn, lambda: order.append("single"))
        with pytest.raises(QueueFullError, match="1 requests wait"), turn.hold():
            pass
        second = waiting(turn, lambda: order.append("next part"), admitted=True)
    first.join()
    second.join()
    assert order == ["single", "next part"]


def test_deadline_frees_the_place() -> None:
    turn = Turn(places=1, deadline_s=0.05)
    with turn.hold():
        for _ in range(3):
            with pytest.raises(QueueDeadlineError, match=r"waited 0\.05 s"), turn.hold():
                pass
    with turn.hold():
        pass


def test_a_failure_passes_the_turn_on() -> None:
    turn = Turn(places=1, deadline_s=1)
    with pytest.raises(ZeroDivisionError), turn.hold():
        _ = 1 / 0
    with turn.hold():
        pass


def test_never_two_at_once() -> None:
    """8 threads take 200 turns each, with deadlines so short that some give up at the very moment they are served."""
    turn = Turn(places=8, deadline_s=0.0005)
    inside = 0
    most = 0
    served = 0

    def work() -> None:
        nonlocal inside, most, served
        for _ in range(200):
            try:
                with turn.hold():
                    inside += 1
                    most = max(most, inside)
                    time.sleep(0.0001)
                    served += 1
                    inside -= 1
            except (QueueDeadlineError, QueueFullError):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert served > 0
    with turn.hold():
        assert not turn._waiting
