"""Sessions, their meter values and their record, as the REST API shows them: Wh, minor units, UTC."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts.words import TITLES
from ledger.state.corrected import corrected_of
from ledger.state.counting import RECORD_WORDS, counted_of, record_word
from ledger.state.filters import IN_STATE
from ledger.state.labels import Kind
from ledger.state.words import entry_of, finding_of, state_of
from stations.charging.corrections import credited_by
from stations.models import ChargingSession, MeterValue

STATES = list(IN_STATE)
PLACE = ("id", "name", "country", "time_zone")
FIGURES = (*("meter_start_wh", "meter_stop_wh", "energy_wh", "cost_minor", "currency", "stop_reason", "source"),)


def state_name(kind: Kind) -> str:
    """The API's word for a state; one that is late is pending, and its reason says why."""
    return "pending" if kind == "late" else kind


class PlaceSerializer(serializers.Serializer[Any]):
    """The site as it was at the start."""

    id = serializers.CharField(help_text="the site's code")
    name = serializers.CharField()
    country = serializers.CharField()
    time_zone = serializers.CharField()


class ShownTokenSerializer(serializers.Serializer[Any]):
    uid = serializers.CharField()
    type = serializers.CharField()


class LedgerSummarySerializer(serializers.Serializer[Any]):
    """How far the record is; `reason` says why it is late or does not match."""

    state = serializers.ChoiceField(choices=STATES)
    ledger_id = serializers.IntegerField(allow_null=True)
    block_num = serializers.IntegerField(allow_null=True)
    recorded_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class CountedSerializer(serializers.Serializer[Any]):
    """What sums count of a session: of one that differs from its record what was recorded."""

    energy_wh = serializers.IntegerField(allow_null=True)
    cost_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)


class SessionSerializer(serializers.ModelSerializer[ChargingSession]):
    location = PlaceSerializer()
    station = serializers.CharField(source="station.identity")
    evse_id = serializers.IntegerField(source="connector.evse_id")
    connector_id = serializers.IntegerField(source="connector.connector_id")
    id_token = ShownTokenSerializer(allow_null=True)
    flags = serializers.ListField(child=serializers.CharField())
    tariff = serializers.DictField(help_text="as it was at the start; empty where none was promised")
    cost_lines = serializers.ListField(
        child=serializers.DictField(), help_text="how the cost comes about, of a tariff with elements; else empty"
    )
    credit_reference = serializers.UUIDField(source="credit_reference_id", allow_null=True)
    credited_by = serializers.UUIDField(
        source="credit_pk", allow_null=True, help_text="the credit that takes it back; null where it stands"
    )
    record = serializers.ChoiceField(
        choices=RECORD_WORDS, help_text="its record in one word: `superseded` was taken back, `credit` takes back"
    )
    counted = CountedSerializer(
        allow_null=True,
        help_text="what sums count; null while it charges, for credits, what they take back, and altered records",
    )
    ledger = LedgerSummarySerializer()

    class Meta:
        model = ChargingSession
        fields = [
            *("id", "status", "started_at", "stopped_at", "location", "station", "evse_id", "connector_id"),
            *("transaction_id", "id_token", "meter_start_wh", "meter_stop_wh", "energy_wh", "cost_minor", "currency"),
            *("stop_reason", "source", "flags", "credit", "credit_reference", "credited_by", "tariff"),
            *("cost_lines",),
            *("record", "counted", "ledger", "updated_at"),
        ]
        read_only_fields = fields

    def to_representation(self, session: ChargingSession) -> dict[str, Any]:
        """What the fields above describe; for a page of sessions DRF's own way takes much longer."""
        place = session.location if isinstance(session.location, dict) else {}
        token = session.id_token
        return {
            "id": str(session.pk),
            "status": session.status,
            "started_at": moment(session.started_at),
            "stopped_at": moment(session.stopped_at),
            "location": {name: str(place.get(name, "")) for name in PLACE},
            "station": session.station.identity,
            "evse_id": session.connector.evse_id,
            "connector_id": session.connector.connector_id,
            "transaction_id": session.transaction_id,
            "id_token": {"uid": token.uid, "type": token.type} if token else None,
            **{name: getattr(session, name) for name in FIGURES},
            "flags": [str(flag) for flag in session.flags],
            "credit": session.credit,
            "credit_reference": str(session.credit_reference_id) if session.credit_reference_id else None,
            "tariff": session.tariff if isinstance(session.tariff, dict) else {},
            "cost_lines": session.cost_lines if isinstance(session.cost_lines, list) else [],
            **record_shown(session),
            "updated_at": moment(session.updated_at),
        }


def record_shown(session: ChargingSession) -> dict[str, Any]:
    """Its record in one word, by what it was taken back, what counts of it, and how far the record is."""
    kind, reason = finding_of(session)
    counted, credit = counted_of(session, differs=kind == "mismatch"), credited_by(session)
    figures = {"energy_wh": counted.energy_wh, "cost_minor": counted.cost_minor, "currency": counted.currency}
    return {
        "credited_by": str(credit) if credit else None,
        "record": record_word(counted, kind),
        "counted": figures if counted.counts and session.is_closed else None,
        "ledger": ledger_summary(session, kind, reason),
    }


def ledger_summary(session: ChargingSession, kind: Kind, reason: object) -> dict[str, Any]:
    """What LedgerSummarySerializer shows; `kind` and `reason` as ledger.state.words.finding_of gave them."""
    entry = entry_of(session)
    row = entry.transaction if entry else None
    recorded = row if row and row.status == ChainTransaction.Status.IRREVERSIBLE else None
    return {
        "state": state_name(kind),
        "ledger_id": entry.pk if entry else None,
        "block_num": recorded.block_num if recorded else None,
        "recorded_at": moment(recorded.irreversible_at) if recorded else None,
        "reason": str(reason) if kind in {"late", "mismatch", "none"} else "",
    }


class MeterValueSerializer(serializers.ModelSerializer[MeterValue]):
    """One sampled value (OCPP 2.0.1); `value` is an exact decimal number as text."""

    value = serializers.SerializerMethodField("get_exact")

    class Meta:
        model = MeterValue
        fields = ["sampled_at", "measurand", "value", "unit", "phase", "context"]
        read_only_fields = fields

    def get_exact(self, sample: MeterValue) -> str:
        """Without trailing zeros and without an exponent."""
        return f"{sample.value.normalize():f}"


class TakenBackSerializer(serializers.Serializer[Any]):
    """By which credit, when and why; a credit that was brought back from the chain has no reason."""

    credit = serializers.UUIDField()
    ledger_id = serializers.IntegerField(allow_null=True, help_text="of the credit's own record")
    replacement = serializers.UUIDField(allow_null=True, help_text="the session with the right figures")
    at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class EntrySerializer(serializers.Serializer[Any]):
    """A session's record in exact terms, every id in full."""

    session = serializers.UUIDField()
    state = serializers.ChoiceField(choices=STATES)
    # The word of the standard; DRF takes declared fields off the class, so its own `label` stays what it is.
    label = serializers.CharField(help_text="as people read it")  # type: ignore[assignment]
    detail = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    advice = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=["READY", *ChainTransaction.Status.values], allow_null=True)
    ledger_id = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(allow_null=True, help_text="SHA-256 of salt and record, hex")
    opened_at = serializers.DateTimeField(allow_null=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    chain_id = serializers.CharField()
    account = serializers.CharField()
    transaction_id = serializers.CharField(allow_null=True)
    block_num = serializers.IntegerField(allow_null=True)
    block_id = serializers.CharField(allow_null=True)
    recorded_at = serializers.DateTimeField(allow_null=True)
    signature = serializers.CharField(allow_null=True)
    public_key = serializers.CharField(allow_null=True)
    taken_back = TakenBackSerializer(allow_null=True)


def entry_shown(session: ChargingSession, *, chain_id: str, account: str) -> dict[str, Any]:
    """What EntrySerializer describes, of one session; null where there is nothing yet."""
    entry, state = entry_of(session), state_of(session, read_meter_values=True)
    words = {"label": state.label, "detail": state.detail, "reason": str(state.reason), "advice": str(state.advice)}
    own = {"session": str(session.pk), "state": state_name(state.kind), **words}
    return {
        **own,
        **_of_entry(entry),
        "chain_id": chain_id,
        "account": account,
        **_of_transaction(entry),
        **_of_credit(session),
    }


def _of_credit(session: ChargingSession) -> dict[str, Any]:
    found = corrected_of(session) if session.is_closed else None
    if found is None or found.part != "superseded":
        return {"taken_back": None}
    ids = {"credit": str(found.credit), "replacement": str(found.replacement) if found.replacement else None}
    return {"taken_back": {**ids, "ledger_id": found.ledger_id, "at": moment(found.at), "reason": found.reason}}


def _of_entry(entry: LedgerEntry | None) -> dict[str, Any]:
    if entry is None:
        return dict.fromkeys(("status", "ledger_id", "digest", "opened_at", "checked_at"))
    return {
        "status": entry.state,
        "ledger_id": entry.pk,
        "digest": bytes(entry.digest).hex(),
        "opened_at": moment(entry.opened_at),
        "checked_at": moment(entry.checked_at),
    }


def _of_transaction(entry: LedgerEntry | None) -> dict[str, Any]:
    row = entry.transaction if entry else None
    names = ("transaction_id", "block_num", "block_id", "signature", "public_key")
    found = {name: getattr(row, name, None) or None for name in names}
    return {**found, "recorded_at": moment(row.irreversible_at) if row else None}


def moment(value: datetime | None) -> str | None:
    """A moment as all answers write it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


class StepSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1, max_value=len(TITLES))
    title = serializers.CharField()
    expected = serializers.CharField(allow_blank=True)
    found = serializers.CharField(allow_blank=True)
    outcome = serializers.ChoiceField(choices=["ok", "failed", "undecided"])
    note = serializers.CharField(allow_blank=True)


class NoticesSerializer(serializers.Serializer[Any]):
    """What is to be known beside the steps; null where no node tells."""

    credited = serializers.CharField(allow_null=True, help_text="ledger id of the credit that took the session back")
    producers = serializers.IntegerField(allow_null=True, help_text="of the chain; one proves nothing against itself")
    replaceable_by = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="who could replace the contract; [] for nobody"
    )
    hosts = serializers.IntegerField(help_text="on how many distinct hosts the nodes are that answered")
    signed = serializers.CharField(
        allow_null=True, help_text="what the meter signed: VERIFIED (key pinned), NOT SIGNED"
    )


class ProofSerializer(serializers.Serializer[Any]):
    """The twelve steps, taken now by this server; the receipt lets anybody take them without us."""

    verdict = serializers.ChoiceField(choices=["VERIFIED", "NOT VALID", "NOT DECIDED"])
    checked_at = serializers.DateTimeField()
    nodes = serializers.ListField(child=serializers.CharField(), help_text="that were asked")
    steps = StepSerializer(many=True)
    notices = NoticesSerializer()


class CostSerializer(serializers.Serializer[Any]):
    cost_minor = serializers.IntegerField()
    currency = serializers.CharField()


class MonthSerializer(serializers.Serializer[Any]):
    """The sums of one month; months without a charge are left out, and currencies are never added."""

    month = serializers.RegexField(r"^\d{4}-\d{2}$")
    sessions = serializers.IntegerField(help_text="billed charges; one that was corrected counts once")
    energy_wh = serializers.IntegerField()
    costs = CostSerializer(many=True)
    differing = serializers.IntegerField(help_text="of these, how many differ from their record; its figures are used")
    left_out = serializers.IntegerField(help_text="charges whose record itself was altered: nobody knows their figures")


class StatementsSerializer(serializers.Serializer[Any]):
    time_zone = serializers.CharField(help_text="in which months begin and end")
    months = MonthSerializer(many=True)


class LedgerSerializer(serializers.Serializer[Any]):
    """How recording goes; head, lib and lag are null while no node answers."""

    chain_id = serializers.CharField()
    account = serializers.CharField()
    backlog = serializers.IntegerField(help_text="closed sessions that are not recorded yet")
    oldest_open_s = serializers.IntegerField(allow_null=True, help_text="how long the oldest of them waits")
    transactions = serializers.DictField(child=serializers.IntegerField(), help_text="unfinished ones, by status")
    head_block_num = serializers.IntegerField(allow_null=True)
    lib_block_num = serializers.IntegerField(allow_null=True, help_text="the last irreversible block")
    lag_s = serializers.IntegerField(allow_null=True, help_text="how far the irreversible block is behind now")
    alerts = serializers.IntegerField(help_text="what needs a person at the operator's")
