"""Who took what away (append-only, with its triggers), and papers about sellers. Made in under a second; undone by dropping them."""

import django.db.models.deletion
import django.utils.timezone
import ledger.accounts.numbers
from django.conf import settings
from django.db import migrations, models

from ledger import append_only


def renew_triggers(apps, schema_editor):
    append_only.remove(schema_editor.connection)
    append_only.install(schema_editor.connection)


def drop_triggers(apps, schema_editor):
    append_only.remove(schema_editor.connection)


def log_triggers(apps, schema_editor):
    """Reversing: the table is gone, the log's own triggers come back."""
    append_only.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_people"),
        ("ledger", "0011_evidence_sets_and_erasure"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, log_triggers),
        migrations.CreateModel(
            name="BankTick",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("arrived_on", models.DateField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "seller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="bank_ticks", to="accounts.seller"
                    ),
                ),
                (
                    "ticked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AccessRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(blank=True, max_length=16)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("original", "original, exact file"),
                            ("evidence_file", "file of an evidence set"),
                            ("bundle_with_files", "evidence with files"),
                            ("pack", "pack of images"),
                            ("packet", "complaint packet"),
                            ("capture", "capture of a page"),
                            ("verification", "verification document"),
                        ],
                        max_length=20,
                    ),
                ),
                ("number", models.CharField(max_length=16)),
                ("address", models.GenericIPAddressField(null=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.seller"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["seller", "-id"], name="access_list")],
            },
        ),
        migrations.CreateModel(
            name="SellerPaper",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(default=ledger.accounts.numbers.new_number, max_length=16, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("licence", "business licence"),
                            ("identity", "identity document of the legal representative"),
                            ("authorisation", "power of attorney"),
                            ("other", "other document"),
                        ],
                        max_length=20,
                    ),
                ),
                ("file_name", models.CharField(blank=True, max_length=255)),
                ("mime", models.CharField(max_length=40)),
                ("in_packets", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "waiting for review"), ("approved", "approved"), ("refused", "refused")],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("reviewed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "blob",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.blob"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="papers", to="accounts.seller"
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["seller", "-id"], name="paper_list"),
                    models.Index(condition=models.Q(("erased_at", None)), fields=["state", "-id"], name="paper_review"),
                ],
            },
        ),
        migrations.RunPython(renew_triggers, drop_triggers),
    ]
