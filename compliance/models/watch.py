"""The standing watch: matches between originals and listings, what people decided about them, and who is told.

A match is derived: the pictures and the engine named in it give the same score and evidence again. What people said of it
is not, and keeps its history.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from compliance.models.library import ListingImage
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Original, SellerQuerySet


class MatchState(models.TextChoices):
    OPEN = "open", _("open")
    COPY = "copy", _("copy")
    NOT_A_COPY = "not_a_copy", _("not a copy")
    OURS = "ours", _("ours")
    LICENSED = "licensed", _("licensed")
    LATER = "later", _("later")


class RuleKind(models.TextChoices):
    ALLOW = "allow", _("allowed")
    DENY = "deny", _("denied")
    WATCH = "watch", _("watched")


class SellerRule(models.Model):
    """What this seller thinks of a shop on a marketplace: allowed raises no alert, denied and watched are marked.

    shop_key: see compliance/services/shops.py.
    """

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    shop_key = models.CharField(max_length=220)
    shop_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=RuleKind.choices)
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "shop_key"], name="rule_once_per_shop")]

    def __str__(self) -> str:
        return f"{self.shop_name} · {self.kind}"


class WatchMatch(models.Model):
    """A listing's picture that is a copy of an original, as measured: the listing's picture is compared with ours."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="matches")
    listing_image = models.ForeignKey(ListingImage, on_delete=models.CASCADE, related_name="matches")
    # Derived, by the engine named.
    engine = models.CharField(max_length=60)
    score_milli = models.IntegerField()  # 0..100,000: thousandths of a point
    verdict = models.CharField(max_length=30)
    transform = models.CharField(max_length=120)  # names of the edits, or the verdict where there is none: a cluster
    evidence = models.JSONField(default=dict)  # as in Candidate
    # Facts of the listing as of the match, so that clusters need no other table.
    shop_key = models.CharField(max_length=220, blank=True)
    shop_name = models.CharField(max_length=200, blank=True)
    rule = models.CharField(max_length=8, blank=True)  # of the shop, brought up to date when the rule changes
    # What people decided.
    state = models.CharField(max_length=12, choices=MatchState.choices, default=MatchState.OPEN)
    reason = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)
    # An earlier copy of the same original by the same shop, or this very listing, that is back.
    relist_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="relistings")
    relisted_at = models.DateTimeField(null=True)
    raised = models.BigIntegerField(default=0)  # counts the seller's alerts; 0 where nobody is to be told
    found_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["original", "listing_image"], name="match_once")]
        indexes = [
            models.Index(fields=["seller", "state", "rule", "-id"], name="match_queue"),
            models.Index(fields=["seller", "shop_key", "state"], name="match_by_shop"),
            models.Index(fields=["seller", "raised"], name="match_by_alert"),
            models.Index(fields=["seller", "original", "state"], name="match_by_original"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def score(self) -> float:
        return self.score_milli / 1000


class MatchDecision(models.Model):
    """One decision about one match: from what to what, by whom, and whether it was taken back.

    batch is shared by the matches that were decided with one key; taking back one takes back all of them.
    """

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    match = models.ForeignKey(WatchMatch, on_delete=models.CASCADE, related_name="decisions")
    batch = models.CharField(max_length=16)
    state_before = models.CharField(max_length=12, choices=MatchState.choices)
    state_after = models.CharField(max_length=12, choices=MatchState.choices)
    reason_before = models.CharField(max_length=300, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")  # None: the watch itself
    at = models.DateTimeField(default=timezone.now)
    undone_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    undone_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "batch"], name="decision_batch")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.match} · {self.state_after}"


# Who is told ------------------------------------------------------------------------------------------------------


class WatchSettings(models.Model):
    """One row per seller: how many alerts there were, and the webhook that is told of them.

    The secret that signs is not stored: it is derived from the site's secret and this nonce (services/webhooks.py).
    """

    seller = models.OneToOneField(Seller, on_delete=models.PROTECT, primary_key=True, related_name="+")
    raised = models.BigIntegerField(default=0)
    webhook_url = models.CharField(max_length=500, blank=True)
    webhook_nonce = models.CharField(max_length=32, blank=True)
    webhook_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.seller} · {self.raised}"


class WebhookDelivery(models.Model):
    """One message to the webhook: what is sent, how often it was tried, and what came back."""

    WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    body = models.TextField()
    state = models.CharField(
        max_length=10,
        choices=[(WAITING, _("waiting")), (DELIVERED, _("delivered")), (FAILED, _("failed"))],
        default=WAITING,
    )
    attempts = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    error_code = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="webhook_due"),
            models.Index(fields=["seller", "-id"], name="webhook_list"),
        ]

    def __str__(self) -> str:
        return self.number


class Digest(models.Model):
    """When one member wants the new matches by e-mail, and how far the last message went."""

    class Schedule(models.TextChoices):
        OFF = "off", pgettext_lazy("digest", "never")
        HOURLY = "hourly", _("at most once an hour")
        DAILY = "daily", _("once a day")
        WEEKLY = "weekly", _("once a week, on Monday")

    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    schedule = models.CharField(max_length=8, choices=Schedule.choices, default=Schedule.OFF)
    hour = models.SmallIntegerField(default=8)  # in the seller's time zone; for daily and weekly
    language = models.CharField(max_length=12, default="zh-hans")
    told = models.BigIntegerField(default=0)  # WatchMatch.raised of the newest match in the last message
    sent_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "user"], name="digest_once_per_member")]

    def __str__(self) -> str:
        return f"{self.user} · {self.schedule}"


class WatchFeed(models.Model):
    """An address at which a feed reader sees the newest matches. Only the SHA-256 of its token is stored."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    made_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.number
