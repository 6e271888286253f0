"""The ledger's news, sent after commit. Receivers only enqueue a job; a periodic sweep finds what was missed."""

from django.dispatch import Signal

# seller_id: int, image_ids: list[int]: their pixels were analysed (or found undecodable).
pictures_analysed = Signal()

# seller_id: int, image_ids: list[int]: local features were made of pictures analysed before.
features_extracted = Signal()

# seller_id: int, image_ids: list[int]: somebody filed these originals under another name or category.
originals_filed = Signal()
