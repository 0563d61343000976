"""Between the tables and stations/load/standing.py: what each outlet was told, and what became of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from stations.load.sharing import PHASES
from stations.load.standing import NOTHING, Layer, Outlet, Standing, Told
from stations.models import Command, Connector, LimitedOutlet, OutletLimit, SiteLimit
from stations.models.load import AMPERES_MAX

State = Command.State
# Where neither current nor power of an outlet is entered.
ASSUMED_A = 32
# Of what a station with direct current takes from the supply, what reaches the car.
DC_EFFICIENCY_PERCENT = 90
REFUSED_FOR = timedelta(minutes=5)  # then it is asked again
TAKEN_LATE = timedelta(seconds=10)
NOT_SENT = (State.EXPIRED, State.CANCELLED)
NOT_TAKEN = (State.REJECTED, State.REFUSED, State.UNSUPPORTED)


def lines_text(phases: frozenset[int]) -> str:
    """As a row keeps them: "" for all."""
    return "" if phases == PHASES else "".join(map(str, sorted(phases)))


def lines_of(text: str) -> frozenset[int]:
    """As they were kept."""
    return frozenset(map(int, text)) if text else PHASES


def is_dc(connectors: Iterable[Connector]) -> bool:
    """Whether its cars get direct current: then profiles are in watts."""
    return any(connector.power_type == "DC" for connector in connectors)


def watts(amperes: int, limit: SiteLimit) -> int:
    """What a car gets where a station with direct current takes so many amperes of each phase."""
    return amperes * limit.voltage * limit.phases * DC_EFFICIENCY_PERCENT // 100


def amperes_of(power_w: float, limit: SiteLimit) -> int:
    """The other way round, rounded up."""
    return ceil(power_w * 100 / (limit.voltage * limit.phases * DC_EFFICIENCY_PERCENT))


def maximum_of(connectors: Iterable[Connector], limit: SiteLimit) -> int:
    """The most that an EVSE takes of a phase: of its connectors one at a time is used."""
    return min(max((_maximum(connector, limit) for connector in connectors), default=ASSUMED_A), AMPERES_MAX)


def _maximum(connector: Connector, limit: SiteLimit) -> int:
    if connector.power_type == "DC":
        return amperes_of(connector.max_power_w, limit) if connector.max_power_w else ASSUMED_A
    if connector.max_amperage:
        return connector.max_amperage
    if connector.max_power_w and connector.power_type:
        phases = 1 if connector.power_type == "AC_1_PHASE" else 3
        return ceil(connector.max_power_w / (limit.voltage * phases))
    return ASSUMED_A


# --- A row and its standing


def standing_of(row: OutletLimit) -> Standing:
    """What the row says."""
    accepted = None if row.amperes is None else Told(row.amperes, row.until, lines_of(row.lines))
    asked = None
    if row.asked_amperes is not None:
        asked = Told(row.asked_amperes, row.asked_until, lines_of(row.asked_lines))
    maybe = tuple(
        Told(amperes, datetime.fromisoformat(until) if until else None, lines_of(lines))
        for amperes, until, lines in row.maybe
    )
    return Standing(accepted, maybe, asked)


def standing_write(row: OutletLimit, standing: Standing) -> None:
    """Into the row (not saved here)."""
    accepted, asked = standing.accepted, standing.asked
    row.amperes, row.until, row.lines = _members(accepted)
    row.asked_amperes, row.asked_until, row.asked_lines = _members(asked)
    row.maybe = [
        [told.amperes, told.until.isoformat() if told.until else None, lines_text(told.phases)]
        for told in standing.maybe
    ]
    if accepted is None:
        row.accepted_at = None


def _members(told: Told | None) -> tuple[int | None, datetime | None, str]:
    return (None, None, "") if told is None else (told.amperes, told.until, lines_text(told.phases))


def outlet_of(row: LimitedOutlet, maximum: int, told: Mapping[str, OutletLimit]) -> Outlet:
    """The outlet as the pure part has it."""
    layers = {Layer(layer): standing_of(limit) for layer, limit in told.items()}
    return Outlet(row.pk, maximum, {layer: standing for layer, standing in layers.items() if standing != NOTHING})


# --- Answers


def answer_take(row: OutletLimit, now: datetime) -> None:
    """What became of the command that the row waits for (not saved here)."""
    command = row.command
    if command is None:
        if row.asked_amperes is not None:  # the command's row is gone
            standing_write(row, standing_of(row).lose())
        return
    if _expired(command, now):
        command.state = State.EXPIRED.value
    if command.is_open:
        return
    standing, is_clearing = standing_of(row), command.kind == "clear_profile"
    if is_clearing and command.state not in (*NOT_SENT, State.TIMED_OUT):
        standing = NOTHING
    elif command.state == State.ACCEPTED:
        standing = standing.accept()
        row.accepted_at, row.refused_at = command.answered_at or now, None
    elif command.state == State.TIMED_OUT:
        standing = standing.doubt() if is_clearing else standing.lose()
    else:
        standing = standing.refuse()
        row.refused_at = now if command.state in NOT_TAKEN else row.refused_at
    row.command, row.words = None, f"{command.get_state_display()} {command.words}".strip()[:500]
    standing_write(row, standing)


def _expired(command: Command, now: datetime) -> bool:
    """It was never sent and never will be; of gateway and worker one says so first."""
    if command.state != State.WAITING or now < command.valid_until + TAKEN_LATE:
        return False
    waiting = Command.objects.filter(pk=command.pk, state=State.WAITING)
    if waiting.update(state=State.EXPIRED):
        return True
    command.refresh_from_db(fields=["state", "answered_at", "words"])
    return False


def doubt_since(row: OutletLimit, booted_at: datetime | None) -> None:
    """A station that started anew may have forgotten what it was told before (not saved here)."""
    if booted_at is not None and row.accepted_at is not None and row.accepted_at < booted_at:
        standing_write(row, standing_of(row).doubt())


# --- Commands

PURPOSE = {Layer.FALLBACK: "TxDefaultProfile", Layer.STANDBY: "TxDefaultProfile", Layer.CHARGE: "TxProfile"}
STACK_LEVEL = {Layer.FALLBACK: 0, Layer.STANDBY: 1, Layer.CHARGE: 1}
FIRST_NUMBER = 900_000
STARTED_BEFORE = timedelta(hours=1)  # so that it holds at once, also where a clock is late


def profile_number(evse_id: int, layer: Layer) -> int:
    """Of each outlet's three: the same again replaces what was there."""
    return FIRST_NUMBER + evse_id * 10 + list(Layer).index(layer)


def profile_params(
    row: LimitedOutlet, layer: Layer, told: Told, *, now: datetime, dc_limit: SiteLimit | None, transaction_id: str
) -> dict[str, Any]:
    """The command set_profile; `dc_limit` where the outlet gives direct current."""
    period: dict[str, Any] = {"start_s": 0, "limit": watts(told.amperes, dc_limit) if dc_limit else told.amperes}
    if told.phases != PHASES and not dc_limit:
        period["phases"] = len(told.phases)
    profile: dict[str, Any] = {
        "id": profile_number(row.evse_id, layer),
        "stack_level": STACK_LEVEL[layer],
        "purpose": PURPOSE[layer],
        "kind": "Absolute",
        "unit": "W" if dc_limit else "A",
        "start_at": _text(now - STARTED_BEFORE),
        "periods": [period],
    }
    if told.until is not None:
        profile["valid_to"] = _text(told.until)
    params = {"evse_id": row.evse_id, "profile": profile}
    return params | ({"transaction_id": transaction_id} if layer == Layer.CHARGE else {})


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
