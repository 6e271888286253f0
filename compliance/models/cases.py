"""Cases: one dispute from match or notice to outcome, with what it is about, what goes along, and what happened.

What somebody typed about themselves stays in the row; files are sealed like everything else that is stored.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.library import Listing
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, EvidenceFile, Hold, Original, RightRecord, SellerQuerySet


class CaseKind(models.TextChoices):
    COMPLAINT = "complaint", _("complaint")
    COUNTER_NOTICE = "counter_notice", _("counter-notice")
    DEFENCE = "defence", _("defence")
    COURT_BUNDLE = "court_bundle", _("court bundle")


class CaseStatus(models.TextChoices):
    """The states of compliance/cases/steps.py."""

    DRAFT = "draft", _("draft")
    GAP = "gap", _("items missing")
    READY = "ready", _("ready to file")
    SUBMITTED = "submitted", _("submitted")
    CLARIFICATION = "clarification", _("questions asked")
    ACCEPTED = "accepted", _("accepted")
    REMOVED = "removed", _("listing removed")
    COUNTERED = "countered", _("counter-notice came")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")
    COURT = "court", _("in court")
    CLOSED = "closed", _("closed")


class Answer(models.TextChoices):
    YES = "yes", _("yes")
    NO = "no", _("no")


class Case(models.Model):
    """One dispute. Its gate is judged from these columns by compliance.cases.gate, see services/case_files.py."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=CaseKind.choices)
    target = models.CharField(max_length=40)  # the id of a file in compliance/cases/targets
    status = models.CharField(max_length=16, choices=CaseStatus.choices, default=CaseStatus.DRAFT)
    title = models.CharField(max_length=200, blank=True)
    languages = models.JSONField(default=list)  # of the letter: zh, en, es, ru, pt
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    # Who complains or answers.
    complainant_role = models.CharField(max_length=10, blank=True)  # owner, agent
    legal_name = models.CharField(max_length=200, blank=True)
    entity = models.CharField(max_length=10, blank=True)  # person, business
    address = models.CharField(max_length=500, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    email = models.CharField(max_length=254, blank=True)
    secondary_contact = models.CharField(max_length=254, blank=True)
    country = models.CharField(max_length=2, blank=True)
    brand = models.CharField(max_length=120, blank=True)
    has_account = models.CharField(max_length=3, choices=Answer.choices, blank=True)  # verified, at the target
    signature = models.CharField(max_length=200, blank=True)

    # The right.
    right = models.ForeignKey(RightRecord, null=True, on_delete=models.SET_NULL, related_name="cases")
    right_type = models.CharField(max_length=12, blank=True)
    right_title = models.CharField(max_length=200, blank=True)
    author = models.CharField(max_length=200, blank=True)
    right_owner = models.CharField(max_length=200, blank=True)
    ownership_basis = models.CharField(max_length=20, blank=True)
    made_on = models.DateField(null=True)
    published_on = models.DateField(null=True)
    publication_url = models.CharField(max_length=2048, blank=True)
    publication_item = models.CharField(max_length=120, blank=True)
    registration_no = models.CharField(max_length=100, blank=True)
    registration_authority = models.CharField(max_length=200, blank=True)
    registration_country = models.CharField(max_length=2, blank=True)
    registered_on = models.DateField(null=True)
    work_link = models.CharField(max_length=2048, blank=True)
    work_description = models.TextField(blank=True)

    # What may stand in the way: empty is unanswered.
    image_source = models.CharField(max_length=12, blank=True)
    photographer = models.CharField(max_length=12, blank=True)
    in_ebay_catalogue = models.CharField(max_length=3, choices=Answer.choices, blank=True)
    on_shared_asin = models.CharField(max_length=3, choices=Answer.choices, blank=True)
    is_authorised_reseller = models.CharField(max_length=3, choices=Answer.choices, blank=True)
    prior_contacts = models.TextField(blank=True)

    # What is asked for, and in which words.
    actions = models.JSONField(default=list)  # remove_image, remove_listing, preserve_data
    message = models.TextField(blank=True)

    # The notice that is answered, of defences and counter-notices.
    notice_ref = models.CharField(max_length=120, blank=True)
    notice_received_at = models.DateTimeField(null=True)
    notice_sender = models.CharField(max_length=200, blank=True)

    # What came of it.
    portal_ref = models.CharField(max_length=120, blank=True)
    submitted_at = models.DateTimeField(null=True)  # the first time
    submitted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)  # the first answer of the target
    outcome = models.CharField(max_length=16, blank=True)  # the last decided state
    outcome_reason = models.CharField(max_length=500, blank=True)
    was_countered = models.BooleanField(default=False)
    costs = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    costs_currency = models.CharField(max_length=3, blank=True)
    # As they were when the case was first submitted: for statistics, whatever is edited later.
    items_at_submission = models.JSONField(default=list)
    had_earlier_proof = models.BooleanField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "status", "-id"], name="case_board"),
            models.Index(fields=["seller", "-submitted_at"], name="case_by_submission"),
        ]

    def __str__(self) -> str:
        return self.title or self.number

    @property
    def is_open(self) -> bool:
        return self.status != CaseStatus.CLOSED


class CaseWork(models.Model):
    """One of our pictures in a case, with the files that show how it was made. The hold keeps it while the case is open."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="works")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="case_works")
    files = models.ManyToManyField(EvidenceFile, related_name="case_works")
    hold = models.ForeignKey(Hold, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "original"], name="work_once_per_case")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.case_id} · {self.original_id}"


class Infringement(models.Model):
    """One listing that uses a picture of ours, with its facts as they were then; the listing row may go later."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="infringements")
    work = models.ForeignKey(CaseWork, null=True, on_delete=models.SET_NULL, related_name="infringements")
    listing = models.ForeignKey(Listing, null=True, on_delete=models.SET_NULL, related_name="infringements")
    match_number = models.CharField(max_length=16, blank=True)  # of the watch's match it came from
    search_number = models.CharField(max_length=16, blank=True)  # of the search it came from
    platform = models.CharField(max_length=40, blank=True)
    market = models.CharField(max_length=20, blank=True)
    listing_ref = models.CharField(max_length=120, blank=True)  # the platform's id of the listing
    url = models.CharField(max_length=2048, blank=True)
    title = models.CharField(max_length=500, blank=True)
    seller_name = models.CharField(max_length=200, blank=True)
    seller_country = models.CharField(max_length=2, blank=True)
    price = models.CharField(max_length=60, blank=True)
    position = models.CharField(max_length=12, blank=True)  # main, detail, sku, video, packaging, product, text
    reason = models.CharField(max_length=40, blank=True)  # an id among the target's reasons
    first_seen = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)
    score_milli = models.IntegerField(null=True)  # thousandths of a point, as the search gave it
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.url or self.listing_ref


class CaseAttachment(models.Model):
    """A file that goes along: sealed, never opened. expires_on: of an authorisation or a certificate."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="attachments")
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=30)  # of compliance.cases.facts.ATTACHMENT_ROLES
    file_name = models.CharField(max_length=255)
    mime = models.CharField(max_length=100)
    size_bytes = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    expires_on = models.DateField(null=True)
    added_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.file_name


class CaseStatement(models.Model):
    """A statement that a person ticked: the name that was typed, who was signed in, and when. Never made for anybody."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="statements")
    which = models.CharField(max_length=30)  # of compliance.cases.target.STATEMENTS
    name = models.CharField(max_length=200)
    ticked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "which"], name="statement_once_per_case")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.which


class CaseEvent(models.Model):
    """One thing that happened to a case; written once and never changed. what: a word of services/case_events.py."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    what = models.CharField(max_length=30)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    before = models.CharField(max_length=60, blank=True)
    after = models.CharField(max_length=60, blank=True)
    note = models.CharField(max_length=500, blank=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.what


class CaseDeadline(models.Model):
    """When something is due in a case, by a rule of compliance/cases/deadlines.toml or by hand."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="deadlines")
    rule = models.CharField(max_length=40)  # an id, or "custom"
    label = models.CharField(max_length=200, blank=True)  # of a deadline without a rule
    starts_at = models.DateTimeField()
    due_at = models.DateTimeField()
    calendar = models.CharField(max_length=10, blank=True)  # CN, US, EU, or none: calendar days
    is_estimated = models.BooleanField(default=False)  # holidays of that time are not published
    source = models.CharField(max_length=300, blank=True)
    moved_reason = models.CharField(max_length=300, blank=True)  # why somebody set another day
    moved_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    done_at = models.DateTimeField(null=True)
    reminded_48h_at = models.DateTimeField(null=True)
    reminded_8h_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "due_at"], name="deadline_by_time"),
            models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="deadline_open"),
        ]
        ordering = ["due_at", "pk"]

    def __str__(self) -> str:
        return f"{self.rule} {self.due_at:%Y-%m-%d %H:%M}"


class CalendarFeed(models.Model):
    """A person's subscription to a seller's deadlines. Only the SHA-256 of its token is kept; it can be revoked."""

    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_read_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "user"], condition=models.Q(revoked_at=None), name="one_feed_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.seller}"
