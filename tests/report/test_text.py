"""Anybody's text as HTML that is only text."""

from __future__ import annotations

import html
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import HOSTILE, Page

from tamis.report.data import Shown, Text
from tamis.report.text import number, percent, plural, safe, safe_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("<b class='x'>&\"", "&lt;b class=&#x27;x&#x27;&gt;&amp;&quot;"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("a\u202eb", 'a<span class="cp" title="right-to-left override">U+202E</span>b'),
        ("\x00", '<span class="cp" title="character that does not show">U+0000</span>'),
        ("\ud800", '<span class="cp" title="character that does not show">U+D800</span>'),
        ("a\u200db", 'a<span class="cp" title="zero-width joiner">U+200D</span>b'),
        ("👩\u200d👧", "👩\u200d👧"),  # a joiner that joins
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("שלום", "שלום"),
    ],
)
def test_safe_by_hand(text: str, expected: str) -> None:
    assert safe(text) == expected


def test_long_texts_are_cut_and_say_so() -> None:
    assert safe("y" * 1_000_000) == "y" * 400 + '<span class="more"> … 1,000,000 characters</span>'
    assert safe("abc", 2).startswith("ab<span")


TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None)), st.sampled_from(HOSTILE))


@given(TEXTS)
def test_no_text_makes_markup(text: str) -> None:
    """Only boxes and the note of a cut are elements; what they show, unescaped, tells every character."""
    made = safe(text)
    page = Page(made)
    assert {tag for tag, _ in page.elements} <= {"span"}
    assert not page.wrong
    assert all(set(attributes) <= {"class", "title"} for _, attributes in page.elements)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\u200b\ud800-\udfff]", made)
    made.encode("utf-8")
    told = re.sub(r'<span class="more">.*?</span>', "", made)
    told = re.sub(r'<span class="cp"[^>]*>U\+([0-9A-F]+)</span>', lambda found: chr(int(found[1], 16)), told)
    assert html.unescape(told) == text[:400].replace("\r\n", "\n")


def test_parts_of_texts() -> None:
    made = safe_text(Shown("abc", 9_000, skipped=1, cut=True))
    assert Page(made).text == "1 character before … abc … 9,000 bytes in all"
    assert safe_text(Shown("abc", 3)) == '<bdi dir="auto">abc</bdi>'
    assert safe_text(Text((("a<", False), ("b>", True)), 4)) == '<bdi dir="auto">a&lt;<mark>b&gt;</mark></bdi>'


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, "", "0"),
        (1234567, "", "1,234,567"),
        (1234.5678, "bytes", "1,235 bytes"),
        (0.123456, "", "0.1235"),
        (-56.381, "", "−56.38"),
        (2.0, "", "2"),
        (1.3e-7, "", "1.3e−07"),
        (2.5e17, "", "2.5e+17"),
        (math.nan, "", "–"),
        (-math.inf, "", "−∞"),
        (0.16623, "%", "16.6%"),
    ],
)
def test_numbers(value: float, unit: str, expected: str) -> None:
    assert number(value, unit) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.5, "50.0%"),
        (0.0531, "5.3%"),
        (0.00016, "0.016%"),
        (1e-7, "<0.001%"),
        (0.99997, "100.0%"),
        (math.nan, "–"),
    ],
)
def test_percentages(share: float, expected: str) -> None:
    assert percent(share) == expected


def test_plurals() -> None:
    assert (plural(1, "record"), plural(2_000, "record")) == ("1 record", "2,000 records")
