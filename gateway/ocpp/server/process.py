"""The gateway's process: listens for stations, lets them in, and keeps who is connected (docs/ocpp.md).

One event loop reads and writes; what needs the database is done in threads, in groups (lanes.py). Any number of these
processes may run behind any TCP balancer: the newest connection of a station counts, wherever it is, and commands
find it by way of Redis, or, where that is away, because each process looks every second.
"""

import asyncio
import contextlib
import http
import json
import logging
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

import redis.asyncio as redis_async
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.headers import build_www_authenticate_basic
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.ocpp import tls
from gateway.ocpp.frames import Frame
from gateway.ocpp.server import commanding
from gateway.ocpp.server.admission import Admitted, Knock, Refused, basic_of, identity_of, judge_all
from gateway.ocpp.server.answering import AWAY, Job, answer_each, answer_together
from gateway.ocpp.server.connection import AGAIN_LATER, POLICY, Link, Misbehaved, StationSocket
from gateway.ocpp.server.lanes import Lane
from gateway.ocpp.server.log import Logged, write_group
from stations.certificates import authority
from stations.certificates.connecting import certificates_dead
from stations.commands.hurrying import CHANNEL, hurry
from stations.errors import RecordingUnavailableError
from stations.models import Station, StationRefusal
from stations.park.refusals import refusal_note
from stations.places import connections as presence

log = logging.getLogger(__name__)
THREADS, GROUPS_AT_ONCE = 4, 3
TOGETHER_MAX, LOGGED_MAX, KNOCKS_MAX = 256, 500, 100
NAMELESS = "(TLS, no name was said)"
LOOK_EVERY_S, ALIVE_EVERY_S, CHECK_EVERY_S, TLS_EVERY_S = 1.0, 5.0, 10.0, 60.0
PROTOCOL, RESTART, REPLACED = 1002, 1012, 4000  # close codes: RFC 6455, IANA's "service restart", one of ours


class Gateway:
    """`url` is where it listens, once it has started."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.process = secrets.token_hex(presence.PROCESS_ID_LENGTH // 2)
        self.messages_per_s = settings.OCPP_MESSAGES_PER_S
        self.tls = tls.tls_make()
        self.links: dict[int, Link] = {}  # by station
        self.asked: dict[str, str] = {}  # action of a CALL of ours, by its id
        self.together: Lane[Job, str] = Lane(
            "together", answer_together, threads=GROUPS_AT_ONCE, most=TOGETHER_MAX, kind=lambda job: job.many
        )
        self.alone: Lane[Job, str] = Lane("alone", answer_each, threads=THREADS)
        self.logging: Lane[Logged, None] = Lane("log", write_group, most=LOGGED_MAX)
        self.admitting: Lane[Knock, Admitted | Refused] = Lane("admit", judge_all, most=KNOCKS_MAX)
        self.opening: Lane[presence.Opened, str] = Lane("open", presence.connections_open, most=KNOCKS_MAX)
        self.steps: Lane[Any, Any] = Lane("steps", commanding.run_each, threads=2)

    # --- Its life

    async def run(self, ended: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Until `ended`; then what is being answered is answered, and all are told to connect again."""
        await self._begin(ended)
        async with self._serving() as server:
            self.port = server.sockets[0].getsockname()[1]
            log.info("listening at %s:%s as %s%s", self.host, self.port, self.process, " with TLS" if self.tls else "")
            works = (self._alive, self._look, self._listen, self._check, self._keep_tls)
            tasks = [asyncio.create_task(work()) for work in works]
            if ready is not None:
                ready.set()
            await ended.wait()
            for task in tasks:
                task.cancel()
            server.close(close_connections=False)
            await asyncio.gather(*(link.socket.close(RESTART, "restarting") for link in list(self.links.values())))
        with contextlib.suppress(DatabaseError):  # then the others give its stations back
            await self._step(partial(presence.process_ended, self.process))
        for lane in (self.together, self.alone, self.logging, self.admitting, self.opening, self.steps):
            lane.close()

    async def _begin(self, ended: asyncio.Event) -> None:
        """A database that is away when this process starts is waited for: nobody has to start it again."""
        while not ended.is_set():
            try:
                await self._step(partial(presence.process_alive, self.process, stations=0))
                return await self._refresh_tls()
            except AWAY as error:
                log.warning("the database is away, no station can connect yet: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)

    def _serving(self) -> Any:
        return serve(
            self._connected,
            self.host,
            self.port,
            ssl=self.tls.context if self.tls else None,
            process_request=self._knocked,
            select_subprotocol=_chosen,
            create_connection=StationSocket,
            compression=None,  # a window of its own for each station is more than all the rest
            max_size=settings.OCPP_MESSAGE_MAX_BYTES,
            max_queue=4,
            ping_interval=settings.OCPP_PING_S / 2,
            ping_timeout=settings.OCPP_PING_S / 2,
            close_timeout=5,  # of one that is half open
            server_header=None,
            backlog=1024,
        )

    # --- A station comes

    async def _knocked(self, connection: ServerConnection, request: Request) -> Response | None:
        """At the handshake: None lets it in; else the answer says why not."""
        identity = identity_of(request.path)
        if identity is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "expected /ocpp/IDENTITY of a station\n")
        offered = [
            name.strip() for line in request.headers.get_all("Sec-WebSocket-Protocol") for name in line.split(",")
        ]
        user, password = basic_of(request.headers.get("Authorization")) or ("", None)
        address = tls.peer_address(connection)
        security = tls.peer_is_tls(connection), tls.peer_certificate(connection)
        try:
            outcome = await self.admitting.do(Knock(identity, user, password, tuple(offered), address, *security))
        except DatabaseError:
            log.warning("%s cannot be let in: the database is away", identity)
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "try again later\n")
        assert isinstance(connection, StationSocket)
        connection.outcome = outcome
        if isinstance(outcome, Refused) and outcome.status:
            log.info("%s from %s is refused: %s", identity, address, outcome.words)
            said = "unknown station, or wrong password\n" if outcome.status in (401, 404) else outcome.words + "\n"
            response = connection.respond(http.HTTPStatus(outcome.status), said)
            if outcome.status == http.HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = build_www_authenticate_basic("EVPortal stations")
            return response
        return None

    async def _connected(self, socket: ServerConnection) -> None:
        """From the handshake to the end of the connection."""
        assert isinstance(socket, StationSocket)
        outcome = socket.outcome
        if not isinstance(outcome, Admitted):
            await socket.close(PROTOCOL, outcome.words if outcome else "")
            return
        link = Link(self, socket, outcome.station, outcome.version, self.process + secrets.token_hex(10))
        try:
            await self._opened(link)
            await link.run()
        except ConnectionClosed:
            pass
        except Misbehaved as error:
            await self._thrown_out(link, StationRefusal.Reason.MISBEHAVED, str(error), POLICY)
        except (DatabaseError, RecordingUnavailableError) as error:
            log.warning("%s is not answered: %s", link.station, error)
            await socket.close(AGAIN_LATER, "nothing can be stored now: say it again later")
        finally:
            await self._closed(link)

    async def _opened(self, link: Link) -> None:
        """The newer connection of a station counts, and the older is closed, here or elsewhere."""
        station = link.station
        older = self.links.get(station.pk)
        self.links[station.pk] = link
        replaced = await self.opening.do(presence.Opened(station.pk, link.id, link.version))
        log.info("%s connected with OCPP %s from %s", station, link.version, link.socket.remote_address)
        if older is not None:
            await self._replaced(older)
        elif replaced and not replaced.startswith(self.process):
            await self._step(partial(_newer_elsewhere, station.pk, link.id))

    async def _replaced(self, older: Link) -> None:
        words = "a newer connection of this identity came"
        log.warning("%s: %s", older.station, words)
        await self._thrown_out(older, StationRefusal.Reason.REPLACED, words, REPLACED)

    async def _thrown_out(self, link: Link, reason: str, words: str, code: int) -> None:
        address = (link.socket.remote_address or ("",))[0]
        said = {"reason": reason, "words": words, "address": address}
        with contextlib.suppress(DatabaseError):
            await self._step(partial(refusal_note, identity=link.station.identity, station=link.station, **said))
        # not waited for: one that is half open would hold up whoever comes in its place
        asyncio.create_task(link.socket.close(code, words[:120])).add_done_callback(lambda done: done.exception())

    async def _closed(self, link: Link) -> None:
        link.ended()
        if self.links.get(link.station.pk) is link:
            del self.links[link.station.pk]
            with contextlib.suppress(DatabaseError):  # then a sweep gives it back
                await self._step(partial(presence.connections_close, [(link.station.pk, link.id)]))
        log.info("%s disconnected: %s %s", link.station, link.socket.close_code, link.socket.close_reason)

    # --- Commands

    async def commands_send(self, link: Link) -> None:
        """One after the other, until none waits."""
        with contextlib.suppress(DatabaseError, ConnectionClosed):
            while taken := await self._step(partial(commanding.command_take, link.station.pk, link.version)):
                await self._command_send(link, taken)

    async def _command_send(self, link: Link, taken: commanding.Taken) -> None:
        command, timeout_s = taken.command, settings.OCPP_CALL_TIMEOUT_S
        self.asked[taken.message_id] = command.action
        try:
            frame = await link.call(taken.message_id, taken.text, timeout_s)
        except TimeoutError:
            words = f"the station did not answer within {timeout_s} s"
            await self._step(partial(commanding.command_timed_out, command.pk, words))
            return
        except ConnectionClosed:
            await self._step(partial(commanding.command_timed_out, command.pk, "the connection was lost meanwhile"))
            raise
        finally:
            self.asked.pop(taken.message_id, None)
        await self._step(partial(commanding.command_answered, command.pk, link.version, frame))

    async def answered_late(self, link: Link, frame: Frame) -> None:
        """An answer for which nobody waits any more: of a command that timed out, or of none."""
        pk = await self._step(partial(commanding.late_command, link.station.pk, frame.id))
        if pk is not None:
            await self._step(partial(commanding.command_answered, pk, link.version, frame))

    # --- What goes on all the time

    async def _alive(self) -> None:
        """Says that this process lives, and gives back the stations of those that do not."""
        while True:
            with contextlib.suppress(DatabaseError):
                await self._step(partial(presence.process_alive, self.process, stations=len(self.links)))
                await self._step(presence.processes_forget_dead)
            await asyncio.sleep(ALIVE_EVERY_S)

    async def _look(self) -> None:
        """For commands of which nobody told."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(DatabaseError):
                for pk in await self._step(commanding.waiting_stations):
                    if link := self.links.get(pk):
                        link.deliver()

    async def _listen(self) -> None:
        """What web processes, workers and other gateways tell by Redis."""
        while True:
            # Also what is no message of ours: whoever else writes there must not end the listening.
            with contextlib.suppress(RedisError, OSError, ValueError, KeyError, TypeError):
                async with redis_async.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as heard:
                    await heard.subscribe(CHANNEL)
                    async for message in heard.listen():
                        if message["type"] == "message":
                            await self._told(json.loads(message["data"]))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _told(self, said: dict[str, Any]) -> None:
        link = self.links.get(said["station"])
        if link is None:
            return
        if "judge" in said:
            await self._judge_again({link.station.pk: link})
        elif "connection" not in said:
            link.deliver()
        elif said["connection"] != link.id:
            await self._replaced(link)

    async def _check(self) -> None:
        """Whether those that are connected still may be, and are the newest; without Redis nobody else says it."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            with contextlib.suppress(DatabaseError):
                await self._judge_again(dict(self.links))
                await self.disbelieved_note()

    async def _judge_again(self, links: dict[int, Link]) -> None:
        for pk, reason, words in await self._step(partial(_no_longer, links)):
            code = REPLACED if reason == StationRefusal.Reason.REPLACED else POLICY
            await self._thrown_out(links[pk], reason, words, code)

    async def disbelieved_note(self) -> None:
        """Certificates of authorities that are none of ours end a handshake before a name is said."""
        found = self.tls.disbelieved_take() if self.tls else []
        if found:
            words = f"TLS handshakes since the last look: {len(found)}; {found[-1]}"
            said = {"reason": StationRefusal.Reason.CERTIFICATE, "words": words}
            await self._step(partial(refusal_note, identity=NAMELESS, station=None, **said))

    async def _keep_tls(self) -> None:
        """The gateway's own certificate may be renewed while it runs, and another authority be believed."""
        while True:
            await asyncio.sleep(TLS_EVERY_S)
            with contextlib.suppress(DatabaseError):
                await self._refresh_tls()

    async def _refresh_tls(self) -> None:
        if self.tls is not None:
            roots: list[str] = await self._step(_roots)
            self.tls.refresh(roots)  # here, not in a thread: OpenSSL does not take changes amid handshakes

    async def _step(self, step: Any) -> Any:
        return await self.steps.do(step)


def _chosen(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """What the admission chose; none where there is none to choose, and the connection is closed at once."""
    outcome = getattr(connection, "outcome", None)
    return Subprotocol(outcome.subprotocol) if isinstance(outcome, Admitted) else None


def _newer_elsewhere(station_pk: int, connection: str) -> None:
    hurry(station_pk, connection=connection)


def _roots() -> list[str]:
    return [one.certificate_pem for one in authority.trusted()]


def _no_longer(links: dict[int, Link]) -> list[tuple[int, str, str]]:
    """Which of them are to be closed, with the reason."""
    found = []
    shown = {pk: pk_of_certificate for pk, link in links.items() if (pk_of_certificate := _certificate(link))}
    dead = certificates_dead(shown.values()) if shown else set()
    columns = ("pk", "enabled", "security_profile", "connection", "credential_hash", "time_zone", "site__time_zone")
    rows = Station.objects.filter(pk__in=list(links)).values_list(*columns)
    for pk, enabled, profile, connection, credential, own_zone, site_zone in rows.iterator():
        link = links[pk]
        link.station.time_zone = own_zone or site_zone  # in which it is read from now on, if it was changed
        if not enabled:
            found.append((pk, StationRefusal.Reason.DISABLED.value, "the station was switched off in the admin"))
        elif connection and connection != link.id:
            found.append((pk, StationRefusal.Reason.REPLACED.value, "a newer connection of this identity came"))
        elif shown.get(pk) in dead:
            found.append((pk, StationRefusal.Reason.CERTIFICATE.value, "its certificate is not good any more"))
        elif pk not in shown and credential != link.station.credential_hash:
            found.append((pk, StationRefusal.Reason.CREDENTIAL.value, "its password was changed in the admin"))
        elif pk not in shown and profile == Station.SecurityProfile.CERTIFICATE:
            found.append((pk, StationRefusal.Reason.CERTIFICATE.value, "only its certificate lets it in from now on"))
        elif profile == Station.SecurityProfile.TLS and not tls.peer_is_tls(link.socket):
            found.append((pk, StationRefusal.Reason.TLS.value, "only TLS lets it in from now on"))
    return found


def _certificate(link: Link) -> int | None:
    """The certificate that let it in; None where its password did."""
    outcome = link.socket.outcome
    return outcome.certificate if isinstance(outcome, Admitted) else None
