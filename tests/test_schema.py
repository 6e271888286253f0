"""The tables: migrations are complete, the log's triggers exist on this database, and every row belongs to a seller."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor

from ledger import append_only
from ledger.accounts.models import Seller
from ledger.models import Checkpoint, Entry, LogHead, TreeNode
from ledger.services.log import seal
from tests.factories import register_one

OWN_APPS = ("accounts", "ledger", "compliance")

# Models without a seller, each with the reason. Whoever adds a model adds a seller, or a line here.
WITHOUT_SELLER = {
    "accounts.User": "a person, who may belong to several sellers",
    "accounts.Seller": "the seller itself",
    "accounts.SignIn": "a session of a person, who may belong to several sellers",
    "ledger.LogHead": "the one log of the site; holds hashes only",
    "ledger.Entry": "part of the log; who it is about is in its statement",
    "ledger.PastEpoch": "a log of the site that was ended; holds hashes, and the words of whoever runs the site",
    "ledger.TreeNode": "part of the log; holds hashes only",
    "ledger.Checkpoint": "part of the log; holds hashes only",
    "ledger.Witness": "watches the one log of the site",
    "ledger.Cosignature": "part of the log; holds a signature only",
    "ledger.TimeAuthority": "an outside clock of the whole site",
    "ledger.AuthorityCall": "a call to an outside clock of the whole site",
    "ledger.TimestampToken": "a token over a checkpoint, which covers every seller's entries",
    "ledger.Fingerprint": "belongs to a picture, which has a seller, and goes with it",
}
# Rows that may be nobody's: the reason why seller can be null.
NULL_SELLER = {
    "accounts.Invitation": "the first owner's link is older than the first seller",
    "ledger.Statement": "what the log says itself (a clock that went back, an outside time)",
    "ledger.Job": "work of the machine, such as signing",
}
NOT_READ_BY_PEOPLE = {
    "compliance.Gallery": "a counter that processes compare with their copy of the index",
}


def own_models() -> list[type[models.Model]]:
    return [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]


def seller_field(model: type[models.Model]) -> models.Field[Any, Any] | None:
    return next((field for field in model._meta.concrete_fields if field.name == "seller"), None)


def test_models_and_migrations_agree(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_migration_is_applied(db):
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


@pytest.mark.parametrize("model", own_models(), ids=lambda model: model._meta.label)
def test_every_table_has_a_seller_or_a_reason(model):
    field = seller_field(model)
    if model._meta.label in WITHOUT_SELLER:
        assert field is None
        return
    assert field is not None
    assert field.related_model is Seller
    assert field.null == (model._meta.label in NULL_SELLER)


def test_no_reason_outlives_its_model():
    labels = {model._meta.label for model in own_models()}
    assert WITHOUT_SELLER.keys() | NULL_SELLER.keys() <= labels


@pytest.mark.parametrize(
    "model", [model for model in own_models() if seller_field(model)], ids=lambda model: model._meta.label
)
def test_every_read_of_a_sellers_rows_can_start_from_the_person(model, mallory):
    if model._meta.label in NOT_READ_BY_PEOPLE:
        return
    query = str(model._default_manager.visible_to(mallory).query)
    assert f'"user_id" = {mallory.pk}' in query


def test_triggers_are_there_after_migrating(db):
    assert append_only.missing(connection) == []


def test_a_dropped_trigger_is_noticed_at_the_start(db):
    append_only.remove(connection)
    try:
        with pytest.raises(SystemCheckError, match=r"ledger\.E003"):
            call_command("check", databases=["default"])
    finally:
        append_only.install(connection)


@pytest.mark.parametrize("model", [Entry, Checkpoint, TreeNode], ids=lambda model: model._meta.label)
@pytest.mark.parametrize("change", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"])
def test_log_tables_refuse_update_and_delete(model, change, log, seller):
    fill_log(seller)
    column = next(field.column for field in model._meta.concrete_fields if isinstance(field, models.BinaryField))
    statement = change.format(table=model._meta.db_table, column=column)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert model.objects.exists()


def fill_log(seller: Seller) -> None:
    """At least one row in each table of the log."""
    register_one(seller)
    seal()
    TreeNode.objects.create(level=1, index=0, hash=bytes(32))


@pytest.mark.parametrize("seq", [0, 2, 7, -1])
def test_log_refuses_gaps_and_replacement(seq, log, seller):
    register_one(seller)
    for statement in insert_statements():
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [seq, b"{}", bytes(32)])
    assert list(Entry.objects.values_list("seq", flat=True)) == [0]


def insert_statements() -> list[str]:
    verbs = ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"] if connection.vendor == "sqlite" else ["INSERT"]
    return [f"{verb} INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)" for verb in verbs]


def test_there_is_one_log_head(log):
    with pytest.raises(DatabaseError), transaction.atomic():
        LogHead.objects.create(id=2, origin="other.example/log", parameters=b"{}", prev=bytes(32))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_log_tables_refuse_truncate(log):
    for table in append_only.TABLES:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
