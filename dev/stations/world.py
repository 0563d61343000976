"""The cars of the demo: they come, charge and leave, all day, and whoever is started by the CSMS gets a cable, too."""

import asyncio
from itertools import count, cycle

from dev.stations.device.state import Charge
from dev.stations.station import Station

TICK_S = 1.0
FULL_SOC = 80.0  # where a driver leaves a DC station


class Bay:
    """The place in front of an outlet."""

    def __init__(self, station: Station, number: int, first_pause_s: float) -> None:
        self.station, self.number = station, number
        tokens = station.told.tokens
        own = tokens[number - 1 :: station.told.outlets] or tokens  # two outlets with one card would not do
        self.tokens = cycle(own) if own else None
        self.due = station.clock.now() + first_pause_s
        self.cars = count()

    async def run(self) -> None:
        """All day."""
        while True:
            await self.station.clock.sleep(TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Do what is due: it looks each time what there is, so that commands of a CSMS may come between."""
        charging, outlet = self.station.charging, self.station.state.outlets[self.number]
        charge, now = outlet.charge, self.station.clock.now()
        await self.station.expire()
        if charge is not None and charge.flows:
            if now - charge.sampled >= self.station.settings.number("sample_s") > 0:
                charging.sample(self.number)
            if self._done(charge, now):
                await self._leave(charge)
        elif outlet.finished or (charge is not None and charge.reason):
            charging.unplug(self.number)
            self.due = now + self.station.told.pause_s
        elif outlet.token is not None and not outlet.plugged:
            charging.plug(self.number)
        elif outlet.plugged and outlet.token is None:
            await self._show_card()
        elif self.tokens is not None and now >= self.due and not outlet.plugged and self.station.accepted:
            await self._arrive()

    def _done(self, charge: Charge, now: float) -> bool:
        full = self.station.told.current == "DC" and charge.soc >= FULL_SOC
        return full or now - charge.flowed_since >= self.station.told.charge_s

    async def _arrive(self) -> None:
        """Every other driver shows the card before plugging in."""
        if next(self.cars) % 2:
            await self._show_card()
        else:
            self.station.charging.plug(self.number)

    async def _show_card(self) -> None:
        """The next card; who is refused leaves."""
        if self.tokens is None or not await self.station.charging.present(self.number, next(self.tokens)):
            self.station.charging.unplug(self.number)
            self.due = self.station.clock.now() + self.station.told.pause_s

    async def _leave(self, charge: Charge) -> None:
        """The card again, or the cable out, which ends it as well."""
        if charge.token in self.station.told.tokens:
            self.station.charging.stop(self.number, "Local", "StopAuthorized")
        else:
            self.station.charging.unplug(self.number)


async def day(stations: list[Station], between_s: float = 3.0) -> None:
    """Run stations and their bays until this is cancelled; then end what charges, and say so if somebody hears."""
    tasks = [asyncio.create_task(station.run()) for station in stations]
    bays = [(station, number) for station in stations for number in station.state.outlets]
    for place, (station, number) in enumerate(bays):
        tasks.append(asyncio.create_task(Bay(station, number, 1.0 + place * between_s).run()))
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)  # none ends by itself
        for task in ended:
            task.result()
    finally:
        for task in tasks[len(stations) :]:
            task.cancel()
        await asyncio.gather(*(_good_night(station) for station in stations))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _good_night(station: Station) -> None:
    for number in station.state.outlets:
        station.charging.stop(number, "Other", "AbnormalCondition")
        station.charging.unplug(number)
    await station.settled()
    if station.wire is not None:
        await station.wire.connection.close()
