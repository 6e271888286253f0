"""Background work."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.models.rows import SellerQuerySet


class JobState(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")  # a named error that trying again would not change
    DEAD = "dead", _("gave up")  # tried max_attempts times
    CANCELLED = "cancelled", _("cancelled")


class Job(models.Model):
    """One unit of background work. The row is the truth; the queue carries only its id."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4)
    seller = models.ForeignKey(Seller, null=True, on_delete=models.CASCADE, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=60)
    args = models.JSONField(default=dict)
    queue = models.CharField(max_length=10, choices=[("fast", "fast"), ("heavy", "heavy")], default="fast")
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    attempts = models.SmallIntegerField(default=0)  # raised before the work, so a crash counts
    max_attempts = models.SmallIntegerField(default=3)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=80, blank=True)
    progress_done = models.IntegerField(default=0)
    progress_total = models.IntegerField(default=0)
    progress_note = models.CharField(max_length=200, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=120, blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    enqueued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "kind", "dedupe_key"],
                condition=Q(state__in=["queued", "running"]) & ~Q(dedupe_key=""),
                name="unfinished_job_once",
            )
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="job_sweep"),
            models.Index(fields=["seller", "state", "-id"], name="job_list"),
            # Workers look here five times a second.
            models.Index(fields=["queue", "id"], condition=Q(state="queued"), name="job_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"
