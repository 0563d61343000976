"""What 0001 and 0002 made, in one step.

A database that has the first of them alone goes on through the second; so both stay until no such database is left.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("tpm", "0001_initial"), ("tpm", "0002_words_in_german")]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="EventLog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("compressed", models.BinaryField()),
                ("event_count", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ReleaseManifest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("compressed", models.BinaryField()),
                ("signature", models.BinaryField()),
                ("version", models.CharField(max_length=200)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["-seen_at"],
            },
        ),
        migrations.CreateModel(
            name="TpmService",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("url", models.CharField(max_length=200, unique=True)),
                ("ek_roots_pem", models.TextField()),
                ("hardware_roots", models.BooleanField(default=False)),
                ("release_key_pem", models.TextField(blank=True, default="")),
                ("measured_pcr", models.PositiveSmallIntegerField(default=8)),
                ("host_pcrs", models.JSONField(blank=True, default=dict)),
                ("tpm_words", models.CharField(blank=True, default="", max_length=200)),
                ("ek_certificate", models.BinaryField(null=True)),
                ("ak_public", models.BinaryField(null=True)),
                ("state", models.CharField(default="NEW", max_length=12)),
                ("reason", models.CharField(blank=True, default="", max_length=1000)),
                ("last", models.JSONField(null=True)),
                ("last_attested_at", models.DateTimeField(null=True)),
                ("tried_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Nonce",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("value", models.BinaryField(max_length=32, unique=True)),
                ("issued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="nonces", to="tpm.tpmservice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="KeyCertification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("key_name", models.CharField(max_length=100)),
                ("public_key_eosio", models.CharField(db_index=True, max_length=80)),
                ("public", models.BinaryField()),
                ("attest", models.BinaryField()),
                ("signature", models.BinaryField()),
                ("ak_public", models.BinaryField()),
                ("ek_certificate", models.BinaryField(null=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="certifications", to="tpm.tpmservice"
                    ),
                ),
            ],
            options={
                "ordering": ["-at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("service", "public_key_eosio", "ak_public"), name="certification_once_for_key_and_ak"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AttestationReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("outcome", models.CharField(max_length=10)),
                ("reason", models.CharField(blank=True, default="", max_length=1000)),
                ("steps", models.JSONField()),
                ("hardware", models.BooleanField()),
                ("measured", models.BooleanField()),
                ("nonce", models.BinaryField(null=True)),
                ("quote", models.BinaryField(null=True)),
                ("signature", models.BinaryField(null=True)),
                ("claims", models.BinaryField(null=True)),
                ("pcrs", models.JSONField(default=dict)),
                (
                    "event_log",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="tpm.eventlog"),
                ),
                (
                    "manifest",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="tpm.releasemanifest"),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="reports", to="tpm.tpmservice"
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["service", "-at"], name="report_by_service")],
            },
        ),
    ]
