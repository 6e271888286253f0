"""`manage.py check_url`: the answer that scripts read, by a table of names instead of the network."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

DNS = {
    "shop.example.com": ["93.184.215.14"],
    "inside.example.com": ["10.0.0.1"],
    "mixed.example.com": ["93.184.215.14", "::1"],
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "dns.json"
    path.write_text(json.dumps(DNS))
    return path


@pytest.mark.parametrize(
    ("url", "verdict", "code"),
    [
        ("https://shop.example.com/a.jpg", "accept", "ok"),
        ("https://SHOP.example.com./a.jpg", "accept", "ok"),
        ("http://inside.example.com/", "reject", "private_address"),
        ("http://mixed.example.com/", "reject", "private_address"),
        ("http://nobody.example.com/", "reject", "unresolved"),
        ("http://2130706433/", "reject", "bad_host"),
        ("http://a@shop.example.com/", "reject", "credentials"),
        ("http://shop.example.com:22/", "reject", "bad_port"),
        ("file:///etc/passwd", "reject", "bad_scheme"),
        ("http://shop.example.com\\@inside.example.com/", "reject", "bad_url"),
    ],
)
def test_one_answer_per_address(table, capsys, url, verdict, code):
    call_command("check_url", url, "--dns", str(table), "--json")
    assert json.loads(capsys.readouterr().out) == {"url": url, "verdict": verdict, "code": code}


def test_a_table_may_stand_in_a_larger_file(tmp_path, capsys):
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"dns": DNS, "urls": []}))
    call_command("check_url", "https://shop.example.com/", "--dns", str(path), "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "ok"


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}'])
def test_what_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "dns.json"
    path.write_text(content)
    with pytest.raises(CommandError, match="no table"):
        call_command("check_url", "https://shop.example.com/", "--dns", str(path))
