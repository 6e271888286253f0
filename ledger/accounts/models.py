"""People, sellers (the tenants), their stores, and who belongs where.

A seller never shares a row with another seller; a person may belong to several.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.numbers import new_number


class UserManager(BaseUserManager["User"]):
    """Makes people; sign-up does not exist, so only invitations and create_owner call it."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=normalise_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


def normalise_email(email: str) -> str:
    """Lower case throughout: two people cannot differ by capitals alone."""
    return email.strip().lower()


class User(AbstractBaseUser):
    """A person, known by e-mail."""

    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(default=True)
    is_site_staff = models.BooleanField(
        default=False, help_text=_("Reviews verification documents and sees the machine's state; sees no originals.")
    )
    joined_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    # What parts of Django and of the libraries ask of any user model; rights live in permissions.py instead.
    @property
    def is_staff(self) -> bool:
        return False

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False

    def get_full_name(self) -> str:
        return str(self)


class SellerQuerySet(models.QuerySet["Seller"]):
    def visible_to(self, user: Any) -> SellerQuerySet:
        """Sellers this person belongs to."""
        return self.filter(memberships__user_id=user.pk or 0, memberships__user__is_active=True)


class Seller(models.Model):
    """The tenant: owns stores, originals, queries, checks and everything computed from them."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=200)
    time_zone = models.CharField(max_length=60, default="Asia/Shanghai")
    is_sample = models.BooleanField(default=False, help_text=_("Holds sample data only."))
    is_probe = models.BooleanField(default=False)  # made by `manage.py probe`; nobody belongs to it
    # null: the site's quota (settings); 0: none
    max_bytes = models.BigIntegerField(null=True)
    max_files_per_day = models.IntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Marketplace(models.TextChoices):
    ALIEXPRESS = "aliexpress", "AliExpress"
    AMAZON = "amazon", "Amazon"
    EBAY = "ebay", "eBay"
    TEMU = "temu", "Temu"
    SHEIN = "shein", "SHEIN"
    TIKTOK = "tiktok", "TikTok Shop"
    OTHER = "other", _("other")


class StoreQuerySet(models.QuerySet["Store"]):
    def visible_to(self, user: Any) -> StoreQuerySet:
        return self.filter(seller__in=Seller.objects.visible_to(user))

    def of(self, seller: Seller) -> StoreQuerySet:
        return self.filter(seller=seller)


class Store(models.Model):
    """One shop on one marketplace."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="stores")
    marketplace = models.CharField(_("marketplace"), max_length=20, choices=Marketplace.choices)
    name = models.CharField(_("store name"), max_length=200)
    shop_id = models.CharField(_("shop id"), max_length=80)
    time_zone = models.CharField(_("time zone"), max_length=60, default="Asia/Shanghai")
    created_at = models.DateTimeField(default=timezone.now)

    objects = StoreQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["seller", "marketplace", "shop_id"], name="store_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("owner")
    IP_MANAGER = "ip_manager", _("IP manager")
    OPERATOR = "operator", _("operator")
    VIEWER = "viewer", _("viewer")


class TeamQuerySet(models.QuerySet[Any]):
    """Rows about who belongs, or is invited, to a seller."""

    def visible_to(self, user: Any) -> Self:
        return self.filter(seller__in=Seller.objects.visible_to(user))

    def of(self, seller: Seller) -> Self:
        return self.filter(seller=seller)


class MembershipQuerySet(TeamQuerySet):
    def with_state(self) -> Self:
        """Adds has_second_factor and belongs_elsewhere: to another seller that is not sample data."""
        elsewhere = Membership.objects.filter(user=OuterRef("user"), seller__is_sample=False)
        return self.annotate(
            has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("user"))),
            belongs_elsewhere=Exists(elsewhere.exclude(seller=OuterRef("seller"))),
        )


class InvitationQuerySet(TeamQuerySet):
    def open(self) -> Self:
        """Links that still work."""
        return self.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())

    def renewable(self) -> Self:
        """Nobody came and nobody withdrew it; it may be too old."""
        return self.filter(accepted_at=None, withdrawn_at=None)


class Membership(models.Model):
    """One person in one seller, with one role; read afresh on every request."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "seller"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.user} · {self.seller} · {self.role}"


class Invitation(models.Model):
    """A one-time link. Only the SHA-256 of its token is stored; without a seller it is the first owner's."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, null=True, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail"), blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-created_at"], name="invitation_list")]
        constraints = [
            models.CheckConstraint(condition=Q(seller__isnull=False) | Q(role=Role.OWNER), name="first_run_is_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.role}"

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and self.expires_at > timezone.now()


class SignIn(models.Model):
    """One browser in which a person is signed in: what the person sees of it and ends. Gone when its session is gone."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    number = models.CharField(max_length=16, unique=True, default=new_number)
    session_key = models.CharField(max_length=40, unique=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    signed_in_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["user", "-last_seen_at"], name="sign_in_list")]

    def __str__(self) -> str:
        return f"{self.user} · {self.address}"


class Scope(models.TextChoices):
    """What an API token may be used for; never more than the person who made it may do."""

    READ = "read", _("read: originals, certificates, evidence, jobs")
    REGISTER = "register", _("register pictures")
    SEARCH = "search", _("search for copies")
    CHECK = "check", _("check pairs of main and hidden image")


class ApiTokenQuerySet(TeamQuerySet):
    def live(self) -> Self:
        """Tokens that still open something."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class ApiToken(models.Model):
    """A key for programs. Only the SHA-256 of its 256 random bits is stored; it acts as the person who made it."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="api_tokens")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(_("name"), max_length=80)
    scopes = models.JSONField(default=list)
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="api_token_list")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now() and self.created_by_id is not None
