"""The log: entries and hashes about nobody, which database triggers refuse to change, its signed checkpoints and who cosigns them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from ledger.models.rows import SHA256_BYTES


class LogHead(models.Model):
    """The one row that says how long the present log is; locked by every append.

    Rows of the log are counted through all epochs: an entry's key is `first` + its number in its own log. Sizes and
    numbers that anybody signs or is shown are those of the one log.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    origin = models.CharField(max_length=200)
    parameters = models.BinaryField()  # the parameter file whose SHA-256 is the genesis prev
    first = models.BigIntegerField(default=0)  # how many entries of earlier epochs stand before this log's entry 0
    size = models.BigIntegerField(default=0)
    prev = models.BinaryField(max_length=SHA256_BYTES)
    frontier = models.BinaryField(default=b"")
    last_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_log_head")]

    def __str__(self) -> str:
        return f"{self.origin} · {self.size}"

    @property
    def end(self) -> int:
        """How many entries there are through all epochs."""
        return self.first + self.size


class PastEpoch(models.Model):
    """A log of this site that was ended and is never signed again: what is held of it, and what was signed.

    Rows are never changed. Entries `size` up to `signed_size` were signed and are lost; those from `covered` on are
    held under no signed head and stand once more in the log after it, in order, from `again_at` on.
    """

    number = models.SmallIntegerField(primary_key=True)  # from 1, in order; the present log has the next number
    origin = models.CharField(max_length=200, unique=True)
    parameters = models.BinaryField()  # empty for a log that is lost whole
    first = models.BigIntegerField()
    size = models.BigIntegerField()  # held
    signed_size = models.BigIntegerField()
    signed_note = models.TextField()  # the last checkpoint that was signed; its tree may be lost
    covered = models.BigIntegerField()  # size of the newest checkpoint that is held
    again_at = models.BigIntegerField()  # key of the entry that repeats entry `covered`
    reason = models.CharField(max_length=20)
    remark = models.CharField(max_length=500, blank=True)  # the operator's own words, in no entry
    ended_at = models.DateTimeField()

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number} · {self.origin}"

    @property
    def end(self) -> int:
        return self.first + self.size

    @property
    def lost(self) -> int:
        """How many entries were signed and are not held: those from `size` to `last_signed`."""
        return max(0, self.signed_size - self.size)

    @property
    def last_signed(self) -> int:
        return self.signed_size - 1


class Entry(models.Model):
    """One leaf of the tree: the stored bytes are the truth and are never written again."""

    seq = models.BigIntegerField(primary_key=True)  # through all epochs; the number in its own log is in the body
    body = models.BinaryField()
    leaf_hash = models.BinaryField(max_length=SHA256_BYTES)

    def __str__(self) -> str:
        return f"#{self.seq}"


class TreeNode(models.Model):
    """The root of one complete subtree of 256**level leaves; level 0 is the entries themselves.

    Like entries, nodes of one level are counted through all epochs: those of earlier logs stand before.
    """

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=SHA256_BYTES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="tree_node_unique")]

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed tree head, as the text that was signed."""

    tree_size = models.BigIntegerField(primary_key=True)  # through all epochs; the note has the size that was signed
    root_hash = models.BinaryField(max_length=SHA256_BYTES)
    note = models.TextField()
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"checkpoint of {self.size}"

    @property
    def origin(self) -> str:
        """The log it is of, as signed."""
        return self.note.split("\n", 1)[0]

    @property
    def size(self) -> int:
        """The size of that log, as signed."""
        return int(self.note.split("\n", 2)[1])

    @property
    def first(self) -> int:
        """The key of that log's entry 0."""
        return self.tree_size - self.size


class Witness(models.Model):
    """Somebody outside who cosigns checkpoints after checking that the log only grew; chosen by the operator."""

    name = models.CharField(max_length=60, unique=True)  # how groups and pages call it
    vkey = models.TextField()
    url = models.CharField(max_length=500)  # add-checkpoint is appended
    allows_local = models.BooleanField(default=False)  # its address may be inside this network
    is_enabled = models.BooleanField(default=True)
    seen_size = models.BigIntegerField(default=0)  # of the last checkpoint it is known to have cosigned
    failures = models.IntegerField(default=0)  # in a row
    rest_until = models.DateTimeField(null=True)  # not asked before
    last_error = models.CharField(max_length=60, blank=True)
    last_error_detail = models.CharField(max_length=300, blank=True)
    last_cosigned_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Cosignature(models.Model):
    """One more signature line under a checkpoint: a witness's, or the log's own with its ML-DSA key."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="cosignatures")
    witness = models.ForeignKey(Witness, null=True, on_delete=models.SET_NULL, related_name="cosignatures")
    name = models.CharField(max_length=255)
    key_id = models.CharField(max_length=8)
    line = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["checkpoint", "name", "key_id"], name="cosignature_once")]

    def __str__(self) -> str:
        return f"{self.name} on {self.checkpoint_id}"
