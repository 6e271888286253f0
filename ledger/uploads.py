"""Counts the bytes of every uploaded file as they arrive: Content-Length is a hint, not a fact."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload

MAX_UPLOAD_BYTES = 512 * 2**20  # a ZIP of a shoot; forms hold single pictures to a smaller cap


class CappedUploadHandler(FileUploadHandler):
    """Stops reading a request whose files exceed the cap; the form then reports the file as missing."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.seen_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.seen_bytes += len(raw_data)
        if self.seen_bytes > MAX_UPLOAD_BYTES:
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""
