"""The bare central system beside which ours is measured: PyPI `ocpp` on `websockets`, validating, storing nothing.

`python -m bench.gateway.bare --port PORT`
"""

# mypy: disable-error-code="untyped-decorator,misc,no-untyped-call,attr-defined"
import argparse
import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

import ocpp.messages
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

numbers = itertools.count(1)


class Central(ChargePoint):
    @on(Action.boot_notification)
    def boot(self, **said: Any) -> call_result.BootNotification:
        now = datetime.now(UTC).isoformat()
        return call_result.BootNotification(current_time=now, interval=300, status=RegistrationStatus.accepted)

    @on(Action.heartbeat)
    def heartbeat(self, **said: Any) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=datetime.now(UTC).isoformat())

    @on(Action.start_transaction)
    def started(self, **said: Any) -> call_result.StartTransaction:
        accepted: Any = {"status": AuthorizationStatus.accepted}
        return call_result.StartTransaction(transaction_id=next(numbers), id_tag_info=accepted)

    @on(Action.meter_values)
    def values(self, **said: Any) -> call_result.MeterValues:
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    def stopped(self, **said: Any) -> call_result.StopTransaction:
        return call_result.StopTransaction()


async def connected(socket: ServerConnection) -> None:
    path = socket.request.path if socket.request else ""
    try:
        await Central(path.rpartition("/")[2], socket).start()
    except Exception as error:  # noqa: BLE001 - the end of a connection, whichever way
        del error


async def run(port: int) -> None:
    ocpp.messages.ASYNC_VALIDATION = False  # in the loop, as its own documentation advises for speed
    async with serve(connected, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp1.6")], compression=None) as server:
        print("ready", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(run(parser.parse_args().port))
