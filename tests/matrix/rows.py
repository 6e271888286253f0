"""The language of the role-and-tenant matrix: one line per URL name says who may do what there.

    ROWS["ledger:originals"] = page(EVERYBODY)                               a list, for every role of the seller
    ROWS["ledger:original"] = page(EVERYBODY, make=original)                 one object; strangers get 404
    ROWS["ledger:register"] = form(WORKERS, data=photo)                      GET shows, POST (302) does
    ROWS["ledger:job_again"] = action(WORKERS, make=failed_job)              POST only
    ROWS["ledger:verify"] = public_form(data=bundle, ok=200)                 anybody
    ROWS["accounts:switch"] = personal_action(data={...})                    any signed-in person, no role

`make(world)` builds an object of world.seller and returns the URL's arguments, the one that finds the object first.
`data` is the POST body, or a function of (world) that builds it afresh (files must be). `query` is the query string.
`shared` says that the object belongs to the site, so that strangers see it too.
`ok` is what somebody gets who may: 200 for pages and 302 for actions unless said. `post` names other roles for POST.
tests/test_matrix.py derives every other answer: 302 to the sign-in page, 403, 404 with the body of a missing object,
405, and the profile page for people without a seller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.accounts.models import Role, Seller, User

VIEWER, OPERATOR, IP_MANAGER, OWNER = (str(role) for role in (Role.VIEWER, Role.OPERATOR, Role.IP_MANAGER, Role.OWNER))
EVERYBODY = frozenset({VIEWER, OPERATOR, IP_MANAGER, OWNER})
WORKERS = frozenset({OPERATOR, IP_MANAGER, OWNER})
MANAGERS = frozenset({IP_MANAGER, OWNER})
OWNERS = frozenset({OWNER})


@dataclass(frozen=True, slots=True)
class World:
    """One seller with a person in each role, and another seller with its owner; the log exists."""

    seller: Seller
    people: Mapping[str, User]
    other_seller: Seller
    stranger: User
    loner: User  # has an account and no seller
    staff: User  # runs the site, and owns the other seller


Make = Callable[[World], Mapping[str, Any]]
Data = Mapping[str, Any] | Callable[[World], Mapping[str, Any]]
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """What each method answers somebody who may, and who that is: roles, or nobody in particular (None)."""

    answers: Mapping[str, int]
    roles: Mapping[str, frozenset[str] | None]
    public: bool = False
    make: Make | None = None
    shared: bool = False  # the object belongs to the site, not to a seller
    data: Data | None = None
    query: Query = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """A page of a library: what GET answers strangers and signed-in people. Its own tests hold the rest."""

    anonymous: int
    signed_in: int
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    public: bool = True


@dataclass(frozen=True, slots=True)
class ApiRow:
    """An address for programs: the scope that each method needs. A session counts for nothing there."""

    scopes: Mapping[str, str]
    make: Make | None = None
    public: bool = True  # for the login middleware; the token is checked by the view


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A page for site staff, whatever their sellers: what each method answers them; 403 for everybody else."""

    answers: Mapping[str, int]
    make: Make | None = None
    data: Data | None = None
    public: bool = False


AnyRow = Row | LibraryRow | ApiRow | StaffRow


def page(
    who: frozenset[str], *, make: Make | None = None, shared: bool = False, ok: int = 200, query: Query | None = None
) -> Row:
    return Row({"GET": ok}, {"GET": who}, make=make, shared=shared, query=query or {})


def action(who: frozenset[str], *, make: Make | None = None, data: Data | None = None, ok: int = 302) -> Row:
    return Row({"POST": ok}, {"POST": who}, make=make, data=data)


def form(
    who: frozenset[str],
    *,
    post: frozenset[str] | None = None,
    make: Make | None = None,
    data: Data | None = None,
    ok: int = 302,
    query: Query | None = None,
) -> Row:
    return Row(
        {"GET": 200, "POST": ok},
        {"GET": who, "POST": who if post is None else post},
        make=make,
        data=data,
        query=query or {},
    )


def public_page(*, make: Make | None = None, ok: int = 200, query: Query | None = None) -> Row:
    return Row({"GET": ok}, {"GET": None}, public=True, make=make, query=query or {})


def public_form(*, make: Make | None = None, data: Data | None = None, ok: int = 302) -> Row:
    return Row({"GET": 200, "POST": ok}, {"GET": None, "POST": None}, public=True, make=make, data=data)


def public_action(*, data: Data | None = None, ok: int = 302) -> Row:
    return Row({"POST": ok}, {"POST": None}, public=True, data=data)


def personal_form(*, data: Data | None = None, ok: int = 302) -> Row:
    return Row({"GET": 200, "POST": ok}, {"GET": None, "POST": None}, data=data)


def personal_page() -> Row:
    return Row({"GET": 200}, {"GET": None})


def personal_action(*, make: Make | None = None, data: Data | None = None, ok: int = 302) -> Row:
    return Row({"POST": ok}, {"POST": None}, make=make, data=data)
