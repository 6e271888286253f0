"""Compliance tables, a module for each thing a seller does. Every row carries one seller."""

from compliance.models.checks import (
    BatchKind,
    CheckBatch,
    CheckItem,
    CheckRun,
    CheckVerdict,
    Finding,
    FindingAnswer,
    HiddenShot,
    QualityRun,
    Repair,
)
from compliance.models.library import Catalogue, Gallery, GalleryItem, IndexSegment, Listing, ListingImage
from compliance.models.packs import PackItem, PackRun, PromotionKind
from compliance.models.searches import Candidate, RunState, Scope, SearchRun
from compliance.models.standing import StoreCalendar, StoreEvent, StoreEventKind, StoreRules, StoreTier
from compliance.models.watch import (
    Digest,
    MatchDecision,
    MatchState,
    RuleKind,
    SellerRule,
    WatchFeed,
    WatchMatch,
    WatchSettings,
    WebhookDelivery,
)

__all__ = [
    "BatchKind",
    "Candidate",
    "Catalogue",
    "CheckBatch",
    "CheckItem",
    "CheckRun",
    "CheckVerdict",
    "Digest",
    "Finding",
    "FindingAnswer",
    "Gallery",
    "GalleryItem",
    "HiddenShot",
    "IndexSegment",
    "Listing",
    "ListingImage",
    "MatchDecision",
    "MatchState",
    "PackItem",
    "PackRun",
    "PromotionKind",
    "QualityRun",
    "Repair",
    "RuleKind",
    "RunState",
    "Scope",
    "SearchRun",
    "SellerRule",
    "StoreCalendar",
    "StoreEvent",
    "StoreEventKind",
    "StoreRules",
    "StoreTier",
    "WatchFeed",
    "WatchMatch",
    "WatchSettings",
    "WebhookDelivery",
]
