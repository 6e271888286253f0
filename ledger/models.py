"""The ledger's tables: the log (append-only), what sellers registered, its files, background jobs, certificates.

Three groups that never mix. The log itself (Entry, TreeNode, Checkpoint) holds hashes and nothing about anybody; database
triggers refuse to change it. Statements hold the salted documents behind the hashes and can be erased. Everything
else is derived from sealed bytes and can be made again.
"""

from __future__ import annotations

import uuid
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number

SHA256_BYTES = 32


ModelT = TypeVar("ModelT", bound=models.Model)


class SellerQuerySet(models.QuerySet[ModelT]):
    """Rows that carry one seller."""

    def visible_to(self, user: Any) -> Self:
        """The rows whose seller this person belongs to: where every read of a seller's rows starts."""
        return self.filter(seller__in=Seller.objects.visible_to(user))

    def of(self, seller: Seller) -> Self:
        return self.filter(seller=seller)


# The log --------------------------------------------------------------------------------------------------------


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


class TimeAuthority(models.Model):
    """A time-stamping authority that the people who run the site chose, and how it has been answering."""

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(max_length=500)
    policy = models.CharField(max_length=100, blank=True)  # OID to ask for; empty takes the authority's own
    trust_anchors = models.TextField()  # PEM, from elsewhere than the authority's answers
    is_accredited = models.BooleanField(default=False)  # the word of whoever configured it
    allows_local = models.BooleanField(default=False)  # its address may be inside this network
    priority = models.SmallIntegerField(default=10)  # lower is asked first
    quota_calls = models.IntegerField(default=1)
    quota_window_s = models.IntegerField(default=60)
    is_enabled = models.BooleanField(default=True)
    failures = models.IntegerField(default=0)  # in a row
    rest_until = models.DateTimeField(null=True)  # not asked before
    last_error = models.CharField(max_length=60, blank=True)
    last_error_detail = models.CharField(max_length=300, blank=True)
    last_error_at = models.DateTimeField(null=True)
    last_token_at = models.DateTimeField(null=True)
    last_skew_ms = models.BigIntegerField(null=True)  # its clock minus ours
    crls = models.TextField(blank=True)  # PEM, renewed once a day
    crls_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["priority", "pk"]

    def __str__(self) -> str:
        return self.name


class AuthorityCall(models.Model):
    """One request to an authority, written before it is made: what the quota counts even if we die in between."""

    authority = models.ForeignKey(TimeAuthority, on_delete=models.CASCADE, related_name="calls")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["authority", "at"], name="authority_call_quota")]

    def __str__(self) -> str:
        return f"{self.authority_id} {self.at}"


class TimestampToken(models.Model):
    """An authority's answer about one checkpoint, byte for byte, with what is needed to check it for decades."""

    authority = models.ForeignKey(TimeAuthority, on_delete=models.PROTECT, related_name="tokens")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="tokens")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="token")  # the anchor entry
    note = models.BinaryField()  # what was stamped
    response = models.BinaryField()
    sha256 = models.BinaryField(max_length=SHA256_BYTES)  # of the response
    chain = models.TextField()  # PEM, from the signer upwards
    crls = models.TextField(blank=True)  # PEM
    root_sha256 = models.BinaryField(max_length=SHA256_BYTES)  # of the last certificate of the chain
    gen_time = models.DateTimeField()
    authority_name = models.CharField(max_length=200)  # as its certificate says
    policy = models.CharField(max_length=100)
    valid_until = models.DateTimeField()  # by then a younger token has to cover this one
    is_development = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["authority", "checkpoint"], name="one_token_per_checkpoint_and_authority")
        ]

    def __str__(self) -> str:
        return f"{self.authority_name} {self.gen_time:%Y-%m-%d %H:%M:%S}"


class Statement(models.Model):
    """What an entry says, for those who may read it: the salted claim and identity documents and whose they are.

    Erasing these leaves the entry, the root and every other proof as they are.
    """

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="statement")
    seq = models.BigIntegerField()  # the entry's number in its own log, as people are shown it
    number = models.CharField(max_length=16, unique=True)
    seller = models.ForeignKey(Seller, null=True, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=32)
    request_id = models.CharField(max_length=80)
    claim = models.BinaryField()
    identity = models.BinaryField()
    logged_at = models.DateTimeField()
    label = models.CharField(max_length=255)  # file name or the like, for lists
    outcome = models.CharField(max_length=20, blank=True)  # a status chip's state, for lists
    outdated_at = models.DateTimeField(null=True)  # since when what it is about has changed, for lists
    # Set when claim and identity were erased; the entry, its proof and its number stay.
    erasure = models.ForeignKey("Erasure", null=True, on_delete=models.PROTECT, related_name="erased_statements")

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "request_id"], name="request_once_per_seller")]
        indexes = [
            # With the label: a search by name reads this index and nothing else until it finds something.
            models.Index(fields=["seller", "-entry", "label"], name="statement_search"),
            models.Index(fields=["seller", "kind", "-entry"], name="statement_history_kind"),
            models.Index(fields=["seller", "kind", "logged_at"], name="statement_by_time"),  # counts by week
            models.Index(
                fields=["seller", "outdated_at"],
                condition=models.Q(outdated_at__isnull=False),
                name="statement_outdated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"

    @property
    def first(self) -> int:
        """The key of entry 0 of the log it is in."""
        return self.entry_id - self.seq


# Files ----------------------------------------------------------------------------------------------------------


class Blob(models.Model):
    """One encrypted file under its seller. Destroying the wrapped key erases it wherever copies are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    size_bytes = models.BigIntegerField()  # of the plain bytes
    wrapped_key = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.id)


class ImageState(models.TextChoices):
    SEALED = "sealed", _("sealed, waiting for analysis")
    READY = "ready", _("ready")
    UNDECODABLE = "undecodable", _("sealed, cannot be opened as a picture")
    ERASED = "erased", _("erased")  # the row stays for what points at it; nothing of the picture does


class ImageFile(models.Model):
    """A stored picture file and what was computed from it; all but sha256 and size can be computed again."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="image")
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    size_bytes = models.BigIntegerField()
    file_name = models.CharField(max_length=255)
    format = models.CharField(max_length=10)
    mime = models.CharField(max_length=40)
    flags = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=ImageState.choices, default=ImageState.SEALED)
    error_code = models.CharField(max_length=40, blank=True)
    width = models.IntegerField(null=True)  # pixels, upright
    height = models.IntegerField(null=True)
    pixel_sha256 = models.BinaryField(max_length=SHA256_BYTES, null=True)
    metadata = models.JSONField(default=dict)
    private_metadata = models.JSONField(default=dict)  # place and serial numbers
    analysis_version = models.SmallIntegerField(default=0)
    has_thumbnails = models.BooleanField(default=False)
    features_version = models.SmallIntegerField(default=0)  # of the part with local features; 0 none, < 0 failed
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "sha256"], name="image_by_digest"),
            models.Index(fields=["seller", "state", "-id"], name="image_by_state"),
            models.Index(fields=["state", "features_version"], name="image_by_features"),
        ]

    def __str__(self) -> str:
        return self.file_name


class Fingerprint(models.Model):
    """A perceptual fingerprint of a picture, with the algorithm that made it."""

    image = models.ForeignKey(ImageFile, on_delete=models.CASCADE, related_name="fingerprints")
    algorithm = models.CharField(max_length=20)
    version = models.SmallIntegerField()
    value = models.BinaryField()
    quality = models.SmallIntegerField(default=100)  # 0..100: how much picture there was to code

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "algorithm", "version"], name="fingerprint_unique")]

    def __str__(self) -> str:
        return f"{self.algorithm}:{bytes(self.value).hex()}"


class OriginalManager(models.Manager.from_queryset(SellerQuerySet["Original"])):  # type: ignore[misc]
    """Leaves erased originals out of every list, search and choice; rows that point at one still find it."""

    def get_queryset(self) -> SellerQuerySet[Original]:
        rows: SellerQuerySet[Original] = super().get_queryset().filter(erased_at=None)
        return rows


class Original(models.Model):
    """A registered picture: exact bytes durable and entry committed. An erased one keeps number and entry only."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="original")
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="original")
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    store = models.ForeignKey(Store, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    category = models.CharField(max_length=40, blank=True)
    title = models.CharField(max_length=255, blank=True)
    search_text = models.CharField(max_length=512, blank=True)  # title and file name: what a search by name looks at
    registered_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    registered_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=10, blank=True)  # a PictureSource, as declared last; empty: not declared

    objects = OriginalManager()
    with_erased = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "sha256"], name="original_once_per_seller")]
        indexes = [
            models.Index(fields=["seller", "-id", "search_text"], name="original_search"),
            models.Index(fields=["seller", "category", "-id"], name="original_by_category"),
        ]

    def __str__(self) -> str:
        return self.title or self.image.file_name


class DerivativeRole(models.TextChoices):
    MAIN = "main", _("main image")
    HIDDEN = "hidden", _("hidden image")
    DETAIL = "detail", _("detail image")
    UPLOAD = "upload", _("upload copy")


class Derivative(models.Model):
    """A file made from an original, with the entry that says so and how it descends from it."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="derivatives")
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="derivative")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="derivative")
    role = models.CharField(max_length=10, choices=DerivativeRole.choices)
    geometry = models.CharField(max_length=12)  # identity, similarity, affine, homography
    matrix_micro = models.JSONField()  # 9 whole numbers, row by row: original to derivative, millionths
    residual_milli = models.BigIntegerField()  # thousandths of a pixel
    steps = models.JSONField(default=list)  # what was done: cropped, scaled, graded, overlaid
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "original", "-id"], name="derivative_list")]

    def __str__(self) -> str:
        return f"{self.role} of {self.original_id}"

    @property
    def residual_px(self) -> float:
        return self.residual_milli / 1000


class Certificate(models.Model):
    """A signed PDF that was handed out, kept as it was."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="certificates")
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    tree_size = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    layout_version = models.SmallIntegerField()
    stage = models.SmallIntegerField(default=0)  # how far outside time had proven it then: more makes a new one
    # PAdES B-LTA: a second row beside the one first handed out, whose signature and pages it has.
    is_archival = models.BooleanField(default=False)
    room_bytes = models.IntegerField(default=0)  # left in the signature for a time-stamp; 0: cannot become archival
    signature_token = models.BinaryField(default=b"")  # over the signature, once an authority has answered
    time_authority = models.ForeignKey(TimeAuthority, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "layout_version", "stage", "is_archival"], name="certificate_once_per_stage"
            )
        ]
        indexes = [models.Index(fields=["is_archival", "-id"], name="certificate_by_archival")]

    def __str__(self) -> str:
        return f"certificate of #{self.statement_id}"


# What belongs to originals ---------------------------------------------------------------------------------------


class EvidenceSet(models.Model):
    """A shoot: files of any kind registered together by one entry; a draft until it has a statement.

    A supplement lists its predecessor's files again (docs/adr/0041-supplements-repeat.md).
    """

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="evidence_set")
    title = models.CharField(max_length=200, blank=True)
    previous = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="supplements")
    registered_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    registered_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="set_list")]

    def __str__(self) -> str:
        return self.title or self.number


class SetRole(models.TextChoices):
    """The roles of docs/spec/claim.md; a release is a contract."""

    ORIGINAL = "original", _("original")
    RAW = "raw", _("camera RAW")
    LAYERED = "layered", _("layered source")
    OUTTAKE = "outtake", _("outtake")
    CONTRACT = "contract", _("contract or release")
    DERIVATIVE = "derivative", _("file made from it")


class EvidenceFile(models.Model):
    """One file of a set: stored encrypted, never opened. position is its place in the claim, from 0."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    evidence_set = models.ForeignKey(EvidenceSet, on_delete=models.PROTECT, related_name="files")
    position = models.IntegerField()
    role = models.CharField(max_length=10, choices=SetRole.choices)
    file_name = models.CharField(max_length=255)
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    size_bytes = models.BigIntegerField()
    mime = models.CharField(max_length=100)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")  # shared with the sets it supplements
    is_erased = models.BooleanField(default=False)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evidence_set", "position"], name="set_position")]
        indexes = [models.Index(fields=["seller", "sha256"], name="set_file_by_digest")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.file_name


class RightKind(models.TextChoices):
    COPYRIGHT = "copyright", _("copyright registration")
    TRADEMARK = "trademark", _("trademark")
    DESIGN = "design", _("design patent")
    NOTARY = "notary", _("notarial certificate")
    TIMESTAMP = "timestamp", _("timestamp certificate of a third party")
    PLATFORM = "platform", _("receipt of an evidence platform")
    OTHER = "other", _("other document")


class RightRecord(models.Model):
    """What somebody else certified: a registration, a notary's deed, a platform's receipt, a time-stamp token.

    Its document is an evidence set of one file: registered in the log, stored encrypted. Only a time-stamp token is
    checked by machine (ledger/services/right_tokens.py); nothing else is opened.
    """

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=RightKind.choices)
    title = models.CharField(max_length=200)
    registration_number = models.CharField(max_length=100, blank=True)
    authority = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField(null=True)
    valid_until = models.DateField(null=True)
    document = models.ForeignKey(EvidenceSet, null=True, on_delete=models.PROTECT, related_name="rights")
    trust_anchors = models.TextField(blank=True)  # PEM, for a token: whom to believe, from elsewhere than the token
    token = models.JSONField(default=dict)  # what the check of a token found; empty: its document is none
    originals = models.ManyToManyField(Original, related_name="rights")
    sets = models.ManyToManyField(EvidenceSet, related_name="right_records")
    # What was entered stays as it was: a correction is another record, with the reason.
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    correction = models.CharField(max_length=300, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "valid_until"], name="right_by_expiry")]

    def __str__(self) -> str:
        return self.title

    @property
    def successor(self) -> RightRecord | None:
        """The record that replaces this one."""
        return getattr(self, "replaced_by", None)

    @property
    def is_current(self) -> bool:
        return self.withdrawn_at is None and self.successor is None


class Hold(models.Model):
    """Why something must not be erased now; it refuses erasure until it is released."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=200)
    placed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    placed_at = models.DateTimeField(default=timezone.now)
    released_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    released_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.reason


class Handout(models.Model):
    """That something about a statement left the site, and how often; what erasure cannot call back."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="handouts")
    kind = models.CharField(max_length=20)  # bundle, bundle_with_files, file, packet
    times = models.IntegerField(default=1)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["statement", "kind"], name="handout_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of #{self.statement_id}"


class ErasureState(models.TextChoices):
    CLEANING = "cleaning", _("rows erased, cleaning files")
    DONE = "done", _("done")


class Erasure(models.Model):
    """One erasure: whom or what it was about, what was lost, and what had been handed out before. Names nothing."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    target = models.CharField(max_length=10)  # original, person
    original = models.ForeignKey(Original, null=True, on_delete=models.PROTECT, related_name="erasures")
    reason = models.CharField(max_length=12)  # of docs/spec/claim.md
    state = models.CharField(max_length=10, choices=ErasureState.choices, default=ErasureState.CLEANING)
    entries = models.JSONField(default=list)  # numbers of the erasure entries in the log
    lost = models.JSONField(default=dict)  # kind -> count
    handed_out = models.JSONField(default=list)  # {kind, entry, at, times, sha256 of the PDF}
    blobs = models.JSONField(default=list)  # ids whose files are to be removed
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="erasure_list")]

    def __str__(self) -> str:
        return self.number


# Background work ------------------------------------------------------------------------------------------------


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


# Who took what away ----------------------------------------------------------------------------------------------


class AccessKind(models.TextChoices):
    ORIGINAL = "original", _("original, exact file")
    EVIDENCE_FILE = "evidence_file", _("file of an evidence set")
    BUNDLE_WITH_FILES = "bundle_with_files", _("evidence with files")
    PACK = "pack", _("pack of images")
    PACKET = "packet", _("complaint packet")
    CAPTURE = "capture", _("capture of a page")
    VERIFICATION = "verification", _("verification document")


class AccessRecord(models.Model):
    """One download of something that must not leak. Triggers refuse every change but forgetting the person."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    token = models.CharField(max_length=16, blank=True)  # number of the API token, if it was one
    kind = models.CharField(max_length=20, choices=AccessKind.choices)
    number = models.CharField(max_length=16)  # of what was taken
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="access_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


# Who a seller is, in papers -------------------------------------------------------------------------------------


class PaperKind(models.TextChoices):
    LICENCE = "licence", _("business licence")
    IDENTITY = "identity", _("identity document of the legal representative")
    AUTHORISATION = "authorisation", _("power of attorney")
    OTHER = "other", _("other document")


class PaperState(models.TextChoices):
    PENDING = "pending", _("waiting for review")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")


class SellerPaper(models.Model):
    """A document that says who the seller is: sealed under its own key, reviewed by site staff, in no packet unless
    ticked. An erased one keeps its number and dates only."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="papers")
    person = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")  # whom it is about
    uploaded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=20, choices=PaperKind.choices)
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=255, blank=True)
    mime = models.CharField(max_length=40)
    in_packets = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=PaperState.choices, default=PaperState.PENDING)
    reason = models.CharField(max_length=500, blank=True)  # why it was refused
    reviewed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "-id"], name="paper_list"),
            models.Index(fields=["state", "-id"], condition=Q(erased_at=None), name="paper_review"),
        ]

    def __str__(self) -> str:
        return self.number


class BankTick(models.Model):
    """That site staff saw a micro-deposit from the seller's own account arrive, and on which day. No account numbers."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="bank_ticks")
    arrived_on = models.DateField()
    ticked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.arrived_on)


# Where a picture comes from --------------------------------------------------------------------------------------


class PictureSource(models.TextChoices):
    SELF = "self", _("made by us")
    SUPPLIER = "supplier", _("from a supplier")
    AI = "ai", _("made by an AI")


class SourceDeclaration(models.Model):
    """What somebody declared about where an original comes from, and when; the newest one holds. Nothing checks it."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="source_declarations")
    source = models.CharField(max_length=10, choices=PictureSource.choices, blank=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.original_id} · {self.source}"
