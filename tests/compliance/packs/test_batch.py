"""A batch is read as spreadsheets write it, and refused by the line that is wrong."""

import pytest

from compliance.packs.batch import BatchRow, is_safe_sku, parse_batch
from compliance.packs.errors import BatchMalformed


def test_columns_may_stand_in_any_order_and_further_ones_are_left_alone():
    rows = parse_batch(b"note,original,sku,main\nx,a.jpg, S-1 ,m.jpg\ny,b.jpg,S-2,\n")
    assert rows == [BatchRow("S-1", "a.jpg", main="m.jpg"), BatchRow("S-2", "b.jpg")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_file_names_are_read_in_every_usual_encoding(encoding):
    assert parse_batch("sku,original\n1,主图.jpg\n".encode(encoding)) == [BatchRow("1", "主图.jpg")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no column sku, original"),
        (b"sku\n1\n", "no column original"),
        (b"sku,original\n1,\n", "line 2: the original is empty"),
        (b"sku,original\n1,a\n1,b\n", "line 3: sku 1 stands there twice"),
        (b"sku,original\na,a\nA,b\n", "line 3: sku A stands there twice"),
        (b"sku,original\n../x,a\n", "line 2: sku"),
        (b"\xff\xfe\xff", "neither UTF-8 nor GB18030"),
        (b"sku,original\n1,a\x00\n", "line 2: a cell"),
    ],
)
def test_what_is_wrong_is_named(data, message):
    with pytest.raises(BatchMalformed, match=message):
        parse_batch(data)


@pytest.mark.parametrize(
    ("sku", "is_safe"), [("A", True), ("A.1-b_2", True), (".a", False), ("a.", False), ("", False)]
)
def test_a_sku_is_a_folder_on_every_system(sku, is_safe):
    assert is_safe_sku(sku) == is_safe
