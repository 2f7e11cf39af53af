"""The page: whole, self-contained, accessible, the same for the same data, and deaf to what it shows."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from itertools import pairwise

import numpy as np
import pytest
from reports import HOSTILE, Page, data

from tamis.report import render
from tamis.report.data import Groups
from tamis.report.plots import dots, ticks
from tamis.report.style import CSS

HEADINGS = ["From pool to selection", "Against chance", "What went in", "What was left out, and why",
            "Groups before and after", "Lengths and scores", "A map of the pool", "Near-duplicates",
            "Records at the top, at the line, at the bottom", "How this was made"]  # fmt: skip


def test_page_is_well_formed_and_has_every_section() -> None:
    html = render(data())
    page = Page(html)
    assert not page.wrong
    for heading in HEADINGS:
        assert f">{heading}</h2>" in html
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in page.all("a")]
    assert targets
    assert all(target[0] == "#" and target[1:] in ids for target in targets)


def test_sections_without_content_are_left_out() -> None:
    empty = dataclasses.replace(
        data(), figures=(), groups=(), histograms=(), map=None, dedup=None, records=(), notes=(), drops=()
    )
    html = render(empty)
    assert not Page(html).wrong
    assert "Nothing was left out." in html
    for heading in ("Against chance", "Groups before and after", "A map of the pool", "Near-duplicates"):
        assert heading not in html


def test_page_loads_nothing_and_allows_nothing() -> None:
    """No element can fetch, no script, no inline style; the policy names the style sheet by its hash."""
    page = Page(render(data()))
    kinds = {tag for tag, _ in page.elements}
    assert not kinds & {"script", "img", "link", "iframe", "object", "embed", "video", "audio", "form", "base", "image"}
    for tag, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "action")
        ]
        assert tag == "use" or all("//" not in (value or "") for value in attributes.values())
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_page_speaks_to_screen_readers() -> None:
    html = render(data())
    page = Page(html)
    assert page.all("html")[0]["lang"] == "en"
    assert (
        len(page.all("h1"))
        == len(page.all("main"))
        == len(page.all("title")) - len(re.findall(r"<svg[^>]*><title>", html))
    )
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert 'aria-hidden="true"' in svg or re.match(
            r'<svg [^>]*role="img"[^>]*><title>.+</title><desc>.+</desc>', svg
        )
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    heads = [attributes.get("scope") for attributes in page.all("th")]
    assert heads
    assert set(heads) <= {"col", "row"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_everywhere(text: str) -> None:
    """With hostile words in every place, the page has the very elements that it has with plain ones, and boxes."""
    plain, hostile = Page(render(data())), Page(render(data(text)))
    assert not hostile.wrong

    def structure(page: Page) -> list[str]:
        marks = ("cp", "more")
        return [
            tag
            for tag, attributes in page.elements
            if tag not in ("mark", "span") or attributes.get("class") not in (*marks, None)
        ]

    assert structure(hostile) == structure(plain)
    assert len(render(data(text))) < 200_000


def test_title_has_no_markup() -> None:
    html = render(data("<i>\u202e"))
    assert "<title>&lt;i&gt;U+202E – selection report</title>" in html


def test_same_data_same_bytes() -> None:
    assert render(data()) == render(data())


def test_verdicts() -> None:
    html = render(data(figures=2))
    assert "<strong>1 of 2</strong>" in html  # the first equals chance, the second is above all
    assert "the same as in every random one" in html
    assert "above all 3 random ones" in html
    assert "about 1.0 would" in html


def test_folded_groups_have_no_bar() -> None:
    """They are many: beside their bar all others would vanish."""
    made = data()
    (groups,) = made.groups
    whole = dataclasses.replace(groups, folded=0)
    with_bar, without = (
        render(dataclasses.replace(made, groups=(one,))).count("Share of the group") for one in (whole, groups)
    )
    assert (with_bar, without) == (2, 1)
    assert isinstance(whole, Groups)


# --- plots


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 100, False, [0, 20, 40, 60, 80, 100]),
        (-3.2, 3.1, False, [-2, 0, 2]),
        (0.001, 0.0095, False, [0.002, 0.004, 0.006, 0.008]),
        (100, 60_000, True, [100, 300, 1000, 3000, 10_000, 30_000]),
        (1, 1e8, True, [1, 100, 10_000, 1e6, 1e8]),
        (40, 90, True, [40, 50, 60, 70, 80, 90]),
        (5, 5, False, [5]),
    ],
)
def test_ticks(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert ticks(low, high, log) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(30))
def test_ticks_are_few_and_inside(seed: int) -> None:
    low, width = np.random.default_rng(seed).lognormal(sigma=6, size=2)
    for log in (False, True):
        found = ticks(low, low + width, log)
        assert 1 <= len(found) <= 10
        assert all(low * (1 - 1e-6) - 1e-6 * width <= value <= (low + width) * (1 + 1e-6) for value in found)


def test_dots_stay_inside() -> None:
    assert dots(np.array([[0, 0], [1, 1], [-5, 9]])) == "M8 288h0M352 8h0M8 8h0"


# --- contrast


def colours(block: str) -> dict[str, tuple[float, ...]]:
    """Return the colours of a style block as linear light."""
    found = {}
    for name, value in re.findall(r"--(\w+):#([0-9a-f]{3,6})\b", block):
        digits = "".join(2 * d for d in value) if len(value) == 3 else value
        channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        found[name] = tuple(c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return found


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    light = [sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), one, strict=True)) + 0.05 for one in (a, b)]
    return max(light) / min(light)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_contrast(theme: str) -> None:
    """Text 4.5 to 1, marks that carry meaning 3 to 1, on everything that may be behind them."""
    blocks = re.findall(r":root\{(.*?)\}", CSS, re.DOTALL)
    seen = colours(blocks[["light", "dark", "print"].index(theme)])
    for behind in ("paper", "card", "wash"):
        for text in ("ink", "soft", "pick", "box"):
            assert contrast(seen[text], seen[behind]) >= 4.5, (text, behind)
    assert contrast(seen["ink"], seen["mark"]) >= 4.5
    for behind in ("paper", "card"):
        for mark in ("dot", "chance", "pick"):
            assert contrast(seen[mark], seen[behind]) >= 3, (mark, behind)
