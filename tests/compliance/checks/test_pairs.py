"""Names and CSV rows become pairs; what cannot be paired is named."""

import pytest

from compliance.checks.pairs import PairPlan, PairsMalformed, parse_pairs, plan_hidden, plan_pairs


@pytest.mark.parametrize(
    ("main", "hidden", "sku"),
    [
        ("A1_main.jpg", "A1_hidden.png", "A1"),
        ("A1-MAIN.JPG", "a1-Hidden.jpg", "A1"),
        ("main_A1.jpg", "hidden_A1.jpg", "A1"),
        ("A1/main.jpg", "A1/hidden.jpg", "A1"),
        ("shoot/A1/main.jpg", "shoot/A1/hidden.jpg", "A1"),
        ("main/A1.jpg", "hidden/A1.jpg", "A1"),
        ("红裙主图.jpg", "红裙隐藏图.jpg", "红裙"),
        ("A-1.red main.jpg", "A-1.red hide.jpg", "A-1.red"),
        ("main.jpg", "hidden.jpg", "pair"),
    ],
)
def test_names_pair_up(main, hidden, sku):
    assert plan_pairs([hidden, main]) == ([PairPlan(sku, main, hidden)], []) or plan_pairs([main, hidden]) == (
        [PairPlan(sku, main, hidden)],
        [],
    )


def test_what_says_no_role_is_named():
    plans, rest = plan_pairs(["A1/main.jpg", "A1/hidden.jpg", "A1/detail.jpg", "domain.jpg", "unhidden.jpg"])
    assert (len(plans), rest) == (1, ["A1/detail.jpg", "domain.jpg", "unhidden.jpg"])


def test_a_file_without_its_twin_and_two_of_one_role_are_rows_with_a_reason():
    plans, _rest = plan_pairs(["A_main.jpg", "B_hidden.jpg", "C_main.jpg", "C-main.png", "C_hidden.jpg"])
    assert [(plan.id, plan.code) for plan in plans] == [
        ("A", "batch.no_hidden"),
        ("B", "batch.no_main"),
        ("C", "batch.two_main"),
    ]


def test_the_same_name_in_two_folders_makes_two_pairs():
    plans, _rest = plan_pairs([f"{folder}/A_{role}.jpg" for folder in ("x", "y") for role in ("main", "hidden")])
    assert [(plan.id, plan.main) for plan in plans] == [("x/A", "x/A_main.jpg"), ("y/A", "y/A_main.jpg")]


def test_a_csv_is_read_with_or_without_its_optional_columns():
    assert parse_pairs("\ufeffid,main,hidden\nA,a.jpg,b.jpg\n".encode()) == [PairPlan("A", "a.jpg", "b.jpg")]
    rows = parse_pairs("id,main,hidden,original,category\n红,主.jpg,隐.jpg,o.jpg,shoes\n".encode("gb18030"))
    assert rows == [PairPlan("红", "主.jpg", "隐.jpg", "o.jpg", "shoes")]


def test_a_row_without_a_file_is_kept_with_its_reason():
    (row,) = parse_pairs(b"id,main,hidden\nA,a.jpg,\n")
    assert row.code == "batch.no_hidden"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"id,main\nA,a\n",
        b"id,main,hidden\n,a,b\n",
        b"id,main,hidden\nA,a,b\nA,c,d\n",
        b"id,main,hidden\nA,a\x00,b\n",
        b"id,main,hidden\n" + b"A" * 101 + b",a,b\n",
        b"\xff\xff",
        b'id,main,hidden\n"' + b"x" * 200_000,
    ],
)
def test_what_is_no_table_of_pairs_is_refused(text):
    with pytest.raises(PairsMalformed) as caught:
        parse_pairs(text)
    assert caught.value.detail


def test_hidden_images_are_named_after_their_skus_and_a_sku_may_have_none():
    plans = plan_hidden(
        ["red.jpg", "Blue_hidden.jpg", "red_main.jpg", "x/hidden.jpg", "x/detail.jpg"], ["green", "blue"]
    )
    assert [(plan.id, plan.hidden) for plan in plans] == [
        ("green", ""),
        ("blue", "Blue_hidden.jpg"),
        ("red", "red.jpg"),
        ("x", "x/hidden.jpg"),
    ]


def test_two_hidden_images_of_one_sku_are_a_row_with_a_reason():
    (plan,) = plan_hidden(["red.jpg", "red_hidden.jpg"], [])
    assert plan.code == "batch.two_hidden"
