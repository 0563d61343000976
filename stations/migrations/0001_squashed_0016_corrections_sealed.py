"""What 0001 to 0016 made, in one step.

A database that has a part of them goes on through them; so they stay until no such database is left. Their RunPython
fill and seal rows of before: an empty database has none.
"""

import django.db.models.deletion
import django.utils.timezone
import uuid
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("stations", "0001_initial"),
        ("stations", "0002_tariffs"),
        ("stations", "0003_ocpi_fields"),
        ("stations", "0004_updated_at_filled"),
        ("stations", "0005_updated_at_required"),
        ("stations", "0006_link_codes"),
        ("stations", "0007_ocpi_partners"),
        ("stations", "0008_api_clients"),
        ("stations", "0009_import_runs"),
        ("stations", "0010_corrections"),
        ("stations", "0011_silence"),
        ("stations", "0012_labels"),
        ("stations", "0013_words_in_german"),
        ("stations", "0014_restored_at"),
        ("stations", "0015_correction_seals"),
        ("stations", "0016_corrections_sealed"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0006_api_access"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tariff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=36, unique=True)),
                ("name", models.CharField(max_length=255)),
                ("currency", models.CharField(default="EUR", max_length=3)),
                ("price_per_kwh", models.DecimalField(decimal_places=4, default=Decimal("0"), max_digits=10)),
                ("price_per_session", models.DecimalField(decimal_places=4, default=Decimal("0"), max_digits=10)),
                ("vat_percent", models.DecimalField(blank=True, decimal_places=2, max_digits=5, null=True)),
                ("valid_from", models.DateTimeField(blank=True, null=True)),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("price_per_kwh__gte", 0), ("price_per_session__gte", 0)),
                        name="tariff_prices_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_to__gt", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="tariff_ends_after_it_begins",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=36, unique=True)),
                ("name", models.CharField(max_length=255)),
                ("address", models.CharField(blank=True, default="", max_length=255)),
                ("city", models.CharField(blank=True, default="", max_length=100)),
                ("country", models.CharField(blank=True, default="", max_length=3)),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                ("currency", models.CharField(default="EUR", max_length=3)),
                (
                    "tariff",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sites",
                        to="stations.tariff",
                    ),
                ),
                ("latitude", models.DecimalField(blank=True, decimal_places=6, max_digits=9, null=True)),
                ("longitude", models.DecimalField(blank=True, decimal_places=6, max_digits=9, null=True)),
                ("postal_code", models.CharField(blank=True, default="", max_length=10)),
                ("public", models.BooleanField(default=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "api_clients",
                    models.ManyToManyField(blank=True, editable=False, related_name="sites", to="accounts.apiclient"),
                ),
            ],
            options={
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="Station",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("identity", models.CharField(max_length=48, unique=True)),
                ("vendor", models.CharField(blank=True, default="", max_length=50)),
                ("model", models.CharField(blank=True, default="", max_length=50)),
                ("serial_number", models.CharField(blank=True, default="", max_length=50)),
                ("firmware_version", models.CharField(blank=True, default="", max_length=50)),
                ("credential_hash", models.CharField(blank=True, default="", editable=False, max_length=255)),
                ("last_seen_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stations", to="stations.site"
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("expected_by", models.DateTimeField(blank=True, db_index=True, editable=False, null=True)),
                ("usual_silence_s", models.PositiveIntegerField(editable=False, null=True)),
            ],
            options={
                "ordering": ["identity"],
            },
        ),
        migrations.CreateModel(
            name="Connector",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("evse_id", models.PositiveIntegerField(default=1)),
                ("connector_id", models.PositiveIntegerField(default=1)),
                ("standard", models.CharField(blank=True, default="", max_length=32)),
                ("power_type", models.CharField(blank=True, default="", max_length=16)),
                ("max_power_w", models.PositiveIntegerField(blank=True, null=True)),
                ("status", models.CharField(default="UNKNOWN", max_length=16)),
                (
                    "station",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="connectors", to="stations.station"
                    ),
                ),
                (
                    "tariff",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="connectors",
                        to="stations.tariff",
                    ),
                ),
                ("emi3_id", models.CharField(blank=True, default="", max_length=48)),
                ("format", models.CharField(blank=True, default="", max_length=6)),
                ("max_amperage", models.PositiveIntegerField(blank=True, null=True)),
                ("max_voltage", models.PositiveIntegerField(blank=True, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["station", "evse_id", "connector_id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("station", "evse_id", "connector_id"), name="connector_unique_on_station"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IdToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("uid", models.CharField(max_length=36)),
                ("type", models.CharField(default="ISO14443", max_length=16)),
                ("contract_id", models.CharField(blank=True, default="", max_length=36)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="id_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["uid"],
                "constraints": [models.UniqueConstraint(fields=("uid", "type"), name="id_token_unique")],
            },
        ),
        migrations.CreateModel(
            name="ChargingSession",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("transaction_id", models.CharField(max_length=36)),
                ("location", models.JSONField(default=dict)),
                ("status", models.CharField(default="ACTIVE", max_length=9)),
                ("started_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("meter_start_wh", models.BigIntegerField(blank=True, null=True)),
                ("meter_stop_wh", models.BigIntegerField(blank=True, null=True)),
                ("energy_wh", models.BigIntegerField(blank=True, null=True)),
                ("cost_minor", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                ("stop_reason", models.CharField(blank=True, default="", max_length=20)),
                ("source", models.CharField(max_length=8)),
                ("flags", models.JSONField(blank=True, default=list)),
                ("meter_values_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("credit", models.BooleanField(default=False)),
                (
                    "credit_reference",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credited_by",
                        to="stations.chargingsession",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="charging_sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "connector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="stations.connector"
                    ),
                ),
                (
                    "id_token",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="sessions",
                        to="stations.idtoken",
                    ),
                ),
                (
                    "station",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="stations.station"
                    ),
                ),
                ("tariff", models.JSONField(blank=True, default=dict)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("restored_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-started_at", "-id"],
                "indexes": [
                    models.Index(fields=["customer", "-started_at", "-id"], name="session_history"),
                    models.Index(fields=["-started_at", "-id"], name="session_newest"),
                    models.Index(condition=models.Q(("status", "ACTIVE")), fields=["station"], name="session_active"),
                    models.Index(fields=["updated_at", "id"], name="session_updated"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("station", "transaction_id"), name="session_unique_on_station"),
                    models.CheckConstraint(
                        condition=models.Q(("status", "ACTIVE"), ("stopped_at__isnull", False), _connector="OR"),
                        name="session_closed_has_stop",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("stopped_at__isnull", True), ("stopped_at__gte", models.F("started_at")), _connector="OR"
                        ),
                        name="session_stops_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "COMPLETED"), _negated=True),
                            ("credit", True),
                            ("energy_wh__gte", 0),
                            _connector="OR",
                        ),
                        name="session_completed_has_energy",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "COMPLETED"), _negated=True),
                            ("energy_wh__isnull", False),
                            _connector="OR",
                        ),
                        name="session_completed_energy_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("credit", False), ("credit_reference__isnull", False), _connector="OR"),
                        name="session_credit_has_reference",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cost_minor__isnull", True), models.Q(("currency", ""), _negated=True), _connector="OR"
                        ),
                        name="session_cost_has_currency",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("credit", True)), fields=("credit_reference",), name="session_credited_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MeterValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("sampled_at", models.DateTimeField()),
                ("measurand", models.CharField(default="Energy.Active.Import.Register", max_length=40)),
                ("value", models.DecimalField(decimal_places=4, max_digits=18)),
                ("unit", models.CharField(default="Wh", max_length=20)),
                ("phase", models.CharField(blank=True, default="", max_length=6)),
                ("context", models.CharField(default="Sample.Periodic", max_length=20)),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="meter_values",
                        to="stations.chargingsession",
                    ),
                ),
            ],
            options={
                "ordering": ["sampled_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("session", "sampled_at", "measurand", "phase", "context"), name="meter_value_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LinkCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("code_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "id_token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="link_codes", to="stations.idtoken"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="link_codes_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "used_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="link_codes_used",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-made_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True), ("used_at__isnull", True)),
                        fields=("id_token",),
                        name="link_code_one_open_per_token",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OcpiPartner",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("country_code", models.CharField(max_length=2)),
                ("party_id", models.CharField(max_length=3)),
                ("sessions", models.CharField(default="OWN", max_length=4)),
                ("status", models.CharField(default="NEW", editable=False, max_length=10)),
                ("token_hash", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("url", models.CharField(blank=True, default="", editable=False, max_length=255)),
                ("roles", models.JSONField(blank=True, default=list, editable=False)),
                ("endpoints", models.JSONField(blank=True, default=list, editable=False)),
                ("token_sealed", models.BinaryField(default=b"")),
                ("last_seen_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("sites", models.ManyToManyField(blank=True, to="stations.site")),
            ],
            options={
                "ordering": ["name", "id"],
                "constraints": [
                    models.UniqueConstraint(fields=("country_code", "party_id"), name="ocpi_partner_unique_party"),
                    models.UniqueConstraint(
                        condition=models.Q(("token_hash", ""), _negated=True),
                        fields=("token_hash",),
                        name="ocpi_partner_unique_token",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("state", models.CharField(default="CHECKING", max_length=9)),
                ("file_name", models.CharField(max_length=200)),
                ("sha256", models.CharField(db_index=True, max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("time_zone", models.CharField(max_length=64)),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("position", models.PositiveIntegerField(default=0)),
                ("line", models.PositiveIntegerField(default=2)),
                ("imported", models.PositiveIntegerField(default=0)),
                ("already_there", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("different", models.PositiveIntegerField(default=0)),
                ("flags", models.JSONField(blank=True, default=dict)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="import_runs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["CHECKING", "IMPORTING"])),
                        fields=["claimed_until"],
                        name="import_moving",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("line", models.PositiveIntegerField()),
                ("session_id", models.CharField(blank=True, default="", max_length=36)),
                ("outcome", models.CharField(max_length=9)),
                ("field", models.CharField(blank=True, default="", max_length=200)),
                ("expected", models.CharField(max_length=500)),
                ("got", models.CharField(blank=True, default="", max_length=500)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="findings", to="stations.importrun"
                    ),
                ),
            ],
            options={
                "ordering": ["line"],
                "constraints": [models.UniqueConstraint(fields=("run", "line"), name="import_finding_once_a_line")],
            },
        ),
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("content", models.BinaryField()),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="file", to="stations.importrun"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=500)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "credit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="correction_made",
                        to="stations.chargingsession",
                    ),
                ),
                (
                    "replacement",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="correction_replaced",
                        to="stations.chargingsession",
                    ),
                ),
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="correction",
                        to="stations.chargingsession",
                    ),
                ),
                ("seal", models.BinaryField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="correction_has_reason"
                    )
                ],
            },
        ),
    ]
