"""What 0001 to 0011 made, in one step.

A database that has a part of them goes on through them; so they stay until no such database is left. Their RunPython
fill and seal rows of before: an empty database has none.
"""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("ledger", "0001_initial"),
        ("ledger", "0002_signing_keys"),
        ("ledger", "0003_data_key_a_holder"),
        ("ledger", "0004_data_keys_of_holders"),
        ("ledger", "0005_webhooks"),
        ("ledger", "0006_statement_mails"),
        ("ledger", "0007_words_in_german"),
        ("ledger", "0008_audits"),
        ("ledger", "0009_erasure_seals"),
        ("ledger", "0010_differing_entries"),
        ("ledger", "0011_restored_seals"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0006_api_access"),
        ("stations", "0001_squashed_0016_corrections_sealed"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=40)),
                ("subject", models.CharField(blank=True, default="", max_length=100)),
                ("message", models.TextField()),
                ("what_to_do", models.TextField(blank=True, default="")),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("count", models.PositiveIntegerField(default=1)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-last_seen_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("code", "subject"),
                        name="alert_one_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ChainTransaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("status", models.CharField(default="BATCHED", max_length=12)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("retry_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("packed", models.BinaryField(null=True)),
                ("signature", models.CharField(blank=True, default="", max_length=120)),
                ("public_key", models.CharField(blank=True, default="", max_length=80)),
                ("transaction_id", models.CharField(max_length=64, null=True, unique=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("ref_block_num", models.BigIntegerField(null=True)),
                ("signed_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("block_num", models.BigIntegerField(null=True)),
                ("block_id", models.CharField(blank=True, default="", max_length=64)),
                ("irreversible_at", models.DateTimeField(null=True)),
                ("error_code", models.CharField(blank=True, default="", max_length=40)),
                ("error_message", models.TextField(blank=True, default="")),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["BATCHED", "SIGNED", "SENT", "IN_BLOCK", "DEFERRED"])),
                        fields=["status", "retry_at"],
                        name="chain_transaction_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["BATCHED", "EXPIRED", "CONFLICT"]),
                            models.Q(
                                ("expires_at__isnull", False),
                                ("packed__isnull", False),
                                ("transaction_id__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="chain_transaction_sent_is_stored",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ["IN_BLOCK", "IRREVERSIBLE"]), _negated=True),
                            ("block_num__isnull", False),
                            _connector="OR",
                        ),
                        name="chain_transaction_in_block_has_block",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DataKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("key_id", models.BinaryField(max_length=16, unique=True)),
                ("wrapped", models.BinaryField(null=True)),
                ("master_key_id", models.CharField(blank=True, default="", max_length=16)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("destroyed_at", models.DateTimeField(null=True)),
                (
                    "id_token",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="data_keys",
                        to="stations.idtoken",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="data_keys",
                        to="stations.site",
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="data_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("destroyed_at__isnull", True), ("wrapped__isnull", False)),
                            models.Q(("destroyed_at__isnull", False), ("wrapped__isnull", True)),
                            _connector="OR",
                        ),
                        name="data_key_destroyed_has_no_key",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True), ("destroyed_at__isnull", True)),
                        fields=("id_token", "customer"),
                        name="data_key_one_in_use_per_holder",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("closed_at__isnull", True), ("customer__isnull", True), ("destroyed_at__isnull", True)
                        ),
                        fields=("id_token",),
                        name="data_key_one_in_use_of_nobody",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True), ("destroyed_at__isnull", True)),
                        fields=("site",),
                        name="data_key_one_in_use_per_site",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("salt", models.BinaryField(max_length=32, null=True)),
                ("canonical", models.BinaryField(null=True)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("conflict", models.CharField(blank=True, default="", max_length=255)),
                ("mismatch", models.CharField(blank=True, default="", max_length=255)),
                ("checked_at", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "data_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="ledger.datakey"
                    ),
                ),
                (
                    "session",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ledger_entry",
                        to="stations.chargingsession",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="ledger.chaintransaction",
                    ),
                ),
                ("erasure_seal", models.BinaryField(null=True)),
                ("restored_seal", models.BinaryField(null=True)),
            ],
            options={
                "ordering": ["id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("conflict", ""), ("transaction__isnull", True)),
                        fields=["id"],
                        name="ledger_entry_ready",
                    ),
                    models.Index(
                        condition=models.Q(("checked_at__isnull", True)), fields=["id"], name="ledger_entry_unchecked"
                    ),
                    models.Index(
                        condition=models.Q(("mismatch", ""), _negated=True), fields=["id"], name="ledger_entry_mismatch"
                    ),
                    models.Index(
                        condition=models.Q(("mismatch__gt", ""), ("conflict__gt", ""), _connector="OR"),
                        fields=["session"],
                        name="ledger_entry_differs",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("erased_at__isnull", False),
                            models.Q(("canonical__isnull", False), ("salt__isnull", False), ("session__isnull", False)),
                            _connector="OR",
                        ),
                        name="ledger_entry_complete_unless_erased",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64, unique=True)),
                ("public_key", models.CharField(blank=True, default="", max_length=80)),
                ("status", models.CharField(default="ACTIVE", max_length=8)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "RETIRED"), _negated=True),
                        fields=("status",),
                        name="signing_key_one_active_coming_leaving",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KeyRotation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("step", models.CharField(default="MAKE", max_length=6)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("claimed_by", models.CharField(blank=True, default="", max_length=32)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("packed", models.BinaryField(null=True)),
                ("signature", models.CharField(blank=True, default="", max_length=120)),
                ("transaction_id", models.CharField(blank=True, default="", max_length=64)),
                ("expires_at", models.DateTimeField(null=True)),
                ("ref_block_num", models.BigIntegerField(null=True)),
                (
                    "new",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rotations_to", to="ledger.signingkey"
                    ),
                ),
                (
                    "old",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rotations_from",
                        to="ledger.signingkey",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", False), ("step", "DONE")),
                            models.Q(models.Q(("step", "DONE"), _negated=True), ("finished_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="key_rotation_finished_when_done",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("url", models.CharField(max_length=500)),
                ("description", models.CharField(blank=True, default="", max_length=100)),
                ("secret", models.TextField(editable=False)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("failing_since", models.DateTimeField(blank=True, editable=False, null=True)),
                ("disabled_reason", models.CharField(blank=True, default="", editable=False, max_length=200)),
                (
                    "client",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to="accounts.apiclient",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["created_at", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("client__isnull", True), ("user__isnull", False)),
                            models.Q(("client__isnull", False), ("user__isnull", True)),
                            _connector="OR",
                        ),
                        name="webhook_has_one_owner",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("event", models.CharField(max_length=20)),
                ("body", models.TextField()),
                ("status", models.CharField(default="pending", max_length=9)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("response_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("error", models.CharField(blank=True, default="", max_length=200)),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhook_deliveries",
                        to="stations.chargingsession",
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="ledger.webhook"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["next_attempt_at"],
                        name="webhook_delivery_due",
                    ),
                    models.Index(fields=["webhook", "-created_at", "-id"], name="webhook_delivery_log"),
                    models.Index(fields=["created_at"], name="webhook_delivery_oldest"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("event", "session.recorded")),
                        fields=("webhook", "session"),
                        name="webhook_told_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StatementSubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("language", models.CharField(max_length=10)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statement_subscription",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StatementMail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("first_day", models.DateField()),
                ("monthly", models.BooleanField()),
                ("language", models.CharField(max_length=10)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("retry_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("error", models.CharField(blank=True, default="", max_length=255)),
                ("sent_to", models.EmailField(blank=True, default="", max_length=254)),
                ("sent_at", models.DateTimeField(null=True)),
                ("given_up_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statement_mails",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("given_up_at__isnull", True), ("sent_at__isnull", True)),
                        fields=["retry_at"],
                        name="statement_mail_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("monthly", True)),
                        fields=("user", "first_day"),
                        name="statement_mail_monthly_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("given_up_at__isnull", True), ("sent_at__isnull", True)),
                        fields=("user", "first_day"),
                        name="statement_mail_one_waiting",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=7)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("total", models.BigIntegerField(default=0)),
                ("done", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("position", models.BigIntegerField(default=0)),
                ("claimed_until", models.DateTimeField(null=True)),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="audit_runs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True), models.Q(("kind", "COMMAND"), _negated=True)),
                        fields=("kind",),
                        name="audit_run_one_a_kind",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=11)),
                ("ledger_id", models.DecimalField(decimal_places=0, max_digits=20, null=True)),
                ("session", models.UUIDField(null=True)),
                ("message", models.TextField()),
                ("found_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="findings", to="ledger.auditrun"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
    ]
