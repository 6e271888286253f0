"""Epochs: logs that were ended, and where the present one begins. Each statement learns its entry's number in its own
log, which so far is the entry's key: about two seconds per million. Undone by dropping the table and the columns, which is
refused once an epoch was begun.
"""

from django.db import migrations, models

from ledger import append_only


def renew_triggers(apps, schema_editor):
    append_only.remove(schema_editor.connection)
    append_only.install(schema_editor.connection)


def log_triggers(apps, schema_editor):
    """Reversing: the table is gone, the others' triggers come back."""
    append_only.install(schema_editor.connection)


def drop_triggers(apps, schema_editor):
    if apps.get_model("ledger", "PastEpoch").objects.exists():
        raise RuntimeError("an epoch was begun: older programs cannot read this log")
    append_only.remove(schema_editor.connection)


def number_statements(apps, schema_editor):
    apps.get_model("ledger", "Statement").objects.update(seq=models.F("entry_id"))


class Migration(migrations.Migration):
    dependencies = [("ledger", "0016_outdated_index")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, log_triggers),
        migrations.CreateModel(
            name="PastEpoch",
            fields=[
                ("number", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("origin", models.CharField(max_length=200, unique=True)),
                ("parameters", models.BinaryField()),
                ("first", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("signed_size", models.BigIntegerField()),
                ("signed_note", models.TextField()),
                ("covered", models.BigIntegerField()),
                ("again_at", models.BigIntegerField()),
                ("reason", models.CharField(max_length=20)),
                ("remark", models.CharField(blank=True, max_length=500)),
                ("ended_at", models.DateTimeField()),
            ],
            options={"ordering": ["number"]},
        ),
        migrations.AddField("loghead", "first", models.BigIntegerField(default=0)),
        migrations.AddField("statement", "seq", models.BigIntegerField(default=0), preserve_default=False),
        migrations.RunPython(number_statements, migrations.RunPython.noop),
        migrations.RunPython(renew_triggers, drop_triggers),
    ]
