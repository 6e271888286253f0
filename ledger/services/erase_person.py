"""Erasing a person from one seller: the account, and the identity documents behind what they did.

What they registered stays the seller's and stays provable; who acted is then known to nobody. An account that other
sellers need too is only taken out of this one, and the owner is not told which it was.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ledger.accounts.models import Invitation, InvitationQuerySet, Membership, Role, Seller, User, normalise_email
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Erasure, SellerPaper, Statement
from ledger.services.access_log import forget_person
from ledger.services.blobs import destroy_keys
from ledger.services.erasure import PERSON, SCOPE_PERSON, enqueue_cleaning, record_erasure
from ledger.services.erasure_plan import Preview, certificates_of, handed_out
from ledger.services.job_traces import scrub_jobs
from ledger.services.log import lock_head
from ledger.services.papers import erase_papers
from ledger.services.scrubbing import forget_deleted_rows


class UnknownPersonError(Exception):
    """Nobody of that address ever belonged to, or acted for, this seller."""

    code = "erasure_unknown_person"


class LastOwnerError(Exception):
    """A seller keeps at least one owner."""

    code = "erasure_last_owner"


def find_person(*, seller: Seller, email: str) -> User:
    """Who of this seller has that address; UnknownPersonError also for people of other sellers only."""
    user = User.objects.filter(email=normalise_email(email)).first()
    if user is None or not (_memberships(seller, user).exists() or _acted(seller, user).exists()):
        raise UnknownPersonError
    return user


def preview_person(*, actor: User | None, seller: Seller, user: User) -> Preview:
    """What erasing the person would take. Writes nothing."""
    require_permission(actor, seller, Permission.ERASE)
    statements = _acted(seller, user)
    keys = list(statements.values_list("pk", flat=True))
    counts = {
        "memberships": _memberships(seller, user).count(),
        "identities": len(keys),
        "invitations": _invitations(seller, user).count(),
        "certificates": certificates_of(keys).count(),
        "papers": _papers(seller, user).filter(erased_at=None).count(),
    }
    entries = tuple(statements.order_by("entry").values_list("seq", flat=True))
    return Preview({kind: count for kind, count in counts.items() if count}, entries, handed_out(keys), ())


def erase_person(*, actor: User | None, seller: Seller, user: User, reason: str) -> Erasure:
    """Erase a person from this seller. Stored certificates carry identities, so they are made anew when asked for.

    Raises LastOwnerError, UnknownPersonError.
    """
    require_permission(actor, seller, Permission.ERASE)
    forget_deleted_rows()
    with transaction.atomic():
        head = lock_head()
        find_person(seller=seller, email=user.email)
        _require_another_owner(seller, user)
        preview = preview_person(actor=None, seller=seller, user=user)
        erasure = Erasure(seller=seller, actor=actor, target=PERSON, reason=reason, lost=preview.lost)
        erasure.actor = None if actor == user else actor
        erasure.handed_out = preview.handed_out
        statements = _acted(seller, user)
        keys = list(statements.values_list("pk", flat=True))
        if keys:
            record_erasure(erasure, statements, SCOPE_PERSON, head)
        else:
            erasure.save(force_insert=True)
        erasure.blobs = [str(blob) for blob in certificates_of(keys).values_list("blob_id", flat=True)]
        erasure.blobs += erase_papers(_papers(seller, user))
        erasure.save(update_fields=["blobs"])
        destroy_keys(certificates_of(keys).values_list("blob_id", flat=True))
        certificates_of(keys).delete()
        statements.update(identity=b"")
        scrub_jobs(seller, {user.email, user.name} - {""})
        _take_out(seller, user)
        enqueue_cleaning(erasure)
    return erasure


def _memberships(seller: Seller, user: User) -> QuerySet[Membership]:
    return Membership.objects.of(seller).filter(user=user)


def _invitations(seller: Seller, user: User) -> InvitationQuerySet:
    rows: InvitationQuerySet = Invitation.objects.of(seller)
    return rows.filter(models.Q(email=user.email) | models.Q(accepted_by=user))


def _papers(seller: Seller, user: User) -> QuerySet[SellerPaper]:
    """Documents about the person."""
    return SellerPaper.objects.of(seller).filter(person=user)


def _acted(seller: Seller, user: User) -> QuerySet[Statement]:
    """What the person did, where the identity is still readable."""
    return Statement.objects.of(seller).filter(actor=user).exclude(identity=b"")


def _require_another_owner(seller: Seller, user: User) -> None:
    owners = Membership.objects.select_for_update().of(seller).filter(role=Role.OWNER)
    others = [owner for owner in owners if owner.user_id != user.pk]
    if _memberships(seller, user).filter(role=Role.OWNER).exists() and not others:
        raise LastOwnerError


def _take_out(seller: Seller, user: User) -> None:
    """Every mention of the person in this seller's rows, then the account unless another seller needs it."""
    _invitations(seller, user).open().update(withdrawn_at=timezone.now())
    _invitations(seller, user).update(email="")
    _memberships(seller, user).delete()
    forget_person(user=user, seller=seller)
    for rows, name in _rows_that_name_people(seller):
        rows.filter(**{name: user}).update(**{name: None})
    acted_elsewhere = Statement.objects.filter(actor=user).exists()
    if not user.memberships.exists() and not acted_elsewhere and not user.is_site_staff:
        forget_person(user=user)
        user.delete()


def _rows_that_name_people(seller: Seller) -> list[tuple[QuerySet[Any], str]]:
    """(rows of this seller, field) for every nullable reference to a person in any app."""
    found: list[tuple[QuerySet[Any], str]] = []
    for model in apps.get_models():
        fields: list[Any] = list(model._meta.concrete_fields)
        if any(field.name == "seller" for field in fields):
            rows = model._base_manager.filter(seller=seller)
            found += [(rows, field.name) for field in fields if field.related_model is User and field.null]
    return found
