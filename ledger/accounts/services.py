"""Every write about people: invitations, memberships, reset links, sellers, stores.

Rights are checked here, against the database as it is now. Refusals are ValidationErrors with words for people and a
stable code.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import available_timezones

from allauth.account import app_settings as account_settings
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Invitation, Membership, Role, Seller, Store, User, normalise_email
from ledger.accounts.permissions import Permission, require_permission
from ledger.accounts.sign_ins import end_other_sign_ins

INVITATION_LIFETIME = timedelta(days=7)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """The row and the secret of its link; the secret is shown once and never stored."""

    invitation: Invitation
    token: str


def _token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _new_invitation(*, seller: Seller | None, email: str, role: str, invited_by: User | None) -> NewInvitation:
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        seller=seller,
        email=normalise_email(email),
        role=role,
        invited_by=invited_by,
        token_sha256=_token_digest(token),
        expires_at=timezone.now() + INVITATION_LIFETIME,
    )
    return NewInvitation(invitation, token)


@transaction.atomic
def invite(*, actor: User, seller: Seller, email: str, role: str) -> NewInvitation:
    """Make a one-time link by which somebody joins the seller; an open one for the same address is withdrawn."""
    require_permission(actor, seller, Permission.MANAGE_TEAM)
    if role not in Role.values:
        raise ValidationError(_("There is no such role."), code="role_unknown")
    if Membership.objects.filter(seller=seller, user__email=normalise_email(email)).exists():
        raise ValidationError(_("This person already belongs to the seller."), code="already_member")
    open_ones = Invitation.objects.filter(
        seller=seller, email=normalise_email(email), accepted_at=None, withdrawn_at=None
    )
    open_ones.update(withdrawn_at=timezone.now())
    return _new_invitation(seller=seller, email=email, role=role, invited_by=actor)


def renew_invitation(*, actor: User, invitation: Invitation) -> NewInvitation:
    """A new link instead of one that was lost or is too old, for the same address and role."""
    assert invitation.seller is not None  # noqa: S101 - the first owner's link has no page
    require_permission(actor, invitation.seller, Permission.MANAGE_TEAM)
    if invitation.accepted_at is not None or invitation.withdrawn_at is not None:
        raise ValidationError(_("This link was used or withdrawn. Invite the person again."), code="link_closed")
    return invite(actor=actor, seller=invitation.seller, email=invitation.email, role=invitation.role)


@transaction.atomic
def first_owner_invitation() -> NewInvitation | None:
    """The first run's one-time link, or None once somebody has an account. Earlier unused links stop working."""
    if User.objects.exists():
        return None
    Invitation.objects.filter(seller=None, accepted_at=None).delete()
    return _new_invitation(seller=None, email="", role=Role.OWNER, invited_by=None)


def find_invitation(token: str) -> Invitation | None:
    """The open invitation of a link, or None: used, withdrawn, expired and never issued look alike."""
    rows = Invitation.objects.open().filter(token_sha256=_token_digest(token))
    invitation = rows.select_related("seller", "invited_by").first()
    if invitation is not None and invitation.seller is None and User.objects.exists():
        return None  # the first owner came another way meanwhile
    return invitation


@transaction.atomic
def accept_invitation(
    *, token: str, user: User | None, email: str = "", password: str = "", seller_name: str = ""
) -> Membership:
    """Join by a link, as the signed-in person or as a new one; the link works once.

    The first owner also names the first seller and becomes site staff.
    """
    invitation = Invitation.objects.open().select_for_update().filter(token_sha256=_token_digest(token)).first()
    if invitation is None or (invitation.seller is None and User.objects.exists()):
        raise ValidationError(_("This link was used, withdrawn or is too old. Ask for a new one."), code="link_closed")
    if user is not None and invitation.email and user.email != invitation.email:
        raise ValidationError(
            _("This invitation is for another e-mail address. Sign out and open the link again."), code="other_person"
        )
    if user is None:
        user = create_user(email=invitation.email or email, password=password, is_site_staff=invitation.seller is None)
    seller = invitation.seller or create_seller(name=seller_name)
    membership, _created = Membership.objects.get_or_create(
        user=user, seller=seller, defaults={"role": invitation.role}
    )
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    return membership


@transaction.atomic
def create_user(*, email: str, password: str, name: str = "", is_site_staff: bool = False) -> User:
    """A person whose address counts as confirmed; an address in use, or a weak password, is refused."""
    check_password(email=email, password=password)
    if User.objects.filter(email=normalise_email(email)).exists():
        raise ValidationError(
            _("There is already an account with this e-mail address. Sign in first, then open the link again."),
            code="email_taken",
        )
    user = User.objects.create_user(email, password, name=name, is_site_staff=is_site_staff)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def check_password(*, email: str, password: str) -> None:
    """Raise ValidationError with the validators' words for a password that is too short, common or like the address."""
    validate_password(password, User(email=normalise_email(email)))


def change_name(*, actor: User, name: str) -> None:
    """What the team list calls the person."""
    User.objects.filter(pk=actor.pk).update(name=name)


# The machine's operator ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MadeOwner:
    """What create_owner did; each flag says whether that part is new."""

    user: User
    seller: Seller
    user_created: bool
    seller_created: bool


@transaction.atomic
def make_owner(*, email: str, seller_slug: str, password: str, name: str = "", reset: bool = False) -> MadeOwner:
    """Make a person owner of a seller, whoever of the two exists already; the first person becomes site staff.

    Only for the operator of the machine. An existing person keeps the password unless reset is true.
    """
    validate_email(email)
    seller = Seller.objects.filter(slug=seller_slug).first()
    seller_created = seller is None
    seller = seller or create_seller(name=seller_slug, slug=seller_slug)
    user = User.objects.filter(email=normalise_email(email)).first()
    user_created = user is None
    if user is None:
        user = create_user(email=email, password=password, name=name, is_site_staff=not User.objects.exists())
    elif reset:
        check_password(email=email, password=password)
        user.set_password(password)
        user.save(update_fields=["password"])
    Membership.objects.update_or_create(user=user, seller=seller, defaults={"role": Role.OWNER})
    return MadeOwner(user, seller, user_created, seller_created)


def create_seller(*, name: object, slug: str = "", is_sample: bool = False) -> Seller:
    """A seller with a slug nobody has yet."""
    wanted = slug or slugify(str(name))[:50] or "shop"
    candidate, number = wanted, 1
    while Seller.objects.filter(slug=candidate).exists():
        number += 1
        candidate = f"{wanted}-{number}"
    return Seller.objects.create(name=str(name), slug=candidate, is_sample=is_sample)


@transaction.atomic
def probe_seller() -> Seller:
    """The seller of `manage.py probe`: without people, and not counted where sellers are."""
    found = Seller.objects.filter(is_probe=True).first()
    if found is None:
        found = create_seller(name="Probe", slug="probe")
        found.is_probe = True
        found.save(update_fields=["is_probe"])
    return found


# The team --------------------------------------------------------------------------------------------------------


def withdraw_invitation(*, actor: User, invitation: Invitation) -> None:
    """Make a link stop working."""
    assert invitation.seller is not None  # noqa: S101 - the first owner's link has no page
    require_permission(actor, invitation.seller, Permission.MANAGE_TEAM)
    Invitation.objects.open().filter(pk=invitation.pk).update(withdrawn_at=timezone.now())


def _require_another_owner(membership: Membership) -> None:
    owners = Membership.objects.select_for_update().filter(seller=membership.seller, role=Role.OWNER)
    if membership.role == Role.OWNER and not [owner for owner in owners if owner.pk != membership.pk]:
        raise ValidationError(
            _("A seller needs at least one owner. Make somebody else owner first."), code="last_owner"
        )


def _withdraw_invitations_of(membership: Membership) -> None:
    """Who is no longer owner may still know the links they made, and must not come back by one."""
    theirs = Invitation.objects.open().of(membership.seller).filter(invited_by=membership.user)
    theirs.update(withdrawn_at=timezone.now())


@transaction.atomic
def change_role(*, actor: User, membership: Membership, role: str) -> None:
    """Give a member another role; the last owner stays owner."""
    require_permission(actor, membership.seller, Permission.MANAGE_TEAM)
    if role not in Role.values:
        raise ValidationError(_("There is no such role."), code="role_unknown")
    if role != Role.OWNER:
        _require_another_owner(membership)
        _withdraw_invitations_of(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)


@transaction.atomic
def remove_member(*, actor: User, membership: Membership) -> None:
    """End a membership; the person's account and what they did stay."""
    require_permission(actor, membership.seller, Permission.MANAGE_TEAM)
    _require_another_owner(membership)
    _withdraw_invitations_of(membership)
    membership.delete()


@dataclass(frozen=True, slots=True)
class ResetLink:
    """The two parts of allauth's reset URL. It works once, for PASSWORD_RESET_TIMEOUT, and is never stored."""

    uid: str
    key: str


def can_reset(membership: Membership) -> bool:
    """Whether an owner of this seller may hand the member a reset link.

    Whoever holds the link can sign in as that person (though not past a second factor), so it must open nothing beyond
    what the owner rules anyway: never another seller's pictures, never the site's own pages.
    """
    user = membership.user
    state = Membership.objects.with_state().get(pk=membership.pk)
    return user.is_active and not user.is_site_staff and not state.belongs_elsewhere


def make_reset_link(*, actor: User, membership: Membership) -> ResetLink:
    """A one-time link by which a member of the owner's seller chooses a new password, for sites without mail."""
    require_permission(actor, membership.seller, Permission.MANAGE_TEAM)
    if membership.user_id == actor.pk:
        raise ValidationError(_("Change your own password on your profile page."), code="reset_self")
    if not can_reset(membership):
        raise ValidationError(
            _(
                "This person also belongs to another seller or runs this site, so only its operator can reset the password."
            ),
            code="reset_refused",
        )
    # The one trace of who could have signed in as whom.
    logger.warning("user %s made a password reset link for user %s", actor.pk, membership.user_id)
    return _reset_link(membership.user)


def _reset_link(user: User) -> ResetLink:
    key = account_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return ResetLink(user_pk_to_url_str(user), key)


@transaction.atomic
def recover_person(*, email: str, drop_second_factor: bool) -> ResetLink:
    """A reset link made by the operator of the machine, for anybody; also without the second factor, if that is lost.

    Every session of the person ends when the second factor is dropped. Raises User.DoesNotExist.
    """
    user = User.objects.select_for_update().get(email=normalise_email(email), is_active=True)
    logger.warning("the operator made a password reset link for user %s", user.pk)
    if drop_second_factor:
        logger.warning("the operator dropped the second factor of user %s", user.pk)
        Authenticator.objects.filter(user=user).delete()
        end_other_sign_ins(actor=user, keep=None)
    return _reset_link(user)


def add_store(*, actor: User | None, seller: Seller, marketplace: str, name: str, shop_id: str) -> Store:
    """A shop of this seller on one marketplace."""
    require_permission(actor, seller, Permission.MANAGE_STORES)
    if Store.objects.of(seller).filter(marketplace=marketplace, shop_id=shop_id).exists():
        raise ValidationError(_("This store is already listed."), code="store_exists")
    return Store.objects.create(seller=seller, marketplace=marketplace, name=name, shop_id=shop_id)


def set_store_time_zone(*, actor: User, store: Store, time_zone: str) -> None:
    """Where the store's days begin and end; a name of the IANA time zone database, or ValidationError."""
    require_permission(actor, store.seller, Permission.MANAGE_STORES)
    if time_zone not in available_timezones():
        raise ValidationError(_("There is no such time zone."), code="time_zone_unknown")
    Store.objects.filter(pk=store.pk).update(time_zone=time_zone)


def rename_seller(*, actor: User, seller: Seller, name: str) -> None:
    """Change the name printed on certificates from now on; earlier entries keep theirs."""
    require_permission(actor, seller, Permission.MANAGE_TEAM)
    Seller.objects.filter(pk=seller.pk).update(name=name)
