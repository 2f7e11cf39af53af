"""The page in a browser: hostile text stays text, and no width makes it scroll sideways."""

from __future__ import annotations

import base64
import re
from html import unescape
from pathlib import Path

import pytest
from reports import HOSTILE, Page, browse, browser, data

from tamis.report import render

pytestmark = pytest.mark.slow


def title_of(document: str) -> str:
    return re.search(r"<title>(.*?)</title>", document, re.DOTALL)[1]


@pytest.mark.parametrize("policy", [True, False], ids=["as written", "without its policy"])
def test_hostile_text_does_nothing(tmp_path: Path, policy: bool) -> None:
    """Scripts in texts do not run, not even where the page's policy is taken away."""
    browser()
    html = render(data("\n".join(text[:2000] for text in HOSTILE)))
    if not policy:
        html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    page = tmp_path / "hostile.report.html"
    page.write_text(html, encoding="utf-8")
    document = browse(page, tmp_path / "profile", "--dump-dom")
    assert unescape(title_of(document)) == unescape(title_of(html))
    found = Page(document)
    kinds = {tag for tag, _ in found.elements}
    assert not kinds & {"script", "img", "iframe", "base", "textarea"}
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert "document.title='pwned'" in found.text  # it is there, as text


def test_a_page_that_could_run_scripts_would_be_caught(tmp_path: Path) -> None:
    """The check itself: the same text put in without care does change the title."""
    browser()
    page = tmp_path / "careless.html"
    page.write_text(f"<title>fine</title>{HOSTILE[0]}", encoding="utf-8")
    assert title_of(browse(page, tmp_path / "profile", "--dump-dom")) == "pwned"


@pytest.mark.parametrize("words", ["plain", "".join(text[:300] for text in HOSTILE), "w" * 300])
def test_no_sideways_scrolling(tmp_path: Path, words: str) -> None:
    """On a phone, a tablet and a desktop the page is no wider than the window."""
    browser()
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(data(words)))
    inside = base64.b64encode(html.encode()).decode()
    page = tmp_path / "frames.html"
    page.write_text(
        f"""<!doctype html><title>not measured</title><body><script>
        const bytes = Uint8Array.from(atob("{inside}"), c => c.charCodeAt(0));
        const html = new TextDecoder().decode(bytes), told = [];
        for (const width of [340, 390, 768, 1280]) {{
          const frame = document.createElement("iframe");
          frame.style.width = width + "px"; frame.style.border = 0; frame.srcdoc = html;
          frame.onload = () => {{
            const root = frame.contentDocument.documentElement;
            told.push(width + ":" + (root.scrollWidth - width)); document.title = told.sort().join(" ");
          }};
          document.body.append(frame);
        }}</script>""",
        encoding="utf-8",
    )
    told = title_of(browse(page, tmp_path / "profile", "--dump-dom"))
    found = dict(part.split(":") for part in told.split())
    assert set(found) == {"340", "390", "768", "1280"}
    assert all(int(over) <= 0 for over in found.values()), told


def test_dark_and_light_differ(tmp_path: Path) -> None:
    browser()
    page = tmp_path / "plain.report.html"
    page.write_text(render(data()), encoding="utf-8")
    shots = []
    for dark in (False, True):
        shot = tmp_path / f"{dark}.png"
        browse(page, tmp_path / f"profile{dark}", f"--screenshot={shot}", "--window-size=500,900", dark=dark)
        shots.append(shot.read_bytes())
    assert shots[0].startswith(b"\x89PNG")
    assert shots[0] != shots[1]
