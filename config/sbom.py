"""What is inside, as CycloneDX 1.6 JSON: `python -m config.sbom` prints it, from the lock and the lists of vendored files.

The same checkout gives the same bytes on every machine: no clock, nothing from what happens to be installed. Which package
needs which is not in the lock, so only what the project itself asks for is stated, and that is said in the document.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.lock"
NAME = re.compile(r"[-_.]+")
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(\S+)")
Component = dict[str, Any]


def normalise(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return NAME.sub("-", name).lower()


def read_lock(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """(name, version, SHA-256 of each of its files) of every pinned package."""
    for block in re.split(r"\n(?=\S)", text):
        pin = PIN.match(block)
        if pin:
            yield (
                normalise(pin[1]),
                pin[2].rstrip("\\").rstrip(),
                sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)),
            )


def direct_dependencies(project: dict[str, Any]) -> list[str]:
    """Names of what pyproject.toml asks for at run time."""
    return sorted(normalise(re.split(r"[\[<>=!~; ]", wanted)[0]) for wanted in project["dependencies"])


def python_components(lock: str) -> list[Component]:
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            # One release has a file per platform: a component's own `hashes` could only hold one of them.
            "properties": [{"name": "originmark:file-sha256", "value": digest} for digest in digests],
        }
        for name, version, digests in read_lock(lock)
    ]


def vendored_components() -> list[Component]:
    """Files of others that lie in the checkout, by their own lists."""
    made: dict[str, Component] = {}
    vendor = tomllib.loads((ROOT / "static/vendor/VENDOR.toml").read_text())
    for row in [*vendor.get("file", []), *vendor.get("built", [])]:
        _add(made, row["name"], row["version"], row["purl"], row["licence"], [(row["file"], row["sha256"])])
    fonts = tomllib.loads((ROOT / "ledger/pdf/fonts/VENDOR.toml").read_text())
    for row in fonts["font"]:
        files = [(file["name"], file["sha256"]) for file in row["files"]]
        _add(made, row["name"], row["version"], row["package"], row["licence"], files)
    return list(made.values())


def _add(
    made: dict[str, Component], name: str, version: str, purl: str, licence: str, files: list[tuple[str, str]]
) -> None:
    component = made.setdefault(
        purl,
        {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "licenses": [{"license": {"id": licence}}],
            "purl": purl,
            "components": [],
        },
    )
    component["components"] += [
        {
            "type": "file",
            "bom-ref": f"{purl}#{file}",
            "name": file,
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }
        for file, digest in files
    ]


def bill_of_materials() -> dict[str, Any]:
    """The whole document."""
    lock = (ROOT / LOCK).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages, vendored = python_components(lock), vendored_components()
    by_name = {component["name"]: component["bom-ref"] for component in packages}
    root = f"pkg:generic/{project['name']}@{project['version']}"
    needs = [by_name[name] for name in direct_dependencies(project)] + [one["bom-ref"] for one in vendored]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": root,
            }
        },
        "components": sorted([*packages, *vendored], key=lambda component: str(component["bom-ref"])),
        "dependencies": [{"ref": root, "dependsOn": sorted(needs)}],
        "compositions": [{"aggregate": "incomplete", "dependencies": [root]}],
    }
    content = hashlib.sha256(json.dumps(bom, sort_keys=True).encode()).hexdigest()
    return bom | {"serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"}


def main() -> int:
    sys.stdout.write(json.dumps(bill_of_materials(), indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
