"""The quality page: every picture gets its answer at once, in words, and nothing is kept."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from ledger.models import Entry, ImageFile
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.checks.pictures import encode
from tests.images import exif_bytes, product_photo

PAGE = "/quality/"


def upload(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, "image/jpeg")


def post(client, *files, **fields):
    return client.post(PAGE, {"profile": PROFILE_ID, "pictures": list(files), **fields})


pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def client(client_of, alice):
    return client_of(alice)


def test_each_picture_is_answered_in_words(client):
    good = upload("good.jpg", encode(product_photo(3, (700, 700)), "JPEG", exif=exif_bytes()))
    chat = upload("chat.jpg", encode(product_photo(3, (300, 300)), "JPEG", quality=60))
    before = Entry.objects.count(), ImageFile.objects.count()
    page = post(client, good, chat, upload("broken.jpg", b"no picture")).content.decode()
    assert "Nothing to improve." in page
    assert "The picture is small" in page
    assert "came through a chat program" in page
    assert "300 px" in page
    assert "unsupported_type" in page
    assert (Entry.objects.count() - 2, ImageFile.objects.count()) == before  # records, and no picture


def test_a_file_without_exif_is_told_about_and_not_warned(client):
    page = post(
        client, upload("stripped.jpg", encode(product_photo(3, (700, 700)), "JPEG", quality=90))
    ).content.decode()
    assert "Nothing to improve." in page
    assert "The file does not say with which camera" in page
    assert 'href="/quality/#metadata"' in page
    assert 'data-state="needs-you"' not in page


def test_a_main_image_alone_is_asked_for_its_category(client):
    photo = upload("main.jpg", encode(product_photo(3, (700, 700)), "JPEG", exif=exif_bytes()))
    page = post(client, photo, category="shoes", without_hidden="on").content.decode()
    assert "This category needs a hidden image" in page


def test_without_a_picture_the_form_says_so(client):
    assert client.post(PAGE, {"profile": PROFILE_ID}).status_code == 400


def test_more_pictures_than_a_page_can_answer_are_refused(client):
    small = encode(product_photo(3, (64, 64)), "JPEG")
    answer = post(client, *(upload(f"{number}.jpg", small) for number in range(21)))
    assert answer.status_code == 400
    assert "Send at most 20" in answer.content.decode()


def test_the_conflict_about_metadata_is_explained(client):
    assert "Keep metadata, or strip it?" in client.get(PAGE).content.decode()
