"""What a station said becomes what it is answered: in a database transaction that also keeps both in the log.

What was answered is committed. Where the database is away, or the ledger can take no charge, nobody is answered: the
station says it again.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from gateway.ocpp import frames
from gateway.ocpp.handling import Answer, Call, CallRefused, ManyHandler
from gateway.ocpp.server.log import Logged, logged_write
from gateway.ocpp.server.versions import handler_of, many_of
from stations.charging.asides import SaidOf, set_aside_many
from stations.errors import RecordingUnavailableError, StationsError
from stations.models import OcppMessage, SetAside
from stations.places.credentials import stations_seen

log = logging.getLogger(__name__)
IN, OUT = OcppMessage.Direction.IN.value, OcppMessage.Direction.OUT.value
TRIES = 3  # a deadlock, or another process that stored the same first
# What a lost connection to the database looks like
AWAY = (OperationalError, InterfaceError)


@dataclass
class Job:
    """A CALL or SEND that obeys its schema, with its text as it came; `seen`: note that the station was heard."""

    call: Call
    text: str
    is_send: bool = False
    seen: bool = False
    many: ManyHandler | None = field(init=False)  # who can answer it together with others

    def __post_init__(self) -> None:
        self.many = many_of(self.call)


def answer_each(jobs: Sequence[Job]) -> list[str | BaseException]:
    """For a lane: each in a transaction of its own."""
    return [answer_one(job) for job in jobs]


def answer_one(job: Job) -> str | BaseException:
    """The text of the answer; an exception where nothing can be stored now."""
    handler = handler_of(job.call)
    assert handler is not None, "the connection answers what nobody handles"
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                answer = handler(job.call)
                return _kept(job, answer)
        except RecordingUnavailableError as error:  # nothing is wrong with what it said: later it can be taken
            return error
        except (CallRefused, StationsError) as error:
            return _refused(job, error)
        except DatabaseError as error:
            if left and not isinstance(error, InterfaceError):
                continue
            if isinstance(error, AWAY):
                return error
            log.exception("%s of %s", job.call.action, job.call.station)
            return _refused(job, CallRefused("InternalError", "it could not be stored"))
        except Exception:  # a fault of ours: the station says it again, and nobody else is held up
            log.exception("%s of %s", job.call.action, job.call.station)
            return _refused(job, CallRefused("InternalError", "a fault of the central system"))
    raise AssertionError("the last try returns")


def answer_together(jobs: Sequence[Job]) -> list[str | BaseException]:
    """For a lane: those of a kind in one transaction, by what their version knows to do with many.

    Kinds are not mixed, as each locks in an order of its own (stations/charging/locks.py).
    """
    kinds: dict[ManyHandler, list[int]] = {}
    for place, job in enumerate(jobs):
        assert job.many is not None, "what cannot be handled with others has another lane"
        kinds.setdefault(job.many, []).append(place)
    outcomes: dict[int, str | BaseException] = {}
    for many, places in kinds.items():
        outcomes.update(zip(places, _together(many, [jobs[place] for place in places]), strict=True))
    return [outcomes[place] for place in range(len(jobs))]


def _together(many: ManyHandler, jobs: Sequence[Job]) -> list[str | BaseException]:
    """Those that it does not take, or all where it fails, each by itself."""
    try:
        with transaction.atomic():
            answers = many([job.call for job in jobs])
            texts = [_text(job, answer) if answer else None for job, answer in zip(jobs, answers, strict=True)]
            done = [one for one in zip(jobs, answers, texts, strict=True) if one[1] is not None]
            logged_write(chain.from_iterable(_frames(job, answer, text) for job, answer, text in done))
            _asides([job for job, *_ in done])
    except Exception as error:  # noqa: BLE001 - whose message it was is found out by taking each alone
        log.info("%s messages are answered one by one: %r", len(jobs), error)
        return answer_each(jobs)
    return [answer_one(job) if text is None else text for job, text in zip(jobs, texts, strict=True)]


def _kept(job: Job, answer: Answer) -> str:
    """In the handler's own transaction."""
    text = _text(job, answer)
    _asides([job])
    logged_write(_frames(job, answer, text))
    return text


def _refused(job: Job, error: CallRefused | StationsError) -> str | BaseException:
    """The CALLERROR, in the log as well."""
    text = "" if job.is_send else refusal_text(job.call, error)
    try:
        with transaction.atomic():
            _asides([job])
            logged_write(_frames(job, Answer(), text, kind=OcppMessage.Kind.ERROR))
    except DatabaseError as lost:
        return lost
    return text


def refusal_text(call: Call, error: CallRefused | StationsError) -> str:
    """A refusal of ours, in OCPP-J's words."""
    if isinstance(error, CallRefused):
        code, details = error.code, error.details
    else:
        code, details = "PropertyConstraintViolation", {"code": error.code}
    return frames.error_text(call.message_id, code, str(error), version=call.version, details=details)


def _text(job: Job, answer: Answer) -> str:
    return "" if job.is_send else frames.result_text(job.call.message_id, answer.payload)


def _asides(jobs: Sequence[Job]) -> None:
    left_out = [SaidOf(job.call.station, SetAside.Kind.VALUE, aside) for job in jobs for aside in job.call.asides]
    set_aside_many(left_out)
    stations_seen({job.call.station.pk: job.call.station for job in jobs if job.seen}.values())


def _frames(job: Job, answer: Answer | None, text: str | None, kind: str = OcppMessage.Kind.RESULT) -> list[Logged]:
    session_id = answer.session_id if answer else None
    call, heard = job.call, OcppMessage.Kind.SEND if job.is_send else OcppMessage.Kind.CALL
    said = Logged(call.station.pk, call.at, IN, heard.value, job.text, call.action, call.message_id, session_id)
    if not text:
        return [said]
    return [
        said,
        Logged(call.station.pk, timezone.now(), OUT, str(kind), text, call.action, call.message_id, session_id),
    ]
