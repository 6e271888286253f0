"""What runs in the limited child process for sample data: a design in, a JPEG out.

Nothing hostile is opened here; the child is used so that no process of the site needs an image library.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from compliance.sample.design import Design
from compliance.sample.drawing import draw_product, edit_picture


def draw_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Params: design (fields of Design), edit (a name of EDITS or empty), quality of the JPEG."""
    picture = edit_picture(draw_product(Design(**params["design"])), params["edit"])
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=params["quality"])
    return {}, [out.getvalue()]
