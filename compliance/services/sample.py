"""Sample data: a seller of its own, marked as sample, with drawn originals, a catalogue that copies some, and searches.

Nothing of it touches a real seller. Each step looks for what is there already, so that a job that was killed is simply
run again. The entries it makes are real entries of the log: a sample is never more finished than the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance.catalogues.feed import Facts, Feed, FeedRow
from compliance.models import RunState, SearchRun
from compliance.sample.design import Design, original_design, stranger_design
from compliance.services.catalogues import find_or_create_catalogue, import_rows
from compliance.services.checks import start_check
from compliance.services.gallery import update_gallery
from compliance.services.search import Question, run_search, start_search
from ledger.accounts.models import Membership, Role, Seller, User
from ledger.accounts.services import create_seller
from ledger.imaging.sandbox import PixelPool
from ledger.models import ImageFile, ImageState, Job, Original
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import enqueue_job
from ledger.services.originals import Upload, register_originals, rename_original
from ledger.services.pictures import analyse_pictures

SELLER_NAME = "示例数据 Sample data"
CATALOGUE_NAME = "示例货盘 Sample catalogue"
ORIGINALS = 24
LISTINGS = 40
COPIES = 18  # of the listings; the others show products of their own
SEARCHES = 3
CHECKS = 2
PROFILE = "aliexpress-seed-2024"
BATCH = 4
QUALITY = 90

CATEGORIES = {
    "tote": "bags",
    "cup": "home-garden",
    "shirt": "mens-clothing",
    "shoe": "shoes",
    "cushion": "home-garden",
    "vase": "home-garden",
}
NOUNS = {
    "tote": ("托特包", "tote bag"),
    "cup": ("马克杯", "mug"),
    "shirt": ("T 恤", "T-shirt"),
    "shoe": ("帆布鞋", "canvas shoes"),
    "cushion": ("抱枕", "cushion"),
    "vase": ("花瓶", "vase"),
}
ADJECTIVES = {
    "stripes": ("条纹", "Striped"),
    "diagonal": ("斜纹", "Diagonal"),
    "dots": ("波点", "Dotted"),
    "checks": ("格纹", "Checked"),
    "waves": ("波浪", "Wavy"),
    "chevron": ("人字纹", "Chevron"),
    "pebbles": ("水磨石", "Terrazzo"),
    "flowers": ("碎花", "Floral"),
}
SHOPS = (
    ("Casa Menta", "ES", "es"),
    ("Nordlicht Wohnen", "DE", "de"),
    ("Blue Pier Goods", "US", "en"),
    ("Sklep Wisienka", "PL", "pl"),
    ("Bazar Aurora", "BR", "pt"),
    ("青石小铺", "CN", "zh"),
)
# What was done to a copied picture, and the JPEG quality it was saved with.
EDITS = (("", 45), ("brighter", 80), ("cropped", 82), ("mirrored", 85), ("smaller", 78), ("darker", 70))
DRAW = "compliance.sample.worker_tasks:draw_task"
DRAW_PREFIXES = ("compliance.sample.",)
DRAW_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """The person's sample seller and the job that fills it."""

    seller: Seller
    job: Job


def start_sample(*, actor: User) -> Started:
    """Find or make the person's sample seller and have a worker fill it."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=actor.pk)  # two clicks at once make one seller
        owned = Membership.objects.filter(user=actor, role=Role.OWNER, seller__is_sample=True)
        membership = owned.select_related("seller").order_by("pk").first()
        seller = membership.seller if membership else _make_seller(actor)
        job = enqueue_job(kind="sample.load", args={}, seller=seller, actor=actor, dedupe_key="sample")
    return Started(seller, job)


def _make_seller(actor: User) -> Seller:
    seller = create_seller(name=SELLER_NAME, slug=f"sample-{actor.pk}", is_sample=True)
    Membership.objects.create(user=actor, seller=seller, role=Role.OWNER)
    return seller


def load_sample(ctx: JobContext) -> dict[str, Any]:
    """The job: originals, catalogue, searches, checks, in this order; what is there already is left alone."""
    seller, actor = ctx.job.seller, ctx.job.actor
    if seller is None or actor is None or not seller.is_sample:
        raise JobError("not_sample")
    total = ORIGINALS + LISTINGS + SEARCHES + CHECKS
    done = 0
    with PixelPool(size=1, prefixes=DRAW_PREFIXES, wall_timeout_s=DRAW_TIMEOUT_S) as painter:
        scene = _Scene(seller, actor, painter)
        for step in (_register, _fill_catalogue, _search, _check):
            for count, note in step(scene):
                done += count
                ctx.progress(done, total, note)
                if ctx.cancelled():
                    return {}
    return {"originals": ORIGINALS, "listings": LISTINGS, "searches": SEARCHES, "checks": CHECKS}


# Drawing ----------------------------------------------------------------------------------------------------------


def product_title(design: Design) -> tuple[str, str]:
    """The product's name in Chinese and in English."""
    (zh, en), (noun_zh, noun_en) = ADJECTIVES[design.pattern], NOUNS[design.shape]
    return f"{zh}{noun_zh}", f"{en} {noun_en}"


@dataclass(frozen=True, slots=True)
class _Scene:
    """Whom the sample is for, and the limited child that draws it: the same design and edit give the same bytes."""

    seller: Seller
    actor: User
    painter: PixelPool

    def draw(self, design: Design, edit: str = "", quality: int = QUALITY) -> bytes:
        params = {"design": asdict(design), "edit": edit, "quality": quality}
        (content,) = self.painter.run(DRAW, [], params).blobs
        return bytes(content)


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), BATCH):
        yield numbers[first : first + BATCH]


def _analyse(seller: Seller, images: Iterable[ImageFile]) -> None:
    """Now rather than by the jobs that registration enqueued, so that the searches below find something."""
    rows = list(images)
    analyse_pictures(image_ids=[image.pk for image in rows if image.state == ImageState.SEALED])
    update_gallery(seller=seller, image_ids=[image.pk for image in rows])


# Originals --------------------------------------------------------------------------------------------------------


def _request_id(number: int) -> str:
    return f"sample-{number:02d}"


def _originals(seller: Seller) -> dict[str, Original]:
    """Those that are registered already, by request id."""
    rows = Original.objects.of(seller).filter(statement__request_id__startswith="sample-")
    return {row.statement.request_id: row for row in rows.select_related("statement", "image__blob", "seller")}


def _register(scene: _Scene) -> Iterator[tuple[int, str]]:
    for numbers in _batches(range(ORIGINALS)):
        known = _originals(scene.seller)
        for number in numbers:
            if _request_id(number) not in known:
                _register_one(scene, number)
        found = _originals(scene.seller)
        _analyse(scene.seller, [found[_request_id(number)].image for number in numbers])
        yield len(numbers), SELLER_NAME


def _register_one(scene: _Scene, number: int) -> None:
    design = original_design(number)
    category = CATEGORIES[design.shape]
    upload = Upload(f"{design.shape}-{design.pattern}-{number + 1:02d}.jpg", scene.draw(design), _request_id(number))
    (answer,) = register_originals(actor=scene.actor, seller=scene.seller, uploads=[upload], category=category)
    if answer.original is None:
        raise JobError(answer.code, answer.detail)
    title = " · ".join(product_title(design))
    rename_original(actor=scene.actor, original=answer.original, title=title, category=category)


# Catalogue --------------------------------------------------------------------------------------------------------


def _product_id(number: int) -> str:
    return f"SAMPLE-{1001 + number}"


def _fill_catalogue(scene: _Scene) -> Iterator[tuple[int, str]]:
    """By the service that imports every feed, except that the pictures are drawn when it asks for them."""
    catalogue = find_or_create_catalogue(actor=scene.actor, seller=scene.seller, name=CATALOGUE_NAME)
    for numbers in _batches(range(LISTINGS)):
        ids = [_product_id(number) for number in numbers]
        images = ImageFile.objects.of(scene.seller).filter(
            listing_image__listing__catalogue=catalogue, listing_image__listing__product_id__in=ids
        )
        known = set(images.values_list("listing_image__listing__product_id", flat=True))
        now = timezone.now()
        rows = tuple(_feed_row(number, now) for number in numbers if _product_id(number) not in known)
        feed = Feed(frozenset(field.name for field in fields(Facts)), rows)
        read = partial(_listing_picture, scene)
        for outcome in import_rows(actor=scene.actor, catalogue=catalogue, feed=feed, read_picture=read):
            if outcome.code:
                raise JobError(outcome.code, outcome.product_id)
        _analyse(scene.seller, images.all())
        yield len(numbers), CATALOGUE_NAME


def _feed_row(number: int, now: datetime) -> FeedRow:
    design = original_design(number) if number < COPIES else stranger_design(number)
    shop, country, language = SHOPS[number % len(SHOPS)]
    title_zh, title_en = product_title(design)
    facts = Facts(
        url=f"https://shop.example/item/{1001 + number}",
        title=title_zh if language == "zh" else title_en,
        shop_name=shop,
        shop_country=country,
        category=CATEGORIES[design.shape],
        category_raw=CATEGORIES[design.shape],
        price=f"USD {6 + number % 17}.90",
        language=language,
        listed_at=now - timedelta(days=4 + number * 7, hours=number),
        delisted_at=now - timedelta(days=2) if number % 13 == 12 else None,
    )
    return FeedRow(number + 1, _product_id(number), f"{number + 1:02d}.jpg", facts)


def _listing_picture(scene: _Scene, name: str) -> bytes:
    """An edited copy of an original, or a product of somebody else's; the name is the row's."""
    number = int(name.removesuffix(".jpg")) - 1
    if number >= COPIES:
        return scene.draw(stranger_design(number), quality=86)
    edit, quality = EDITS[number % len(EDITS)]
    return scene.draw(original_design(number), edit, quality)


# Searches and checks ----------------------------------------------------------------------------------------------


def _search(scene: _Scene) -> Iterator[tuple[int, str]]:
    """A registered original, a mirrored copy from outside, and a picture that is nowhere."""
    original = _originals(scene.seller)[_request_id(0)]
    runs = SearchRun.objects.of(scene.seller)
    run = runs.filter(image=original.image).first()
    _answer(run or _ask(scene, original=original))
    yield 1, original.image.file_name
    for name, design, edit in (
        ("found-on-a-page.jpg", original_design(1), "mirrored"),
        ("new-arrival.jpg", stranger_design(LISTINGS + 1), ""),
    ):
        run = runs.filter(image__file_name=name).first()
        _answer(run or _ask(scene, upload=Upload(name, scene.draw(design, edit))))
        yield 1, name


def _ask(scene: _Scene, *, upload: Upload | None = None, original: Original | None = None) -> SearchRun:
    return start_search(
        actor=scene.actor, seller=scene.seller, question=Question(), upload=upload, original=original, enqueue=False
    )


def _answer(run: SearchRun) -> None:
    if run.state != RunState.DONE:
        run_search(run.pk)


def _check(scene: _Scene) -> Iterator[tuple[int, str]]:
    """A pair as it should be, and one whose hidden image was saved too small; workers answer both."""
    for number, edit in ((2, ""), (9, "smaller")):
        design = original_design(number)
        main = Upload(f"main-{number + 1:02d}.jpg", scene.draw(design, "sticker", 88))
        hidden = Upload(f"hidden-{number + 1:02d}.jpg", scene.draw(design, edit, 88))
        start_check(
            actor=scene.actor,
            seller=scene.seller,
            main=main,
            hidden=hidden,
            category=CATEGORIES[design.shape],
            profile_id=PROFILE,
            request_id=_request_id(number),
        )
        yield 1, hidden.file_name
