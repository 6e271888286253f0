"""The ledger's tables, a module for each thing they are about.

Three groups that never mix. The log itself (Entry, TreeNode, Checkpoint) holds hashes and nothing about anybody; database
triggers refuse to change it. Statements hold the salted documents behind the hashes and can be erased. Everything
else is derived from sealed bytes and can be made again.
"""

from ledger.models.blobs import Blob
from ledger.models.clocks import AuthorityCall, TimeAuthority, TimestampToken
from ledger.models.erasure import Erasure, ErasureState, Handout, Hold
from ledger.models.evidence import EvidenceFile, EvidenceSet, RightKind, RightRecord, SetRole
from ledger.models.jobs import Job, JobState
from ledger.models.log import Checkpoint, Cosignature, Entry, LogHead, PastEpoch, TreeNode, Witness
from ledger.models.people import AccessKind, AccessRecord, BankTick, PaperKind, PaperState, SellerPaper
from ledger.models.pictures import (
    Derivative,
    DerivativeRole,
    Fingerprint,
    ImageFile,
    ImageState,
    Original,
    OriginalManager,
    PictureSource,
    SourceDeclaration,
)
from ledger.models.rows import SHA256_BYTES, SellerQuerySet
from ledger.models.statements import Certificate, Statement

__all__ = [
    "SHA256_BYTES",
    "AccessKind",
    "AccessRecord",
    "AuthorityCall",
    "BankTick",
    "Blob",
    "Certificate",
    "Checkpoint",
    "Cosignature",
    "Derivative",
    "DerivativeRole",
    "Entry",
    "Erasure",
    "ErasureState",
    "EvidenceFile",
    "EvidenceSet",
    "Fingerprint",
    "Handout",
    "Hold",
    "ImageFile",
    "ImageState",
    "Job",
    "JobState",
    "LogHead",
    "Original",
    "OriginalManager",
    "PaperKind",
    "PaperState",
    "PastEpoch",
    "PictureSource",
    "RightKind",
    "RightRecord",
    "SellerPaper",
    "SellerQuerySet",
    "SetRole",
    "SourceDeclaration",
    "Statement",
    "TimeAuthority",
    "TimestampToken",
    "TreeNode",
    "Witness",
]
