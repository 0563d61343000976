"""Turns at the TPM: bounded, with deadlines, fair between clients, and nobody who floods can starve the others."""

import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import TpmStack
from tpm.client import TpmError
from tpm.service.device.device import Device
from tpm.service.errors import QueueDeadlineError, QueueFullError
from tpm.service.turn import Turn, caller


def waiting(turn: Turn, work: Callable[[], None], *, client: str = "", admitted: bool = False) -> threading.Thread:
    """Start a thread that waits for its turn to work; returns when it is in the queue."""
    before = turn.waiting

    def wait() -> None:
        with turn.hold(client=client, admitted=admitted):
            work()

    thread = threading.Thread(target=wait)
    thread.start()
    while turn.waiting == before:
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
        with pytest.raises(QueueFullError, match="1 requests of this client"), turn.hold(client=""):
            pass
        second = waiting(turn, lambda: order.append("next part"), admitted=True)
    first.join()
    second.join()
    assert order == ["single", "next part"]


def test_clients_take_turns_and_each_has_its_places() -> None:
    """The flood comes first and takes all its places; the others have theirs, and wait for one turn of each."""
    turn = Turn(places=3, deadline_s=10)
    order: list[str] = []
    with turn.hold(client="flood"):
        threads = [waiting(turn, lambda: order.append("flood"), client="flood") for _ in range(3)]
        with pytest.raises(QueueFullError, match="3 requests of this client"), turn.hold(client="flood"):
            pass
        for name in ("single", "other", "single"):
            threads.append(waiting(turn, lambda name=name: order.append(name), client=name))  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == ["flood", "single", "other", "flood", "single", "flood"]


def test_a_client_that_gave_up_is_not_waited_for() -> None:
    turn = Turn(places=3, deadline_s=10)
    order: list[str] = []
    with turn.hold(client="a"):
        with pytest.raises(QueueDeadlineError), turn.hold(client="b", deadline_s=0.01):
            pass
        thread = waiting(turn, lambda: order.append("c"), client="c")
    thread.join()
    assert order == ["c"]
    assert turn.waiting == 0


class CountedQueues(OrderedDict[str, deque[threading.Lock]]):
    """A turn's queues; counts, under the turn's own lock, the turns passed on until the client `single` had one."""

    def __init__(self) -> None:
        super().__init__()
        self.passed, self.since, self.waits = 0, 0, list[int]()

    def setdefault(self, client: str, default: deque[threading.Lock]) -> deque[threading.Lock]:
        if client == "single":
            self.since = self.passed
        return super().setdefault(client, default)

    def popitem(self, last: bool = True) -> tuple[str, deque[threading.Lock]]:
        client, queue = super().popitem(last)
        self.passed += 1
        if client == "single":
            self.waits.append(self.passed - self.since)
        return client, queue


def test_single_signs_beside_a_flood_of_batches(tmp_path: Path) -> None:
    """On a real TPM: eight threads of one client sign batches of 256 without end, the other client's single signs
    have the second turn that is passed on at the latest (after one of the flood), where one queue for all makes it 8.
    """
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    turn, queues = Turn(places=16, deadline_s=60), CountedQueues()
    turn._waiting = queues
    device = Device(swtpm.tcti, turn)
    done = threading.Event()

    def flood() -> None:
        caller.set("flood")
        while not done.is_set():
            device.sign(flooding, digests)

    try:
        flooding, single = (device.create_key("ecc-p256", "sign", bytes([n]) * 32) for n in range(2))
        digests = [secrets.token_bytes(32) for _ in range(256)]
        with ThreadPoolExecutor(8) as threads:
            floods = [threads.submit(flood) for _ in range(8)]
            caller.set("single")
            try:
                while turn.waiting < 7:
                    time.sleep(0.001)
                while len(queues.waits) < 100:
                    device.sign(single, digests[:1])
            finally:
                done.set()
        for running in floods:
            running.result()
    finally:
        caller.set("")
        device.close()
        swtpm.stop()
    assert max(queues.waits) <= 2


def test_a_neighbour_beside_a_flood_over_rest(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One client floods a service of four places with batches and is turned away; the other never is."""
    stack = TpmStack(tmp_path_factory.mktemp("flood"), {"TPM_QUEUE_PLACES": "4"})
    done = threading.Event()
    flooded: Counter[str] = Counter()

    def flood() -> None:
        client = stack.client()
        while not done.is_set():
            try:
                client.sign_batch("ledger", [bytes(32)] * 64)
                flooded["signed"] += 1
            except TpmError as error:
                flooded[error.code] += 1
                time.sleep(0.05)  # or this process does nothing else
        client.close()

    try:
        stack.start()
        stack.client().key_create("ledger")
        neighbour = stack.client(stack.neighbour)
        with ThreadPoolExecutor(12) as threads:
            floods = [threads.submit(flood) for _ in range(12)]
            try:
                answered = 0
                while answered < 20 or not {"signed", "queue_full"} <= set(flooded):
                    assert neighbour.sign("ledger", secrets.token_bytes(32)).startswith("SIG_R1_")
                    assert stack.health_status() == 200
                    answered += bool(flooded["queue_full"])  # from then on it is a flood
            finally:
                done.set()
        for running in floods:
            running.result()
    finally:
        stack.stop()
    assert set(flooded) <= {"signed", "queue_full", "timeout"}  # a batch that waits for many of its own kind


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
        assert turn.waiting == 0
