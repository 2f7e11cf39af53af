"""Quotas as written: what is read, what is refused, and how they become bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import BudgetError
from tamis.select.base import NULL_GROUP, Groups
from tamis.select.budget.quotas import NO_CAP, Quota, bounds_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source<=30%", Quota("source", None, "<=", Fraction(30), True)),
        ("source=arxiv >= 12.5 %", Quota("source", "arxiv", ">=", Fraction("12.5"), True)),
        ("  source = cs<=40", Quota("source", "cs", "<=", Fraction(40))),
        ("url=a=b<=1_000", Quota("url", "a=b", "<=", Fraction(1000))),
        ("tag='a<=b'<=3", Quota("tag", "a<=b", "<=", Fraction(3))),
        ('tag="it""s"<=3', Quota("tag", 'it"s', "<=", Fraction(3))),
        ("tag=''>=3", Quota("tag", "", ">=", Fraction(3))),
        ("'a=b'=c>=3", Quota("a=b", "c", ">=", Fraction(3))),
        ("lang=null<=0", Quota("lang", "null", "<=", Fraction(0))),
        ("title=two words<=5", Quota("title", "two words", "<=", Fraction(5))),
    ],
)
def test_parse(text: str, expected: Quota) -> None:
    assert Quota.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source", "got no <= or >="),
        ("source<30%", "got no <= or >="),
        ("source=cs", "got no <= or >="),
        ("source<=", "got the amount ''"),
        ("source<=many", "got the amount 'many'"),
        ("source<=-3", "got the amount '-3'"),
        ("source<=nan", "got the amount 'nan'"),
        ("<=3", "got '' before <="),
        ("source=<=3", "an empty value is written FIELD=''"),
        ("source<=120%", "expected 0 to 100 %, got 120"),
        ("source<=2.5", "expected whole rows or a %, got 2.5"),
    ],
)
def test_parse_refuses(text: str, words: str) -> None:
    with pytest.raises(BudgetError) as caught:
        Quota.parse(text)
    assert words in str(caught.value)


names = st.text(st.sampled_from("ab=<>\"' é"), max_size=5)
percents = st.tuples(st.integers(0, 100), st.integers(0, 99)).map(
    lambda p: min(Fraction(p[0]) + Fraction(p[1], 100), Fraction(100))
)


@given(names.filter(bool), st.none() | names, st.sampled_from(["<=", ">="]), percents)
def test_written_and_read_again(field: str, value: str | None, op: str, amount: Fraction) -> None:
    quota = Quota(field, value, op, amount, True)
    assert Quota.parse(str(quota)) == quota


def test_percent_rounds_down_for_both_kinds() -> None:
    """33 % of 10 rows is 3.3: a cap of 3 and a floor of 3; 0.1 % is none. 29 % of 100 is 29, not 28."""
    assert [Quota.parse(q).units(10) for q in ("a<=33%", "a>=33%", "a>=0.1%")] == [3, 3, 0]
    assert Quota.parse("a<=29%").units(100) == 29


def test_bounds_take_the_tightest_of_several_quotas() -> None:
    groups = {"a": Groups.of(["x", "y", None, "x"])}
    quotas = [Quota.parse(q) for q in ("a<=50%", "a=x<=40", "a=x>=1", "a=x>=3", "a=z<=1")]
    bounds = bounds_of(quotas, groups, 100, "rows")
    assert bounds.names == (("a", "null"), ("a", "x"), ("a", "y"), ("a", "z"))
    assert bounds.cap.tolist() == [50, 40, 50, 1]
    assert bounds.floor.tolist() == [0, 3, 0, 0]
    assert bounds.label(0, "cap") == "quota a=null <= 50% (50 rows)"
    assert bounds.label(1, "floor") == "quota a=x >= 3 rows"
    assert bounds.full(1) == "quota a=x is full"


def test_rows_and_percent_are_bounds_of_their_own_under_a_token_budget() -> None:
    groups = {"a": Groups.of(["x", "y"])}
    bounds = bounds_of([Quota.parse("a=x<=3"), Quota.parse("a=x<=10%")], groups, 1000, "tokens")
    assert bounds.cap.tolist() == [100, NO_CAP]
    assert bounds.row_cap.tolist() == [3, NO_CAP]
    assert bounds.label(0, "row_cap") == "quota a=x <= 3 rows"
    assert bounds.label(0, "cap") == "quota a=x <= 10% (100 tokens)"


def test_a_quota_on_every_value_leaves_out_values_without_records() -> None:
    groups = {"a": Groups(np.array([0, 0], np.int32), ("x", "unused"))}
    assert bounds_of([Quota.parse("a>=1")], groups, 2, "rows").floor.tolist() == [1, 0]


def test_unknown_field_names_the_nearest() -> None:
    with pytest.raises(BudgetError, match=r"quota on 'sorce': no such field\. Did you mean 'source'\?"):
        bounds_of([Quota.parse("sorce<=3")], {"source": Groups.of(["x"])}, 3, "rows")


def test_groups_of_values() -> None:
    groups = Groups.of(["b", None, "a", "null", "b"])
    assert groups.names == ("a", "b", NULL_GROUP)
    assert groups.codes.tolist() == [1, 2, 0, 2, 1]
    numbers = Groups.of(np.array([2.5, np.nan, 2.5]))
    assert numbers.names == ("2.5", "null")
    assert Groups.of(np.array([10, 9, 10])).names == ("10", "9")
    assert Groups.of(np.array([True, False])).names == ("false", "true")
    assert Groups.of([]).names == ()
