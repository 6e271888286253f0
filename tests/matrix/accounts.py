"""Who may do what on the pages about people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.accounts.models import Invitation, Membership, Role, SignIn
from ledger.accounts.services import invite
from tests.factories import PASSWORD, make_member
from tests.matrix.rows import (
    OWNER,
    OWNERS,
    AnyRow,
    World,
    action,
    form,
    personal_action,
    personal_form,
    personal_page,
    public_action,
    public_form,
)


def member(world: World) -> Mapping[str, Any]:
    """A member nobody else of the matrix is."""
    user = make_member("member@example.org", world.seller, Role.VIEWER)
    return {"member": Membership.objects.get(user=user).pk}


def invitation(world: World) -> Mapping[str, Any]:
    new = invite(actor=world.people[OWNER], seller=world.seller, email="new@example.org", role=Role.VIEWER)
    return {"number": new.invitation.number}


def session(world: World) -> Mapping[str, Any]:
    """A session of somebody who is not among those who ask."""
    user = make_member("elsewhere@example.org", world.seller, Role.VIEWER)
    return {"number": SignIn.objects.create(user=user, session_key="k" * 32).number}


def link(world: World) -> Mapping[str, Any]:
    """A link for anybody, so that every actor gets the same answer."""
    new = invite(actor=world.people[OWNER], seller=world.seller, email="new@example.org", role=Role.VIEWER)
    Invitation.objects.filter(pk=new.invitation.pk).update(email="")
    return {"token": new.token}


ROWS: dict[str, AnyRow] = {}
ROWS["accounts:join"] = public_form(make=link, data={"email": "new@example.org", "password": PASSWORD})
ROWS["accounts:switch"] = personal_action(ok=404)  # without a seller of one's own; test_profile.py has the rest
ROWS["accounts:profile"] = personal_form(data={"name": "Lin"})
ROWS["accounts:sessions"] = personal_page()
ROWS["accounts:end_session"] = personal_action(make=session, ok=404)  # nobody else's; test_sessions.py has the rest
ROWS["accounts:end_other_sessions"] = personal_action()
ROWS["accounts:team"] = form(OWNERS, data={"email": "guest@example.org", "role": "viewer"})
ROWS["accounts:change_role"] = action(OWNERS, make=member, data={"role": "operator"})
ROWS["accounts:remove_member"] = action(OWNERS, make=member)
ROWS["accounts:make_reset_link"] = action(OWNERS, make=member)
ROWS["accounts:withdraw_invitation"] = action(OWNERS, make=invitation)
ROWS["accounts:renew_invitation"] = action(OWNERS, make=invitation)
ROWS["accounts:stores"] = form(OWNERS, data={"marketplace": "ebay", "name": "Shop", "shop_id": "7"})
ROWS["accounts:rename_seller"] = action(OWNERS, data={"seller-name": "New name"})
ROWS["set_language"] = public_action(data={"language": "en"})
