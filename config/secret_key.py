"""The site's secret, made once and kept in the data directory (mode 600)."""

import os
import secrets
import tempfile
from pathlib import Path


def load_secret_key(data_dir: Path) -> str:
    """Return the stored secret, making it on the first start; two processes starting at once agree on one."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # A name of its own each time: in a container the process that was cut short had the same number as this one.
        descriptor, temporary = tempfile.mkstemp(prefix="secret_key.", dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails when another process was first: then its secret counts
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
    return path.read_text().strip()
