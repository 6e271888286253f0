"""Uploads on their way in: counted as they arrive, since Content-Length is a hint and not a fact, and kept beside the data.

The data directory is the disk whose reserve was asked about, and a system's folder for temporary files may be memory. The
file has no name there, so that nothing of it stays after a crash.
"""

from __future__ import annotations

import tempfile
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
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


class SpoolUploadHandler(FileUploadHandler):
    """Writes every file into the data directory as it arrives; it is gone once it is closed."""

    file: UploadedFile[bytes] | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        spool = tempfile.TemporaryFile(dir=settings.DATA_DIR)  # noqa: SIM115 - closed with the request
        self.file = UploadedFile(spool, self.file_name, self.content_type, 0, self.charset, self.content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self.file is not None  # noqa: S101 - Django calls new_file first
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:
        assert self.file is not None  # noqa: S101 - Django calls new_file first
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if self.file is not None:
            self.file.close()
