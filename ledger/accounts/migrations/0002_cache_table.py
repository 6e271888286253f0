"""The table behind CACHES: sign-in limits are counted in it. Made in under a second; undone by dropping the table."""

from typing import Any

from django.core.management import call_command
from django.db import migrations

TABLE = "accounts_cache"


def create_table(apps: Any, schema_editor: Any) -> None:
    call_command("createcachetable", TABLE, database=schema_editor.connection.alias, verbosity=0)


def drop_table(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute(f"DROP TABLE {schema_editor.quote_name(TABLE)}")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(create_table, drop_table)]
