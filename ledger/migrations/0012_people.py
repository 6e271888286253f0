"""Who took what away: an append-only table with its triggers. Made in under a second; undone by dropping it."""

import django.db.models.deletion
import django.utils.timezone
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
        migrations.RunPython(renew_triggers, drop_triggers),
    ]
