"""A station of OCPP 1.6 whose charges go through a gateway that is killed: it says each message until answered."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dev.trials.chaos.killing import ChaosError

IDENTITY, EVSE, CARD = "OCPP-1", 1, "04CA05"
ANSWER_S, AGAIN_S = 10.0, 0.2
REFUSED_MAX = 50  # answers to one message that are errors: killed parts explain some
ENERGY_WH = 120


class Charger:
    """`is_over`: whether nobody waits for its charges any more. Import Django's models after their set-up only."""

    def __init__(self, port: int, *, is_over: Callable[[], bool]) -> None:
        from stations.models import Connector, Site, Station
        from stations.places.credentials import station_credential_set

        site = Site.objects.create(code="OCPP", name="Yard", time_zone="UTC", unknown_cards=True)
        station = Station.objects.create(site=site, identity=IDENTITY)
        Connector.objects.create(station=station, evse_id=EVSE, connector_id=1, max_power_w=22_000)
        login = base64.b64encode(f"{IDENTITY}:{station_credential_set(station=station)}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._url, self._is_over, self._meter_wh = f"ws://127.0.0.1:{port}/ocpp/{IDENTITY}", is_over, 1000
        self._socket: ClientConnection | None = None

    def charge(self) -> bool:
        """One charge, from start to stop; False where it was over before."""
        now = datetime.now(UTC)
        begun, ended = ((now + timedelta(seconds=s)).isoformat() for s in (-30, 0))
        start = {"connectorId": EVSE, "idTag": CARD, "meterStart": self._meter_wh, "timestamp": begun}
        answer = self._said("StartTransaction", start)
        if answer is None:
            return False
        self._meter_wh += ENERGY_WH
        stop = {"transactionId": answer["transactionId"], "meterStop": self._meter_wh, "timestamp": ended}
        return self._said("StopTransaction", stop) is not None

    def close(self) -> None:
        """Goodbye, if anybody is there."""
        if self._socket is not None:
            self._socket.close()

    def _said(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """With the same message id until there is an answer; None when nobody waits for it any more.

        Raises ChaosError where it is refused again and again.
        """
        id, refused = secrets.token_hex(8), 0
        while not self._is_over():
            try:
                if self._socket is None:
                    offered = [Subprotocol("ocpp1.6")]
                    self._socket = connect(self._url, subprotocols=offered, additional_headers=self._headers)
                self._socket.send(json.dumps([2, id, action, payload]))
                while (frame := json.loads(self._socket.recv(ANSWER_S)))[1] != id:
                    pass
                if frame[0] == 3:
                    return dict(frame[2])
                refused += 1
                if refused >= REFUSED_MAX:
                    raise ChaosError(f"{action} of {IDENTITY} was refused {refused} times, at last: {frame}")
            except (OSError, TimeoutError, WebSocketException):
                self._socket = None
            time.sleep(AGAIN_S)
        return None
