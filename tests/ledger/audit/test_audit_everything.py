"""One who may write everything in the database is found out by the audit, or the short list names the field."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from ledger.audit.audit import audit
from ledger.chain.node import Chain
from ledger.keys.erasure import customer_erase
from ledger.keys.seals import restored_seal
from ledger.models import LedgerEntry
from stations.cards.services import TokenRef
from stations.charging.corrections import Figures, session_correct, session_credit
from stations.charging.sessions import meter_values_add, session_close, session_start
from stations.charging.vocabulary import Sample
from stations.models import ChargingSession, Connector, IdToken, MeterValue, Site
from tests.conftest import SIGNED, TARIFF, CloseSessions, LedgerAccount
from tests.ledger.everything import audited_models, cases, exempt, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


class Remembered(Chain):
    """A node whose answers are asked for once: nothing is recorded while the database is altered."""

    def __init__(self) -> None:
        super().__init__(settings.LEDGER_NODES, account=settings.LEDGER_ACCOUNT, chain_id=settings.LEDGER_CHAIN_ID)
        self._answers: dict[str, Any] = {}

    def read(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        key = json.dumps([call, body])
        if key not in self._answers:
            self._answers[key] = super().read(call, body)
        found: dict[str, Any] = self._answers[key]
        return found


@pytest.fixture
def small_ledger(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    connector: Connector,
    owner: User,
    other_customer: User,
) -> None:
    """All kinds of sessions, in two transactions: measured, corrected, credited, restored, erased, nobody's."""
    Connector.objects.create(station=connector.station, connector_id=2)
    Site.objects.create(code="S2", name="Another site", country="DEU")
    carla = User.objects.create_user("carla")
    bens, carlas = (
        IdToken.objects.create(uid=uid, customer=who) for uid, who in (("BE00", other_customer), ("CA", carla))
    )
    first, second, third = close_sessions(3, tariff=TARIFF, **SIGNED)
    close_sessions(2, token=bens)
    close_sessions(1, token=None)
    close_sessions(1, token=carlas, **SIGNED)
    started_at = timezone.now() - timedelta(hours=2)
    measured, _ = session_start(
        station=connector.station, transaction_id="M", started_at=started_at, token=TokenRef("BE00"), meter_start_wh=0
    )
    moments = [started_at + timedelta(minutes=minutes) for minutes in (10, 20)]
    meter_values_add(session=measured, samples=[Sample(at, Decimal(2000 + at.minute)) for at in moments])
    session_close(session=measured, stopped_at=started_at + timedelta(minutes=40), meter_stop_wh=5000)
    record_all()
    assert first.stopped_at
    right = Figures(7_000, 300, first.started_at, first.stopped_at)
    session_correct(session=first, reason="The meter was wrong.", figures=right, by=other_customer)
    session_credit(session=second, reason="It was free of charge.", by=other_customer)
    record_all()
    customer_erase(customer=carla)
    third.refresh_from_db()
    ChargingSession.objects.filter(pk=third.pk).update(restored_at=timezone.now())
    entry = LedgerEntry.objects.get(session=third)
    seal = restored_seal(ledger_id=entry.pk, digest=bytes(entry.digest))
    LedgerEntry.objects.filter(pk=entry.pk).update(restored_seal=seal)
    assert MeterValue.objects.count() == 2


def test_whoever_writes_everything_is_found_out(small_ledger: None) -> None:
    node, unfound, tried = Remembered(), defaultdict[str, list[str]](list), 0
    baseline = audit(node=node).as_dict()
    assert baseline["clean"] and baseline["erased"] == 1, baseline
    allowed = exempt()
    for case in cases():
        if case.name in allowed or case.model._meta.label in allowed:
            continue
        tried += 1
        if not found(case.apply, node, baseline):
            unfound[case.name].append(case.what)
    assert not unfound, json.dumps({name: [len(said), *said[:2]] for name, said in unfound.items()}, indent=1)
    assert tried > 500, tried
    assert audit(node=node).as_dict() == baseline


def found(change: Callable[[], None], node: Chain, baseline: dict[str, Any]) -> bool:
    """Does the audit see this change? What the database itself refuses is none."""
    try:
        with transaction.atomic():
            change()
            seen = audit(node=node).as_dict() != baseline
            if not seen:
                connection.check_constraints()
            transaction.set_rollback(True)
            return seen
    except (IntegrityError, DataError):
        return True


def test_the_short_list_names_what_there_is(small_ledger: None) -> None:
    known = {model._meta.label for model in audited_models()}
    known |= {f"{label} ({rows} rows)" for label in known for rows in ("new", "deleted")}
    known |= {
        f"{model._meta.label}.{field.name}" for model in audited_models() for field in model._meta.concrete_fields
    }
    assert not exempt() - known
    unused = {model._meta.label for model in audited_models() if not rows_of(model)}
    assert not unused - exempt(), "tables that nothing is tried on"
