"""Proof numbers: 16 characters of Crockford base32, 80 random bits, so that nobody can guess or count them."""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
# What people write when they read a number aloud or copy it by hand (Crockford's table).
LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def new_number() -> str:
    """A fresh proof number, e.g. 7K3Q9XWD21MM0ABC."""
    bits = secrets.randbits(5 * LENGTH)
    return "".join([ALPHABET[bits >> shift & 31] for shift in range(0, 5 * LENGTH, 5)])


def parse_number(text: str) -> str | None:
    """The stored form of what somebody typed, or None when it cannot be a proof number."""
    number = text.strip().upper().translate(LOOKALIKES)
    return number if len(number) == LENGTH and all(character in ALPHABET for character in number) else None


def format_number(number: str) -> str:
    """Grouped by four for people: 7K3Q-9XWD-21MM-0ABC."""
    return "-".join(number[i : i + 4] for i in range(0, len(number), 4))
