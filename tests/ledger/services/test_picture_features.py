"""Local features of pictures: made with the analysis, kept under the picture's own key, made again after an update."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from ledger.imaging.feature_blob import VERSION
from ledger.models import ImageFile, ImageState, Job
from ledger.services.blobs import write_part
from ledger.services.pictures import (
    FEATURES_PART,
    extract_features,
    reference_of,
    sweep_features,
    without_features,
)
from ledger.signals import features_extracted
from tests.factories import analyse_all, register, register_one
from tests.images import flat_picture, jpeg_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


@pytest.fixture
def image(seller) -> ImageFile:
    return register_one(seller, analyse=True).image


def forget(image: ImageFile) -> None:
    """As an earlier version left it."""
    ImageFile.objects.filter(pk=image.pk).update(features_version=0)


def test_an_analysed_picture_has_features_and_a_portrait(image):
    reference = reference_of(image)
    assert reference is not None
    assert len(reference.features) > 50
    assert max(reference.decode_portrait().shape) == 224
    assert not without_features().exists()


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (16, 16)])
def test_a_picture_without_anything_to_see_is_analysed_all_the_same(seller, size):
    (answer,) = register(seller, jpeg_bytes(flat_picture(size=size)))
    analyse_all()
    image = ImageFile.objects.get(pk=answer.original.image_id)
    assert (image.state, image.features_version) == (ImageState.READY, VERSION)
    assert len(reference_of(image).features) == 0


def test_features_are_made_again_bit_by_bit(image):
    before = reference_of(image)
    forget(image)
    assert (extract_features(image_ids=[image.pk]), extract_features(image_ids=[image.pk])) == (1, 0)
    after = reference_of(ImageFile.objects.get(pk=image.pk))
    assert after.features.descriptors.tobytes() == before.features.descriptors.tobytes()
    assert after.portrait == before.portrait


def test_news_of_new_features_is_sent(image, seller):
    news = []
    features_extracted.connect(receiver := lambda seller_id, image_ids, **_k: news.append((seller_id, image_ids)))
    forget(image)
    extract_features(image_ids=[image.pk])
    features_extracted.disconnect(receiver)
    assert news == [(seller.pk, [image.pk])]


def test_a_picture_whose_file_is_lost_is_tried_once(image):
    write_part(image.blob, "", b"something else entirely")
    forget(image)
    assert extract_features(image_ids=[image.pk]) == 0
    assert ImageFile.objects.get(pk=image.pk).features_version == -VERSION
    assert not without_features().exists()


def test_damaged_features_are_as_good_as_none(image):
    write_part(image.blob, FEATURES_PART, b"cut")
    assert reference_of(image) is None


def test_a_chore_finds_what_an_update_left_without_features(image):
    assert sweep_features() == 0
    forget(image)
    assert (sweep_features(), sweep_features()) == (1, 0)
    assert Job.objects.get(kind="pictures.features").args == {"image_ids": [image.pk]}


def test_a_command_makes_them_and_says_how_many(image, seller, capsys):
    forget(image)
    call_command("extract_features", "--seller", "nobody")
    assert "Features of 0 pictures made" in capsys.readouterr().out
    call_command("extract_features", "--seller", seller.slug)
    assert "Features of 1 pictures made, 0 could not be." in capsys.readouterr().out
