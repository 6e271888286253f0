"""What the sample pictures show: which shape with which pattern, drawn from a number. No image library here."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("tote", "cup", "shirt", "shoe", "cushion", "vase")
PALETTES = 8
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
    turn = number // len(SHAPES)
    return _design(number, pattern=number * 3 + turn, palette=number + turn, seed=4100 + number)


def stranger_design(number: int) -> Design:
    """A product that is nobody's copy: no original has its shape with its pattern in its colours."""
    return _design(number, pattern=number * 5 + number // len(SHAPES), palette=number * 2 + 2, seed=7300 + number)


def _design(number: int, *, pattern: int, palette: int, seed: int) -> Design:
    return Design(
        shape=SHAPES[number % len(SHAPES)],
        pattern=PATTERNS[pattern % len(PATTERNS)],
        palette=palette % PALETTES,
        wall=seed,
        seed=seed,
    )
