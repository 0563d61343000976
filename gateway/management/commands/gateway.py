"""`manage.py gateway`: the process that stations connect to over OCPP."""

import asyncio
import gc
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.ocpp.server.process import Gateway
from gateway.ocpp.tls import TlsError

COLLECT_EVERY = (10_000, 20, 20)  # objects more, collections of the young, of the middle-aged


class Command(BaseCommand):
    help = "Serve charging stations over OCPP 1.6, 2.0.1 and 2.1 (WebSocket), until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.OCPP_HOST, help="where to listen (default: %(default)s)")
        parser.add_argument("--port", type=int, default=settings.OCPP_PORT, help="0: any (default: %(default)s)")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        # What is there now stays: it need not be looked through again and again for what nobody needs any more, while
        # thousands of stations wait.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_EVERY)
        try:
            asyncio.run(self._run(host, port))
        except TlsError as error:
            raise CommandError(str(error)) from error

    async def _run(self, host: str, port: int) -> None:
        ended, ready = asyncio.Event(), asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ended.set)
        gateway = Gateway(host, port)
        running = asyncio.create_task(gateway.run(ended, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if ready.is_set():
            scheme = "wss" if gateway.tls else "ws"
            self.stdout.write(f"Stations connect to {scheme}://{host}:{gateway.port}/ocpp/IDENTITY.")
            self.stdout.flush()
        await running
