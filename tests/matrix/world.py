"""All rows of the role-and-tenant matrix, and the people who ask."""

from __future__ import annotations

from ledger.accounts.models import Role, User
from tests.factories import PASSWORD, make_member, make_seller
from tests.matrix import accounts, api, cases, compliance, ledger, library
from tests.matrix.rows import AnyRow, World

TABLES = (ledger.ROWS, compliance.ROWS, cases.ROWS, accounts.ROWS, library.ROWS, api.ROWS)
ROWS: dict[str, AnyRow] = {name: row for table in TABLES for name, row in table.items()}


def make_world() -> World:
    """The sellers acme and rival with their people; the log exists already."""
    seller, other_seller = make_seller("acme"), make_seller("rival")
    people = {str(role): make_member(f"{role}@example.org", seller, role) for role in Role}
    stranger = make_member("stranger@example.org", other_seller, Role.OWNER)
    loner = User.objects.create_user("loner@example.org", PASSWORD)
    staff = make_member("staff@example.org", other_seller, Role.OWNER)
    User.objects.filter(pk=staff.pk).update(is_site_staff=True)
    return World(seller, people, other_seller, stranger, loner, staff)
