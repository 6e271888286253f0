"""Plain functions that build rows through the services that people use."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from ledger.accounts.models import Membership, Seller, User
from ledger.accounts.services import create_seller
from ledger.models import ImageFile, ImageState, Original
from ledger.services.originals import Registration, Upload, register_originals
from ledger.services.pictures import analyse_pictures
from tests.images import jpeg_bytes, product_photo

PASSWORD = "correct horse battery staple"


def make_seller(slug: str) -> Seller:
    return create_seller(name=f"{slug.title()} Trading", slug=slug)


def make_member(email: str, seller: Seller, role: str) -> User:
    """A person with the password PASSWORD and one membership."""
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, PASSWORD)
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    Membership.objects.create(user=user, seller=seller, role=role)
    return user


def register(seller: Seller, *contents: bytes, actor: User | None = None, analyse: bool = False) -> list[Registration]:
    """Register pictures given as bytes; with analyse also do the job's work now."""
    uploads = [Upload(f"photo-{number}.jpg", content) for number, content in enumerate(contents)]
    answers = register_originals(actor=actor, seller=seller, uploads=uploads)
    if analyse:
        analyse_all()
    return answers


def register_one(seller: Seller, seed: int = 1, *, analyse: bool = False, actor: User | None = None) -> Original:
    answer = register(seller, jpeg_bytes(product_photo(seed)), analyse=analyse, actor=actor)[0]
    assert answer.original is not None
    return Original.objects.select_related("image", "statement__entry").get(pk=answer.original.pk)


def analyse_all() -> None:
    """What the workers would do with every sealed picture."""
    analyse_pictures(image_ids=list(ImageFile.objects.filter(state=ImageState.SEALED).values_list("pk", flat=True)))
