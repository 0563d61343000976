"""Cards, contracts and stations that stood twice because they were written in two ways become one.

The first writing stays. Sessions come along; what was recorded of them is as it was, because each keeps the writing
of its record (`written`). Nobody is given another customer's charges: a card whose two writings belong to two
customers becomes nobody's, and each keeps what they charged. What was done is said, and kept for an operator
(messages set aside, kind TWICE).
"""

from collections import defaultdict
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Count
from django.utils import timezone


def merge(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Merging(apps).run()


class Merging:
    def __init__(self, apps: StateApps) -> None:
        self.rows: dict[str, Any] = {
            name: apps.get_model(app, name).objects
            for app, names in (
                ("stations", ("ChargingSession", "Connector", "IdToken", "LinkCode", "SetAside", "Station")),
                ("ledger", ("DataKey",)),
            )
            for name in names
        }

    def run(self) -> None:
        for first, *others in self.groups("IdToken", "canonical", "type"):
            for other in others:
                self.token(first, other)
        for first, *others in self.groups("Station", "canonical"):
            for other in others:
                self.station(first, other)
        for first, *others in self.groups("ChargingSession", "station_id", "number", "started_at"):
            for place, other in enumerate(others, start=2):
                self.number(first, other, place)

    def groups(self, name: str, *keys: str) -> list[list[Any]]:
        """The rows that stand more than once, the one that was first written first."""
        rows = self.rows[name].order_by()
        twice = rows.values(*keys).annotate(times=Count("pk")).filter(times__gt=1)
        found: dict[Any, list[Any]] = defaultdict(list)
        for same in list(twice):
            which = {key: same[key] for key in keys}
            found[tuple(which.values())] = list(rows.filter(**which).order_by("pk"))
        return list(found.values())

    # --- Cards and contracts

    def token(self, first: Any, other: Any) -> None:
        owners = {token.customer_id for token in (first, other)} - {None}
        first.disputed = getattr(first, "disputed", False) or len(owners) > 1
        customer = owners.pop() if owners and not first.disputed else None
        sessions = self.rows["ChargingSession"]
        for session in sessions.filter(id_token_id=other.pk).exclude(status="ACTIVE").order_by():
            written = {"id_token": other.uid} | session.written
            sessions.filter(pk=session.pk).update(written=written)
        moved = sessions.filter(id_token_id=other.pk).update(id_token_id=first.pk)
        self.keys(first, other, customer)
        if customer:  # what was nobody's comes with the card, as when somebody links it
            sessions.filter(id_token_id=first.pk, customer_id=None).update(customer_id=customer)
        codes = self.rows["LinkCode"]
        codes.filter(id_token_id=other.pk, used_at=None, ended_at=None).update(ended_at=timezone.now())
        codes.filter(id_token_id=other.pk).update(id_token_id=first.pk)
        contract = first.contract_id or other.contract_id
        form = first.contract_canonical if first.contract_id else other.contract_canonical
        values = {"customer_id": customer, "contract_id": contract, "contract_canonical": form}
        self.rows["IdToken"].filter(pk=first.pk).update(**values)
        first.customer_id, first.contract_id, first.contract_canonical = customer, contract, form
        self.rows["IdToken"].filter(pk=other.pk).delete()
        two = " They belonged to two customers: it is nobody's until you link it." if first.disputed else ""
        self.say(f"{first.type} {other.uid} is {first.uid}", f"One card, {moved} sessions came along.{two}")

    def keys(self, first: Any, other: Any, customer: int | None) -> None:
        """A data key has one card and one holder: the second of a holder, and nobody's if it has one now, are closed."""
        keys = self.rows["DataKey"]
        open_ones = {"destroyed_at": None, "closed_at": None}
        held = set(keys.filter(id_token_id=first.pk, **open_ones).values_list("customer_id", flat=True))
        closed = {"closed_at": timezone.now(), "customer_id": None}
        for key in keys.filter(id_token_id=other.pk, **open_ones):
            if key.customer_id in held:
                keys.filter(pk=key.pk).update(**closed)
        keys.filter(id_token_id=other.pk).update(id_token_id=first.pk)
        if customer:
            keys.filter(id_token_id=first.pk, customer_id=None, **open_ones).update(**closed)

    # --- Stations

    def station(self, first: Any, other: Any) -> None:
        if first.site_id != other.site_id:
            apart = f"{other.canonical[:36]}~{other.pk}"
            self.rows["Station"].filter(pk=other.pk).update(canonical=apart)
            words = "They stand at two sites, so they stay two, and the second is not heard. Which one is right?"
            self.say(f"station {other.identity} is {first.identity}", words)
            return
        sessions, moved = self.rows["ChargingSession"], 0
        for outlet in self.rows["Connector"].filter(station_id=other.pk):
            numbers = {"evse_id": outlet.evse_id, "connector_id": outlet.connector_id}
            same = self.rows["Connector"].filter(station_id=first.pk, **numbers).first()
            for session in sessions.filter(connector_id=outlet.pk).order_by():
                written = session.written if session.status == "ACTIVE" else {"station": other.identity, **session.written}
                values = {"station_id": first.pk, "connector_id": same.pk if same else outlet.pk, "written": written}
                moved += sessions.filter(pk=session.pk).update(**values)
            if same:
                self.rows["Connector"].filter(pk=outlet.pk).delete()
            else:
                self.rows["Connector"].filter(pk=outlet.pk).update(station_id=first.pk)
        heard = max((first, other), key=lambda one: (bool(one.credential_hash), str(one.last_seen_at or "")))
        self.rows["Station"].filter(pk=first.pk).update(credential_hash=heard.credential_hash)
        self.rows["SetAside"].filter(station_id=other.pk).delete()
        self.rows["Station"].filter(pk=other.pk).delete()
        words = f"One station, {moved} sessions came along. The credential of {heard.identity} holds."
        self.say(f"station {other.identity} is {first.identity}", words)

    # --- Sessions' numbers

    def number(self, first: Any, other: Any, place: int) -> None:
        """Two sessions of one number and start are two records: the second number gets an ending."""
        ending = f"~{place}"
        values: dict[str, Any] = {"transaction_id": other.transaction_id + ending, "number": other.number + ending}
        if other.status != "ACTIVE":
            values["written"] = {"transaction_id": other.transaction_id, **other.written}
        self.rows["ChargingSession"].filter(pk=other.pk).update(**values)
        words = f"Sessions {first.pk} and {other.pk} have one number and start. If they are one charge, credit one of them."
        self.say(f"transaction {other.transaction_id}"[:60], words)

    def say(self, subject: str, words: str) -> None:
        print(f"  {subject}: {words}")
        same = {"station": None, "kind": "TWICE", "subject": subject[:60]}
        self.rows["SetAside"].update_or_create(**same, defaults={"count": 1, "reason": words})


class Migration(migrations.Migration):
    dependencies = [("ledger", "0013_corrected_statements"), ("stations", "0020_canonical")]
    run_before = [("stations", "0021_canonical_unique")]

    operations = [migrations.RunPython(merge, migrations.RunPython.noop)]
