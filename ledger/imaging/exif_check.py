"""Whether the skeleton of an EXIF block holds: directories that end, values that lie inside. Reads no value.

Readers repair what they can and say nothing; a seller who relies on a date should hear that the block is damaged.
Format: TIFF 6.0 section 2, CIPA DC-008 (Exif 2.32) section 4.6.
"""

from typing import Literal

# Bytes of one value by field type, 1 to 12.
SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
POINTERS = frozenset({0x8769, 0x8825, 0xA005})  # to the directories of EXIF, GPS and interoperability
MAKER_NOTE = 0x927C  # its own format and often its own offsets
MAX_ENTRIES = 4_096
MAX_DIRECTORIES = 16


def is_whole(block: bytes) -> bool:
    """True where every directory of the TIFF block is reached once and every value lies inside the block."""
    orders: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
    order = orders.get(block[:2])
    if order is None or len(block) < 8 or int.from_bytes(block[2:4], order) != 42:
        return False
    seen: set[int] = set()
    waiting = [int.from_bytes(block[4:8], order)]
    while waiting:
        start = waiting.pop()
        if start == 0:
            continue
        count = int.from_bytes(block[start : start + 2], order)
        end = start + 2 + 12 * count
        if start in seen or len(seen) == MAX_DIRECTORIES or count > MAX_ENTRIES or not 8 <= start < end <= len(block):
            return False
        seen.add(start)
        for at in range(start + 2, end, 12):
            tag, kind = int.from_bytes(block[at : at + 2], order), int.from_bytes(block[at + 2 : at + 4], order)
            number, value = (int.from_bytes(block[at + n : at + n + 4], order) for n in (4, 8))
            size = number * (SIZES[kind] if kind < len(SIZES) else 0)
            if size > 4 and value + size > len(block) and tag != MAKER_NOTE:
                return False
            if tag in POINTERS:
                waiting.append(value)
        waiting.append(int.from_bytes(block[end : end + 4], order))
    return True
