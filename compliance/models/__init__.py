"""Compliance tables, a module for each thing a seller does. Every row carries one seller."""

from compliance.models.captures import Capture, CaptureKind, Observer
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

__all__ = [
    "BatchKind",
    "Candidate",
    "Capture",
    "CaptureKind",
    "Catalogue",
    "CheckBatch",
    "CheckItem",
    "CheckRun",
    "CheckVerdict",
    "Finding",
    "FindingAnswer",
    "Gallery",
    "GalleryItem",
    "HiddenShot",
    "IndexSegment",
    "Listing",
    "ListingImage",
    "Observer",
    "PackItem",
    "PackRun",
    "PromotionKind",
    "QualityRun",
    "Repair",
    "RunState",
    "Scope",
    "SearchRun",
    "StoreCalendar",
    "StoreEvent",
    "StoreEventKind",
    "StoreRules",
    "StoreTier",
]
