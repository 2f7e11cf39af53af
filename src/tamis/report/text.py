"""Texts and numbers as HTML. Nothing of the user's gets onto the page but through `safe`.

Markup is escaped. Characters that would not show, or would change how others show, appear as their
code in a box: controls, marks of direction, spaces without width, halves of surrogate pairs, tags
and private ones. A joiner between two letters beyond ASCII stays: scripts and emoji need it.
"""

from __future__ import annotations

import html
import math
import re

from tamis.report.data import Shown, Text

__all__ = ["count", "number", "percent", "plural", "safe", "safe_text"]

_LONGEST = 400  # characters of a name, path or reason

# Tabs and line ends stay. 034F, 115F, 1160, 3164 and FFA0 are letters that look like nothing.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
_JOINERS = "\u200c\u200d"
_NAMES = {
    0x00AD: "soft hyphen",
    0x200B: "zero-width space",
    0x200C: "zero-width non-joiner",
    0x200D: "zero-width joiner",
    0x200E: "left-to-right mark",
    0x200F: "right-to-left mark",
    0x202A: "left-to-right embedding",
    0x202B: "right-to-left embedding",
    0x202C: "pop directional formatting",
    0x202D: "left-to-right override",
    0x202E: "right-to-left override",
    0x2066: "left-to-right isolate",
    0x2067: "right-to-left isolate",
    0x2068: "first strong isolate",
    0x2069: "pop directional isolate",
    0xFEFF: "byte order mark",
}


def safe(text: str, longest: int = _LONGEST) -> str:
    """Return any text as HTML, cut after `longest` characters with its length stated."""
    shown = text if len(text) <= longest else text[:longest]
    marked = _marked(shown.replace("\r\n", "\n"))
    if shown is text:
        return marked
    return f'{marked}<span class="more"> … {len(text):,} characters</span>'


def safe_text(shown: Shown | Text) -> str:
    """Return a part of a record's text as HTML: what was left out is stated, what differs is marked."""
    pieces = ((shown.text, False),) if isinstance(shown, Shown) else shown.pieces
    body = "".join(
        f"<mark>{safe(text, 1 << 20)}</mark>" if differs else safe(text, 1 << 20) for text, differs in pieces
    )
    before = f'<span class="more">{plural(shown.skipped, "character")} before … </span>' if shown.skipped else ""
    after = f'<span class="more"> … {plural(shown.nbytes, "byte")} in all</span>' if shown.cut else ""
    return f'<bdi dir="auto">{before}{body}{after}</bdi>'


def _marked(text: str) -> str:
    parts, last = [], 0
    for found in _HIDDEN.finditer(text):
        at = found.start()
        if found.group() in _JOINERS and _joins(text, at):
            continue
        parts.append(html.escape(text[last:at]))
        parts.append(_box(ord(found.group())))
        last = at + 1
    parts.append(html.escape(text[last:]))
    return "".join(parts)


def _joins(text: str, at: int) -> bool:
    """Tell whether the character at `at` stands between two beyond ASCII that show."""
    around = (text[at - 1 : at], text[at + 1 : at + 2])
    return all(c > "\x7f" and not _HIDDEN.match(c) for c in around)


def _box(point: int) -> str:
    name = _NAMES.get(point, "character that does not show")
    return f'<span class="cp" title="{name}">U+{point:04X}</span>'


def number(value: float, unit: str = "") -> str:
    """Return a number with four significant digits, in thousands, with its unit; "–" where there is none."""
    if unit == "%":
        return percent(value, 3)
    if not math.isfinite(value):
        shown = "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    elif value == 0 or 1e-4 <= abs(value) < 1e15:
        digits = 0 if value == 0 or float(value).is_integer() else max(0, 3 - math.floor(math.log10(abs(value))))
        shown = f"{value:,.{digits}f}".replace("-", "−")
    else:
        shown = f"{value:.3g}".replace("-", "−")
    return f"{shown} {unit}" if unit else shown


def percent(share: float, significant: int = 2) -> str:
    """Return a share as a percentage, with so many significant digits and at least one decimal."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    if value in (0, 100):
        return f"{value:.0f}%"
    if abs(value) < 0.001:
        return "<0.001%"
    return f"{value:.{max(1, significant - 1 - math.floor(math.log10(abs(value))))}f}%"


def count(value: int) -> str:
    """Return a whole number in thousands."""
    return f"{value:,}"


def plural(value: int, what: str) -> str:
    """Return "1 record", "2 records"."""
    return f"{value:,} {what}{'' if value == 1 else 's'}"
