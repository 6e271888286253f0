"""Make the font subsets of this folder from the published packages, and check them against VENDOR.toml.

Needs fontTools, which nothing else here needs, so it stays out of the project's lock. In an empty directory:

    npm pack @expo-google-fonts/noto-sans-sc@0.4.3 @expo-google-fonts/jetbrains-mono@0.4.1
    python3 -m venv tools && tools/bin/pip install fonttools==4.68.0
    tools/bin/python .../ledger/pdf/fonts/build.py .        # add --write after a deliberate change

Without --write nothing is changed: the script says whether the committed files are what the packages give.
Coverage: GBK for Regular (names of people and goods), GB2312 for Bold (only our own headings), Latin for mono.
"""

import argparse
import hashlib
import io
import sys
import tarfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset  # type: ignore[import-not-found]
from fontTools.ttLib import TTFont  # type: ignore[import-not-found]

HERE = Path(__file__).parent
LATIN = range(0x20, 0x250)
SYMBOLS = (range(0x2010, 0x2060), range(0x2190, 0x2200), range(0x3000, 0x3040), range(0xFF00, 0xFFF0))
MARKS = (0x20AC, 0x2460, 0x25A0, 0x25CB, 0x25CF, 0x26A0, 0x2713, 0x2717)


def double_byte(codec: str, first: int) -> set[int]:
    """Code points of a two-byte Chinese charset; `first` is the lowest lead and trail byte."""
    points: set[int] = set()
    for lead in range(first, 0xFF):
        for trail in range(0x40 if codec == "gbk" else first, 0xFF):
            text = bytes((lead, trail)).decode(codec, errors="ignore")
            points.update(map(ord, text if len(text) == 1 else ""))
    return points


def charset(name: str) -> set[int]:
    if name == "latin":
        return {*range(0x20, 0x7F), *range(0xA0, 0x180), 0x2014, 0x2026}
    chinese = double_byte("gb2312", 0xA1) | {*LATIN, *MARKS}.union(*SYMBOLS)
    return chinese | double_byte("gbk", 0x81) if name == "gbk" else chinese


def subset_font(source: bytes, points: Iterable[int]) -> bytes:
    """Outlines only: no hinting, no ligatures (a hash must not be drawn as arrows), no vertical metrics."""
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk"]
    options.hinting = False
    options.recalc_timestamp = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "STAT", "DSIG", "meta"]
    font = TTFont(io.BytesIO(source), recalcTimestamp=False)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=points)
    cutter.subset(font)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def coverage(font: bytes) -> bytes:
    """The code points a font draws, as hex ranges, one a line: what render.py may print without an escape."""
    points = sorted(TTFont(io.BytesIO(font)).getBestCmap())
    lines: list[str] = []
    start = last = points[0]
    for point in [*points[1:], 0x110000]:
        if point != last + 1:
            lines.append(f"{start:04X}-{last:04X}")
            start = point
        last = point
    return ("\n".join(lines) + "\n").encode()


def build(packages: Path) -> dict[str, bytes]:
    """File name -> bytes of everything VENDOR.toml lists."""
    made: dict[str, bytes] = {}
    for font in tomllib.loads((HERE / "VENDOR.toml").read_text())["font"]:
        archive = (packages / font["archive"]).read_bytes()
        if hashlib.sha256(archive).hexdigest() != font["archive_sha256"]:
            raise SystemExit(f"{font['archive']} is not the package VENDOR.toml names")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for item in font["files"]:
                member = tar.extractfile(f"package/{item['from']}")
                if member is None:
                    raise SystemExit(f"{font['archive']} has no {item['from']}")
                data = member.read()
                made[item["name"]] = subset_font(data, charset(item["charset"])) if "charset" in item else data
    made["coverage.txt"] = coverage(made["NotoSansSC-Regular-gbk.ttf"])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="build and check the font subsets")
    parser.add_argument("packages", type=Path, help="directory with the package archives")
    parser.add_argument("--write", action="store_true", help="replace the committed files")
    arguments = parser.parse_args()
    wrong = 0
    for name, data in build(arguments.packages).items():
        path = HERE / name
        if arguments.write:
            path.write_bytes(data)
        same = path.exists() and path.read_bytes() == data
        wrong += not same
        sys.stdout.write(f"{'same ' if same else 'DIFFERENT'} {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n")
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()
