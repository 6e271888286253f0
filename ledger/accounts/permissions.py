"""Who may do what, in one table. Rights are read from the database on every request and checked in the services."""

from __future__ import annotations

from enum import StrEnum

from django.core.exceptions import PermissionDenied

from ledger.accounts.models import Membership, Role, Seller, User


class Permission(StrEnum):
    VIEW = "view"  # originals, queries, checks, history, certificates
    REGISTER = "register"
    QUERY = "query"
    CHECK = "check"
    DOWNLOAD_ORIGINAL = "download_original"  # the exact bytes, with whatever metadata they carry
    VIEW_PRIVATE_METADATA = "view_private_metadata"  # GPS and serial numbers
    IMPORT_CATALOGUE = "import_catalogue"
    TRIAGE = "triage"  # see what the watch found, decide about it, and who is told
    SEAL = "seal"  # ask for a checkpoint now
    REQUEUE_JOB = "requeue_job"
    MANAGE_STORES = "manage_stores"
    MANAGE_TEAM = "manage_team"
    MANAGE_TOKENS = "manage_tokens"  # keys for programs
    MANAGE_PAPERS = "manage_papers"  # documents that say who the seller is
    VIEW_ACCESS_LOG = "view_access_log"  # who downloaded what
    VIEW_USAGE = "view_usage"  # how much is stored, and how much may be
    MANAGE_CASES = "manage_cases"  # see and do everything about complaints and defences
    HOLD = "hold"  # keep something from being erased
    ERASE = "erase"  # for good


EVERYBODY = frozenset({Permission.VIEW})
OPERATOR = EVERYBODY | {Permission.REGISTER, Permission.QUERY, Permission.CHECK, Permission.REQUEUE_JOB}
IP_MANAGER = OPERATOR | {
    Permission.DOWNLOAD_ORIGINAL,
    Permission.VIEW_PRIVATE_METADATA,
    Permission.IMPORT_CATALOGUE,
    Permission.TRIAGE,
    Permission.SEAL,
    Permission.MANAGE_CASES,
    Permission.HOLD,
}
OWNER = frozenset(Permission)

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: OWNER,
    Role.IP_MANAGER: IP_MANAGER,
    Role.OPERATOR: OPERATOR,
    Role.VIEWER: EVERYBODY,
}


def permissions_of(user: User, seller: Seller) -> frozenset[Permission]:
    """What this person may do for this seller now; empty for strangers and deactivated people."""
    if not user.is_active:
        return frozenset()
    role = Membership.objects.filter(user=user, seller=seller).values_list("role", flat=True).first()
    return PERMISSIONS[role] if role else frozenset()


def may_run_site(user: User) -> bool:
    """Whether this person decides what concerns the whole site: its staff, or the owner of the only seller on it."""
    if not user.is_active:
        return False
    owned = Membership.objects.filter(user=user, role=Role.OWNER).exists()
    return user.is_site_staff or (owned and Seller.objects.filter(is_probe=False).count() == 1)


def require_permission(user: User | None, seller: Seller, permission: Permission) -> None:
    """Raise PermissionDenied unless the person holds the right; None stands for the operator of the machine."""
    if user is not None and permission not in permissions_of(user, seller):
        raise PermissionDenied(f"{permission} is needed")


def require_staff(user: User) -> None:
    """Raise PermissionDenied unless the person is site staff now."""
    if not User.objects.filter(pk=user.pk, is_active=True, is_site_staff=True).exists():
        raise PermissionDenied("site staff is needed")
