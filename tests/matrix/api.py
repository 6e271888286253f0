"""What programs may do: the scope for each method of an API address, and an object of the seller for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.accounts.tokens import create_token
from ledger.models import Job
from tests.matrix.compliance import check, quality_check, search
from tests.matrix.ledger import original
from tests.matrix.rows import OWNER, OWNERS, AnyRow, ApiRow, World, action, form


def job(world: World) -> Mapping[str, Any]:
    return {"public_id": Job.objects.create(seller=world.seller, kind="pictures.analyse").public_id}


def token(world: World) -> Mapping[str, Any]:
    made = create_token(actor=world.people[OWNER], seller=world.seller, name="shop", scopes=["read"], days=30)
    return {"number": made.token.number}


ROWS: dict[str, AnyRow] = {}
ROWS["ledger:api_originals"] = ApiRow({"GET": "read", "POST": "register"})
ROWS["ledger:api_original"] = ApiRow({"GET": "read"}, original)
ROWS["ledger:api_original_file"] = ApiRow({"GET": "read"}, original)
ROWS["ledger:api_original_certificate"] = ApiRow({"GET": "read"}, original)
ROWS["ledger:api_original_bundle"] = ApiRow({"GET": "read"}, original)
ROWS["ledger:api_job"] = ApiRow({"GET": "read"}, job)
ROWS["compliance:api_searches"] = ApiRow({"POST": "search"})
ROWS["compliance:api_search"] = ApiRow({"GET": "search"}, search)
ROWS["compliance:api_checks"] = ApiRow({"POST": "check"})
ROWS["compliance:api_check"] = ApiRow({"GET": "check"}, check)
ROWS["compliance:api_qualities"] = ApiRow({"POST": "check"})
ROWS["compliance:api_quality"] = ApiRow({"GET": "check"}, quality_check)
ROWS["accounts:tokens"] = form(OWNERS, data={"name": "shop", "scopes": ["read"], "days": "30"}, ok=200)
ROWS["accounts:revoke_token"] = action(OWNERS, make=token)
