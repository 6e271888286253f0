"""What the sample pictures show: which shape with which pattern, drawn from a number. No image library here."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("tote", "cup", "shirt", "shoe", "cushion", "vase")
PATTERNS = ("stripes", "diagonal", "dots", "checks", "waves", "chevron", "pebbles", "flowers")


@dataclass(frozen=True, slots=True)
class Design:
    """One picture: a shape of SHAPES, a pattern of PATTERNS, a palette, a wall, and the seed of its accidents."""

    shape: str
    pattern: str
    palette: int
    wall: int
    seed: int


def original_design(number: int) -> Design:
    """The product of original `number`; every shape meets most patterns."""
    return _design(number, seed=4100 + number)


def stranger_design(number: int) -> Design:
    """A product that is nobody's copy."""
    return _design(number * 5 + 3, seed=7300 + number)


def _design(number: int, seed: int) -> Design:
    turn = number // len(SHAPES)
    return Design(
        shape=SHAPES[number % len(SHAPES)],
        pattern=PATTERNS[(number * 3 + turn) % len(PATTERNS)],
        palette=number + turn,
        wall=number,
        seed=seed,
    )
