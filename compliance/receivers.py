"""Listens to the ledger's news and only enqueues: analysed pictures enter the gallery, filed ones are read again."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from compliance.services.gallery import enqueue_gallery_refresh, enqueue_gallery_update
from ledger.signals import features_extracted, originals_filed, pictures_analysed


@receiver(pictures_analysed, dispatch_uid="gallery")
def on_pictures_analysed(sender: Any, seller_id: int, image_ids: list[int], **kwargs: Any) -> None:
    enqueue_gallery_update(seller_id=seller_id, image_ids=image_ids)


@receiver(features_extracted, dispatch_uid="gallery")
def on_features_extracted(sender: Any, seller_id: int, image_ids: list[int], **kwargs: Any) -> None:
    enqueue_gallery_refresh(seller_id=seller_id, image_ids=image_ids)


@receiver(originals_filed, dispatch_uid="gallery")
def on_originals_filed(sender: Any, seller_id: int, image_ids: list[int], **kwargs: Any) -> None:
    enqueue_gallery_refresh(seller_id=seller_id, image_ids=image_ids)
