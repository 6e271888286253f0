"""Fetches the browser files we did not write: `python -m config.vendor`.

Files from npm packages (through the `npm` client) land unmodified in static/vendor/, with their version in the name and their
digest, licence and package URL in VENDOR.toml. The needed icons are joined into one sprite, static/img/icons.svg. Nothing here runs
when the product runs; tests/test_vendor.py compares what is on disk with VENDOR.toml.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
VENDOR = STATIC / "vendor"
MANIFEST = VENDOR / "VENDOR.toml"
SPRITE = STATIC / "img" / "icons.svg"


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package: where it is pinned, and which of its files we keep under which stem and suffix."""

    name: str
    version: str
    files: tuple[tuple[str, str], ...]

    @property
    def purl(self) -> str:
        """The package URL (purl) of this exact version; a scope's @ is written %40, as the purl specification asks."""
        return f"pkg:npm/{self.name.replace('@', '%40')}@{self.version}"


TABLER = Package("@tabler/core", "1.6.1", (("dist/css/tabler.min.css", "tabler-{version}.min.css"),))
UPLOT = Package(
    "uplot",
    "1.6.32",
    (
        ("dist/uPlot.iife.min.js", "uplot-{version}.iife.min.js"),
        ("dist/uPlot.min.css", "uplot-{version}.min.css"),
        ("LICENSE", "uplot-{version}.LICENSE.txt"),
    ),
)
ICONS = Package("@tabler/icons", "3.51.0", (("LICENSE", "tabler-icons-{version}.LICENSE.txt"),))
PACKAGES = (TABLER, UPLOT, ICONS)

# The words on the left are what templates ask for; the right side is the drawing's name in @tabler/icons.
ICON_NAMES: dict[str, str] = {
    "account": "user-circle", "alert": "alert-triangle", "back": "arrow-left", "ban": "ban", "bell": "bell",
    "book": "book-2", "box": "packages", "calendar": "calendar", "case": "gavel", "certificate": "certificate",
    "check": "check", "chevron-down": "chevron-down", "chevron-left": "chevron-left",
    "chevron-right": "chevron-right", "chevron-up": "chevron-up", "clock": "clock", "compare": "contrast",
    "copy": "copy", "device": "device-mobile", "dots": "dots", "download": "download", "eye": "eye", "eye-check": "eye-check",
    "external": "external-link", "failed": "circle-x", "file": "file-text", "filter": "filter", "folder": "folder",
    "forward": "arrow-right", "grid": "layout-grid", "history": "history", "hourglass": "hourglass",
    "info": "info-circle", "key": "key", "layers": "layers-subtract", "layout-dashboard": "layout-dashboard", "language": "language", "link": "link",
    "list": "list", "lock": "lock", "mail": "mail", "menu": "menu-2", "moon": "moon", "needs-you": "alert-triangle",
     "packages": "packages", "passed": "circle-check", "passkey": "fingerprint",
    "pdf": "file-type-pdf", "photo": "photo", "photo-off": "photo-off", "play": "player-play", "plus": "plus",
    "printer": "printer", "qr": "qrcode", "refresh": "refresh", "running": "loader-2", "search": "search",
    "search-image": "photo-search", "server": "server", "settings": "settings", "shield": "shield-check",
    "shield-lock": "shield-lock", "signout": "logout", "sparkles": "sparkles", "stop": "player-stop",
    "store": "building-store", "sun": "sun", "timeline": "timeline", "team": "users", "trash": "trash", "unknown": "help-circle",
    "upload": "cloud-upload", "waiting": "clock", "world": "world", "x": "x", "zip": "file-zip", "zoom-scan": "zoom-scan",
}  # fmt: skip


def main() -> int:
    """Fetch every package, rewrite static/vendor/ and the sprite, and print one line per file kept."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    SPRITE.parent.mkdir(parents=True, exist_ok=True)
    tables: list[str] = []
    kept = {MANIFEST.name}
    with tempfile.TemporaryDirectory() as folder:
        unpacked = {package.name: fetch(package, Path(folder)) for package in PACKAGES}
        for package in PACKAGES:
            licence = json.loads((unpacked[package.name] / "package.json").read_text())["license"]
            for path, name in keep(package, unpacked[package.name]):
                kept.add(path.name)
                tables.append(file_table(package, licence, path, source=name))
        SPRITE.write_text(sprite(unpacked[ICONS.name] / "icons" / "outline"), encoding="utf-8")
        tables.append(sprite_table(ICONS))
    for stale in (path for path in VENDOR.iterdir() if path.name not in kept):
        stale.unlink()
    head = "# Written by `python -m config.vendor`. Files are unmodified; [[built]] files are joined from the named package.\n"
    MANIFEST.write_text("\n".join([head, *tables]), encoding="utf-8")
    return 0


def fetch(package: Package, folder: Path) -> Path:
    """Download one package with the npm client and unpack it; the folder with its package.json comes back."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"]
    archive = folder / subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    target = folder / archive.stem
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target / "package"


def keep(package: Package, unpacked: Path) -> Iterator[tuple[Path, str]]:
    """Copy the wanted files byte for byte; yield where each one went and what it was called in the package."""
    for source, pattern in package.files:
        target = VENDOR / pattern.format(version=package.version)
        target.write_bytes((unpacked / source).read_bytes())
        sys.stdout.write(f"{target.relative_to(STATIC)}  {package.purl}\n")
        yield target, source


def sprite(drawings: Path) -> str:
    """One SVG with a <symbol> per icon. Strokes are left to the page's CSS, so an icon takes the colour of its text."""
    symbols = [f'<symbol id="{word}" viewBox="0 0 24 24">{shapes(drawings / f"{name}.svg")}</symbol>'
               for word, name in sorted(ICON_NAMES.items())]  # fmt: skip
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def shapes(drawing: Path) -> str:
    """The drawn paths of one icon file, without the invisible square every one of them starts with."""
    found: Sequence[str] = re.findall(
        r"<(?:path|circle|line|rect|polyline|ellipse)\b[^>]*/>", drawing.read_text(encoding="utf-8")
    )
    return "".join(re.sub(r"\s+", " ", shape) for shape in found if 'd="M0 0h24v24H0z"' not in shape)


def file_table(package: Package, licence: str, path: Path, *, source: str) -> str:
    rows = {
        "file": path.name, "name": package.name, "version": package.version, "licence": licence,
        "source": source, "purl": package.purl, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }  # fmt: skip
    return "[[file]]\n" + toml(rows)


def sprite_table(package: Package) -> str:
    rows = {
        "file": str(SPRITE.relative_to(STATIC)), "name": package.name, "version": package.version, "licence": "MIT",
        "purl": package.purl, "sha256": hashlib.sha256(SPRITE.read_bytes()).hexdigest(),
    }  # fmt: skip
    return "[[built]]\n" + toml(rows)


def toml(rows: dict[str, str]) -> str:
    # JSON strings are TOML basic strings for the plain text that stands here.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in rows.items())


if __name__ == "__main__":
    raise SystemExit(main())
