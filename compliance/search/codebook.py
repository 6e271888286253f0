"""What the index of features is built on: 4,096 typical descriptors, 16 leaves under each of them to sort many pictures
by, and 16 x 256 pieces to spell any descriptor with.

The typical descriptors are closed under mirroring and inversion (see ledger/imaging/features.py): they are 1,024
classes of four. So the nearest ones of a mirrored query are the mirrored nearest ones, looked up instead of searched;
and the leaves are kept for one member of each class, to which a descriptor is brought before it is compared.
Trained by `python -m compliance.search.codebook --split SPLIT_DIR --seed 7`; same input, same file.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import logging
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from compliance.search.errors import BadCodebookError
from ledger.imaging.decode import decode_picture
from ledger.imaging.features import DIMENSIONS, INVERT, MIRROR, REFERENCE, extract
from ledger.imaging.threads import use_one_thread

VERSION = 2
FILE = "codebook.npz"
CLASSES = 1024
MEMBERS = 4  # as it is, mirrored, inverted, both
LISTS = CLASSES * MEMBERS
LEAVES = 16  # to a list
ROWS_AT_ONCE = 500  # 16 MB of leaves
PIECES = 16
PIECE_VALUES = 256
PIECE_DIMENSIONS = DIMENSIONS // PIECES
ROUNDS = 12
# 800 descriptors: 15 ms instead of 83 (one core).
GROUPS = 128
GROUPS_VISITED = 12
# FAISS asks for at least 39 training vectors a centroid; mirrored and inverted ones count here.
TRAINING_VECTORS = 200_000

Floats32 = NDArray[np.float32]
log = logging.getLogger(__name__)

GROUP = (np.arange(DIMENSIONS), MIRROR, INVERT, MIRROR[INVERT])
_ORDERS = np.stack(GROUP)


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """centroids float32 (4096, 128), the four members of a class side by side; pieces float32 (16, 256, 8); leaves
    float32 (1024, 16, 128), under the first member of each class."""

    centroids: Floats32
    pieces: Floats32
    leaves: Floats32

    def __post_init__(self) -> None:
        if self.centroids.shape != (LISTS, DIMENSIONS):
            raise BadCodebookError(f"centroids of shape {self.centroids.shape}")
        if self.pieces.shape != (PIECES, PIECE_VALUES, PIECE_DIMENSIONS):
            raise BadCodebookError(f"pieces of shape {self.pieces.shape}")
        if self.leaves.shape != (CLASSES, LEAVES, DIMENSIONS):
            raise BadCodebookError(f"leaves of shape {self.leaves.shape}")

    @property
    def digest(self) -> bytes:
        """32 bytes that name this codebook; codes made with another one mean nothing here."""
        return hashlib.sha256(self.centroids.tobytes() + self.pieces.tobytes() + self.leaves.tobytes()).digest()


def transformed_leaf(leaves: NDArray[np.int64], member: int) -> NDArray[np.int64]:
    """The leaves of mirrored (1), inverted (2) or mirrored and inverted (3) descriptors, from those of the originals.

    The group is Klein's four-group, so the members of a class are numbered by two bits that add up without carry.
    """
    return leaves ^ (member * LEAVES)


def nearest_leaves(codebook: Codebook, vectors: Floats32, lists: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The `count` nearest leaves under the lists (n, k) of each vector (n, 128), int64 (n, count), nearest first.

    A leaf's number is that of its list times 16 plus its own. All of them come in the order of their numbers' places.
    """
    every = (lists[:, :, None] * LEAVES + np.arange(LEAVES)).reshape(len(lists), -1)
    if count >= every.shape[1]:
        return every
    parts = [
        _ranked_leaves(codebook, vectors[start : start + ROWS_AT_ONCE], lists[start : start + ROWS_AT_ONCE], count)
        for start in range(0, len(lists), ROWS_AT_ONCE)
    ]
    chosen: NDArray[np.int64] = np.take_along_axis(every, np.concatenate(parts), axis=1)
    return chosen


def _ranked_leaves(codebook: Codebook, vectors: Floats32, lists: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of the nearest leaves among all that are below the lists."""
    # Brought to the first member of its class, a descriptor meets that member's leaves.
    brought = vectors[np.arange(len(vectors))[:, None, None], _ORDERS[lists % MEMBERS]]
    classes = lists // MEMBERS
    products = (codebook.leaves[classes] @ brought[..., None])[..., 0]
    distances = _leaf_squares(codebook)[classes] - 2 * products
    places: NDArray[np.int64] = np.argsort(distances.reshape(len(lists), -1), axis=1, kind="stable")[:, :count]
    return places


@lru_cache(maxsize=4)
def _leaf_squares(codebook: Codebook) -> Floats32:
    """Squared length of every leaf, float32 (1024, 16)."""
    squares: Floats32 = np.einsum("kij,kij->ki", codebook.leaves, codebook.leaves)
    return squares


@lru_cache(maxsize=4)
def coarse_search(codebook: Codebook) -> Any:
    """A FAISS index over the centroids that finds 98.8 % of the nearest four in a fifth of the time of a full scan."""
    groups = faiss.IndexFlatL2(DIMENSIONS)
    index = faiss.IndexIVFFlat(groups, DIMENSIONS, GROUPS)
    index.cp.seed = 1
    index.cp.min_points_per_centroid = 1
    index.train(codebook.centroids)
    index.add(codebook.centroids)
    index.nprobe = GROUPS_VISITED
    return index


def parse_codebook(data: bytes) -> Codebook:
    """A codebook from the bytes that `format_codebook` made, or BadCodebookError."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            classes, pieces, leaves = arrays["classes"], arrays["pieces"], arrays["leaves"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadCodebookError(str(error)[:120]) from error
    return Codebook(expand(classes.astype(np.float32)), pieces.astype(np.float32), leaves.astype(np.float32))


def format_codebook(
    classes: Floats32, pieces: Floats32, leaves: NDArray[np.uint8], provenance: dict[str, Any]
) -> bytes:
    """The bytes of the data file: half precision, one member per class, and where it comes from."""
    out = io.BytesIO()
    note = np.frombuffer(json.dumps(provenance, sort_keys=True).encode(), np.uint8)
    columns: dict[str, Any] = {"classes": classes.astype(np.float16), "pieces": pieces.astype(np.float16)}
    np.savez_compressed(out, allow_pickle=False, leaves=leaves, provenance=note, **columns)
    return out.getvalue()


def expand(classes: Floats32) -> Floats32:
    """(4096, 128) from one member of each class (1024, 128)."""
    return np.ascontiguousarray(np.stack([classes[:, order] for order in GROUP], axis=1).reshape(-1, DIMENSIONS))


@lru_cache(maxsize=1)
def shipped_codebook() -> Codebook:
    """The codebook in this package."""
    return parse_codebook(files(__package__).joinpath(FILE).read_bytes())


def train_classes(vectors: Floats32, seed: int) -> Floats32:
    """Lloyd's k-means on classes: a vector is brought to the member it is nearest to before it counts."""
    rng = np.random.default_rng(seed)
    classes = vectors[rng.choice(len(vectors), CLASSES, replace=False)]
    for number in range(ROUNDS):
        nearest, loss = _assign(vectors, expand(classes))
        owner, member = nearest // MEMBERS, nearest % MEMBERS
        sums = np.zeros((CLASSES, DIMENSIONS))
        for which, order in enumerate(GROUP):
            chosen = member == which
            # Each element of the group is its own inverse.
            np.add.at(sums, owner[chosen], vectors[chosen][:, order])
        counts = np.bincount(owner, minlength=CLASSES)
        empty = counts == 0
        classes = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        classes[empty] = vectors[rng.choice(len(vectors), int(empty.sum()), replace=False)]
        log.info("round %d: mean squared distance %.0f, %d empty", number + 1, loss, empty.sum())
    return classes


def train_leaves(vectors: Floats32, classes: Floats32, seed: int) -> NDArray[np.uint8]:
    """(1024, 16, 128): k-means of the vectors of each class, brought to its first member, by FAISS."""
    nearest, _ = _assign(vectors, expand(classes))
    brought = vectors[np.arange(len(vectors))[:, None], _ORDERS[nearest % MEMBERS]]
    order = np.argsort(nearest // MEMBERS, kind="stable")
    ends = np.cumsum(np.bincount(nearest // MEMBERS, minlength=CLASSES))
    leaves = np.repeat(classes[:, None], LEAVES, axis=1)
    for number, own in enumerate(np.split(brought[order], ends[:-1])):
        if len(own) > LEAVES:
            means = faiss.Kmeans(DIMENSIONS, LEAVES, niter=ROUNDS, seed=seed, min_points_per_centroid=1)
            means.train(own)
            leaves[number] = means.centroids
    rounded: NDArray[np.uint8] = np.clip(np.rint(leaves), 0, 255).astype(np.uint8)
    return rounded


def train_pieces(vectors: Floats32, seed: int) -> Floats32:
    """(16, 256, 8): k-means of each eighth-long piece, by FAISS."""
    quantizer = faiss.ProductQuantizer(DIMENSIONS, PIECES, 8)
    quantizer.cp.seed = seed
    quantizer.cp.max_points_per_centroid = 512
    quantizer.train(vectors)
    pieces: Floats32 = faiss.vector_to_array(quantizer.centroids).copy()
    return pieces.reshape(PIECES, PIECE_VALUES, PIECE_DIMENSIONS)


def _assign(vectors: Floats32, centroids: Floats32) -> tuple[NDArray[np.int64], float]:
    index = faiss.IndexFlatL2(DIMENSIONS)
    index.add(centroids)
    squared, nearest = index.search(vectors, 1)
    return nearest[:, 0], float(squared.mean())


def _descriptors(paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    for path in paths:
        yield extract(decode_picture(path.read_bytes()).pixels, REFERENCE).descriptors


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m compliance.search.codebook", description=__doc__)
    parser.add_argument("--split", type=Path, required=True, help="folder of a benchmark split with manifest.csv")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / FILE)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_one_thread()
    manifest = options.split / "manifest.csv"
    with manifest.open(newline="") as file:
        paths = [options.split / row["file"] for row in csv.DictReader(file) if row["role"] != "negative"]
    rows = np.concatenate(list(_descriptors(paths)))
    chosen = np.random.default_rng(options.seed).choice(len(rows), min(TRAINING_VECTORS, len(rows)), replace=False)
    vectors = rows[np.sort(chosen)].astype(np.float32)
    provenance = {
        "version": VERSION,
        "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "pictures": len(paths),
        "vectors": len(vectors),
        "seed": options.seed,
    }
    classes = train_classes(vectors, options.seed).astype(np.float16).astype(np.float32)
    leaves = train_leaves(rows.astype(np.float32), classes, options.seed)
    data = format_codebook(classes, train_pieces(vectors, options.seed), leaves, provenance)
    options.out.write_bytes(data)
    log.info("%s: %d bytes", options.out.name, len(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
