"""Outside clocks: authorities, how often they were asked, and the tokens they gave."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ledger.models.log import Checkpoint, Entry
from ledger.models.rows import SHA256_BYTES


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
