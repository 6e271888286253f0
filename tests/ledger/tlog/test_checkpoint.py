"""Checkpoints: three lines, one spelling."""

import pytest

from ledger.tlog.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from ledger.tlog.errors import CheckpointError
from ledger.tlog.merkle import EMPTY_ROOT

CHECKPOINT = Checkpoint("example.com/behind-the-sofa", 20_852_163, bytes(range(32)))
DATA = format_checkpoint(CHECKPOINT)


def test_example_of_the_specification_is_read():
    text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert format_checkpoint(checkpoint) == text


@pytest.mark.parametrize("size", [0, 1, 255, 256, 2**53, 2**63 - 1])
def test_sizes_round_trip(size):
    checkpoint = Checkpoint("a", size, EMPTY_ROOT)
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        b"",
        DATA[:-1],
        DATA + b"\n",
        DATA + b"extension\n",
        DATA.replace(b"20852163", b"020852163"),
        DATA.replace(b"20852163", b"+20852163"),
        DATA.replace(b"20852163", b"-1"),
        DATA.replace(b"20852163", b""),
        DATA.replace(b"20852163", b"2 0"),
        DATA.replace(b"20852163", b"0x10"),
        DATA.replace(b"20852163", "\u0662".encode()),
        DATA.replace(b"20852163", b"9223372036854775808"),
        DATA.replace(b"20852163", b"9" * 100),
        DATA.replace(b"example", b"exa mple"),
        DATA.replace(b"example", b"exa+mple"),
        DATA.replace(b"example.com/behind-the-sofa", b""),
        DATA.replace(b"\n", b"\r\n"),
        DATA.replace(b"example", b"\xff"),
        DATA.replace(b"Hh8=", b"Hh9="),
        DATA.replace(b"Hh8=", b"Hh8"),
        DATA.replace(b"AAEC", b""),
    ],
)
def test_malformed_checkpoints_are_refused(text):
    assert text != DATA
    with pytest.raises(CheckpointError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, EMPTY_ROOT),
        Checkpoint("a\nb", 1, EMPTY_ROOT),
        Checkpoint("a", -1, EMPTY_ROOT),
        Checkpoint("a", 2**63, EMPTY_ROOT),
        Checkpoint("a", 1, b"short"),
    ],
)
def test_impossible_checkpoints_are_not_written(checkpoint):
    with pytest.raises(CheckpointError):
        format_checkpoint(checkpoint)


def test_every_changed_byte_is_refused_or_gives_another_checkpoint():
    for at in range(len(DATA)):
        for value in range(256):
            changed = DATA[:at] + bytes([value]) + DATA[at + 1 :]
            if changed == DATA:
                continue
            try:
                checkpoint = parse_checkpoint(changed)
            except CheckpointError:
                continue
            assert checkpoint != CHECKPOINT
            assert format_checkpoint(checkpoint) == changed


def test_every_prefix_is_refused():
    for cut in range(len(DATA)):
        with pytest.raises(CheckpointError):
            parse_checkpoint(DATA[:cut])
