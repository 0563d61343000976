"""Cables, cards and charges at the outlets of a station, whatever its version calls them."""

from functools import partial
from typing import TYPE_CHECKING

from dev.stations import signing
from dev.stations.device import limits, meter
from dev.stations.device.books import Booked
from dev.stations.device.limits import Situation
from dev.stations.device.meter import Sample
from dev.stations.device.state import Charge, Json, Outlet, new_id
from dev.stations.device.told import Token
from dev.stations.device.wire import Offline, Refused

if TYPE_CHECKING:
    from dev.stations.station import Station

ACCEPTED = "Accepted"


class Charging:
    """What happens at the outlets; each change says what it has to say, and keeps the state."""

    def __init__(self, station: "Station") -> None:
        self.station = station

    # --- who may charge

    async def authorized(self, token: Token) -> bool:
        """Whether a card may charge: the CSMS says, or what is known of it while that is away."""
        station, settings = self.station, self.station.settings
        known = self._known(token)
        if known and settings.on("pre_authorize"):
            return True
        if not station.ready.is_set():
            return settings.on("offline") and (known or settings.on("offline_unknown"))
        try:
            info = station.words.verdict(await station.call("Authorize", station.words.authorize(token)))
        except (Offline, TimeoutError):
            return settings.on("offline") and known
        except Refused:
            return False
        if settings.on("cache"):
            station.state.cache[token.uid] = info
        station.state.keep()
        return bool(info["status"] == ACCEPTED)

    def group(self, uid: str) -> str:
        """The group of a card, "" where none is known."""
        known = self.station.state.local_list.get(uid) or self.station.state.cache.get(uid) or {}
        return str(known.get("group", ""))

    def same(self, token: Token, other: Token | None) -> bool:
        """Whether a card may end what another one began: it is the same, or of one group."""
        if other is None:
            return False
        return token.uid == other.uid or self.group(token.uid) == self.group(other.uid) != ""

    def _known(self, token: Token) -> bool:
        state, settings = self.station.state, self.station.settings
        for info in (
            state.local_list.get(token.uid) if settings.on("local_list") else None,
            state.cache.get(token.uid) if settings.on("cache") else None,
        ):
            if info is not None:
                until = info.get("until")
                return bool(info["status"] == ACCEPTED and (until is None or until > self.station.clock.now()))
        return False

    # --- cable and card

    def plug(self, number: int) -> None:
        """A cable is plugged in."""
        outlet = self._outlet(number)
        if not outlet.plugged:
            outlet.plugged, outlet.finished = True, False
            self._progress(number, "CablePluggedIn")

    async def present(self, number: int, token: Token) -> bool:
        """A card is shown: it ends its charge, or may begin one. Tells whether it was taken."""
        outlet = self._outlet(number)
        if outlet.charge is not None and outlet.charge.token is not None:
            if self.same(token, outlet.charge.token):
                self.stop(number, "Local", "StopAuthorized")
                return True
            return False
        if not self.free_for(number, token) or not await self.authorized(token):
            return False
        self.accept(number, token, "Authorized")
        return True

    def accept(self, number: int, token: Token, trigger: str, remote_start_id: int | None = None) -> None:
        """A card, or the CSMS for it, may charge here."""
        outlet = self._outlet(number)
        outlet.token, outlet.remote_start_id = token, remote_start_id
        self._progress(number, trigger)

    def free_for(self, number: int, token: Token) -> bool:
        """Whether the outlet works, and is reserved for nobody else."""
        outlet = self._outlet(number)
        reserved = self.station.reserved(number)
        mine = (
            reserved is None
            or token.uid == reserved.uid
            or (reserved.group and self.group(token.uid) == reserved.group)
        )
        return bool(outlet.operative and self.station.state.operative and not outlet.fault and mine)

    def give_up(self, number: int) -> None:
        """No cable came in time."""
        outlet = self._outlet(number)
        outlet.token = None
        if outlet.charge is not None:
            self._end(number, "Timeout", "EVConnectTimeout")
        self.station.changed()

    def unplug(self, number: int) -> None:
        """The cable is gone, and with it a charge that still ran."""
        outlet = self._outlet(number)
        charge = outlet.charge
        if charge is not None:
            self.count(number)
        outlet.plugged, outlet.finished, outlet.token = False, False, None
        if charge is not None:
            self._end(number, charge.reason or "EVDisconnected", "EVCommunicationLost")
        self.station.changed()

    def _progress(self, number: int, trigger: str) -> None:
        """Cable or card has come: where a charge begins, goes on, or only a status changes."""
        station, outlet = self.station, self._outlet(number)
        points = {"EVConnected": outlet.plugged, "Authorized": outlet.token is not None}
        points["PowerPathClosed"] = all(points.values())
        both, charge = points["PowerPathClosed"], outlet.charge
        if charge is None:
            if not any(points.get(point) for point in station.words.start_points):
                return station.changed()
            charge = self._begin(number, flows=both)
            samples = self._samples(outlet, "sampled_at_start", signing.BEGIN) + self._signed(charge, signing.BEGIN)
            reserved = station.reserved(number)
            if reserved is not None and outlet.token is not None:
                station.state.reservations.remove(reserved)
            station.words.began(charge, trigger, samples, reserved.number if reserved else None)
        else:
            charge.token, charge.remote_start_id = outlet.token, outlet.remote_start_id
            station.words.updated(charge, trigger, [])
            if both and not charge.flows:
                self._flow(charge)
                station.words.updated(charge, "ChargingStateChanged", self._signed(charge, signing.BEGIN))
        return station.changed()

    def _begin(self, number: int, *, flows: bool) -> Charge:
        station, outlet = self.station, self._outlet(number)
        now = station.clock.now()
        charge = Charge(new_id(), number, now, meter.register_wh(outlet, station.faults), soc=meter.FIRST_SOC)
        charge.token, charge.remote_start_id = outlet.token, outlet.remote_start_id
        charge.sampled = now
        outlet.charge = charge
        if flows:
            self._flow(charge)
        return charge

    def _flow(self, charge: Charge) -> None:
        charge.flows, charge.flowed_since, charge.metered = True, self.station.clock.now(), self.station.clock.now()
        charge.suspended = self.limit_w(charge.outlet, charge.metered) <= 0

    # --- power and energy

    def limit_w(self, number: int, moment: float) -> float:
        """The lowest limit that is in force at the outlet then."""
        outlets = self.station.state.outlets
        sharing = sum(1 for one in outlets.values() if one.charge is not None and one.charge.flows)
        asked = Situation(self.station.told, number, outlets[number].charge, sharing)
        return limits.limit_w(self.station.state.profiles, asked, moment)

    def power_w(self, number: int) -> float:
        """The power at an outlet now."""
        outlet, now = self._outlet(number), self.station.clock.now()
        if outlet.charge is None or not outlet.charge.flows:
            return 0.0
        return min(meter.power_at(self.station.told, outlet.charge, now), self.limit_w(number, now))

    def count(self, number: int) -> None:
        """Let the meter count until now; a limit of nothing that began or ended meanwhile is told."""
        outlet, now = self._outlet(number), self.station.clock.now()
        meter.count(self.station.told, outlet, now, partial(self.limit_w, number))
        charge = outlet.charge
        if charge is not None and charge.flows and charge.suspended != (self.limit_w(number, now) <= 0):
            charge.suspended = not charge.suspended
            self.station.words.updated(charge, "ChargingStateChanged", [])
            self.station.changed()

    def sample(self, number: int, context: str = "Sample.Periodic", trigger: str = "MeterValuePeriodic") -> None:
        """Say what the outlet's meter shows now."""
        self.count(number)
        outlet = self._outlet(number)
        if outlet.charge is not None:
            outlet.charge.sampled = self.station.clock.now()
            self.station.words.updated(outlet.charge, trigger, self._samples(outlet, "sampled", context))

    def metered(self, number: int) -> Json:
        """The MeterValues that a CSMS asks for outside of charges."""
        samples = self._samples(self._outlet(number), "sampled", "Trigger")
        return self.station.words.metered(number, samples)

    def _samples(self, outlet: Outlet, which: str, context: str) -> list[Sample]:
        station = self.station
        number = next(number for number, one in station.state.outlets.items() if one is outlet)
        named = station.settings.words(which)
        return meter.samples(station.told, outlet, named, context, self.power_w(number), station.faults)

    def _signed(self, charge: Charge, context: str, moment: float | None = None) -> list[Sample]:
        """What the meter signs of the energy that begins to flow, or has flowed."""
        station, outlet = self.station, self._outlet(charge.outlet)
        if context == signing.BEGIN and not charge.flows:
            return []
        at = station.clock.now() if moment is None else moment
        shown = meter.register_wh(outlet, station.faults)
        return signing.signed(station.told, outlet, charge, context, at, shown)

    # --- the end

    def stop(self, number: int, reason: str, trigger: str) -> None:
        """Let no more flow; the charge has ended, unless it is set to end with the cable."""
        outlet = self._outlet(number)
        charge = outlet.charge
        if charge is None:
            return
        self.count(number)
        outlet.token = None
        if {"Authorized", "PowerPathClosed"} & set(self.station.words.stop_points) or not outlet.plugged:
            self._end(number, reason, trigger)
        else:
            charge.flows, charge.reason = False, reason
            self.station.words.updated(charge, trigger, self._samples(outlet, "sampled", "Sample.Periodic"))
        self.station.changed()

    def power_back(self) -> None:
        """The station was without power, or killed: charges ended with what their meters had shown last, or go on."""
        for number, outlet in self.station.state.outlets.items():
            charge = outlet.charge
            if charge is not None and self.station.told.resumes:
                charge.metered = self.station.clock.now()
                continue
            outlet.token = None
            if charge is not None:
                self._end(number, "PowerLoss", "AbnormalCondition", at=max(charge.metered, charge.began))

    def _end(self, number: int, reason: str, trigger: str, at: float | None = None) -> None:
        station, outlet = self.station, self._outlet(number)
        charge = outlet.charge
        if charge is None:
            return
        charge.flows = False
        shown = meter.register_wh(outlet, station.faults)
        moment = station.clock.now() if at is None else at
        samples = self._samples(outlet, "sampled_at_end", signing.END) + self._signed(charge, signing.END, moment)
        outlet.charge, outlet.token, outlet.finished = None, None, outlet.plugged
        self._book(charge, moment, shown)
        self._forget_profiles(charge)
        if outlet.next_operative is not None:
            outlet.operative, outlet.next_operative = outlet.next_operative, None
        station.words.ended(charge, moment, shown, reason, trigger, samples)  # and with it all of this is kept

    def _book(self, charge: Charge, ended: float, meter_stop_wh: int) -> None:
        books, text = self.station.state.books, self.station.clock.text
        if books is None:
            return
        uid = charge.token.uid if charge.token else ""
        times = text(charge.began), text(ended)
        meters = charge.meter_start_wh, meter_stop_wh
        books.charges.append(Booked(charge.key, charge.outlet, uid, *times, *meters, charge.number))

    def _forget_profiles(self, charge: Charge) -> None:
        """A TxProfile is of one charge."""
        state = self.station.state
        state.profiles = [
            kept
            for kept in state.profiles
            if kept["profile"]["chargingProfilePurpose"] != "TxProfile" or kept["outlet"] != charge.outlet
        ]

    def _outlet(self, number: int) -> Outlet:
        return self.station.state.outlets[number]
