"""`manage.py check_quality`: one JSON line per file, in order, without a database."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.compliance.checks.pictures import encode, product
from tests.images import exif_bytes, product_photo


def run(*arguments: object) -> list[dict]:
    out = io.StringIO()
    call_command("check_quality", *map(str, arguments), "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_every_file_gets_a_line_in_order(tmp_path):
    good, small, broken = tmp_path / "good.jpg", tmp_path / "small.jpg", tmp_path / "broken.jpg"
    good.write_bytes(encode(product((700, 700)), "JPEG", exif=exif_bytes()))
    small.write_bytes(encode(product_photo(3, (300, 300)), "JPEG", exif=exif_bytes()))
    broken.write_bytes(b"no picture")
    answers = run(good, small, broken, tmp_path / "gone.jpg")
    assert [(item["verdict"], [each["code"] for each in item["findings"]]) for item in answers] == [
        ("PASSED", []),
        ("FAILED", ["ERR_IMG_LOW_RESOLUTION"]),
        ("INDETERMINATE", []),
        ("INDETERMINATE", []),
    ]
    assert [item["refused"] and item["refused"]["code"] for item in answers] == [
        None,
        None,
        "unsupported_type",
        "file_unreadable",
    ]
    assert answers[0]["file"] == str(good)


def test_a_main_image_alone_is_asked_for_its_category(tmp_path):
    main = tmp_path / "main.jpg"
    main.write_bytes(encode(product((700, 700)), "JPEG", exif=exif_bytes()))
    assert [item["code"] for item in run(main, "--category", "shoes", "--without-hidden")[0]["findings"]] == [
        "ERR_IMG_HID_MISSING"
    ]


def test_people_read_lines(tmp_path, capsys):
    main = tmp_path / "main.jpg"
    main.write_bytes(encode(product((300, 300)), "JPEG", exif=exif_bytes()))
    call_command("check_quality", str(main))
    assert "ERR_IMG_LOW_RESOLUTION  300 (allowed 600) px" in capsys.readouterr().out


def test_an_unknown_profile_is_a_wrong_call(tmp_path):
    with pytest.raises(CommandError):
        call_command("check_quality", str(tmp_path / "x.jpg"), "--profile", "nobody")
