"""Plots as inline SVG: few marks, each with a title and a description in words.

A drawing is 360 units wide, about as many pixels as a phone: text in it is legible there and on a
wide screen. Coordinates have one decimal, so that a last bit of a float never shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tamis.report.data import Figure, GroupRow, Histogram
from tamis.report.text import number, percent

__all__ = ["bars", "bullet", "dots", "histogram", "legend", "scatter", "strip"]

_WIDTH, _HEIGHT, _BASE = 360.0, 142.0, 120.0


def _svg(body: str, box: str, title: str, told: str, fit: str = "") -> str:
    """Return a drawing; `title` and `told` are words of ours and numbers, never a user's text."""
    return f'<svg viewBox="{box}" role="img"{fit}><title>{title}</title><desc>{told}</desc>{body}</svg>'


def _at(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def strip(figure: Figure) -> str:
    """Return a line with a tick a random selection, a diamond for the selection, a bar for the pool."""
    values = [*figure.random, figure.chosen, *([] if figure.pool is None else [figure.pool])]
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0

    def x(value: float) -> str:
        return _at(14 + 292 * ((value - low) / room if high > low else 0.5))

    body = '<line class="s-axis" x1="6" x2="314" y1="14" y2="14"/>'
    body += "".join(f'<line class="s-tick" x1="{x(v)}" x2="{x(v)}" y1="7" y2="21"/>' for v in figure.random)
    if figure.pool is not None:
        body += f'<line class="s-grey" x1="{x(figure.pool)}" x2="{x(figure.pool)}" y1="2" y2="26"/>'
    at = x(figure.chosen)
    body += f'<path class="s-halo" d="M{at} 5l8 9-8 9-8-9z"/>'
    told = f"selection {number(figure.chosen, figure.unit)}"
    if figure.random:
        ends = number(min(figure.random), figure.unit), number(max(figure.random), figure.unit)
        told += f"; {len(figure.random)} random selections from {ends[0]} to {ends[1]}"
    if figure.pool is not None:
        told += f"; pool {number(figure.pool, figure.unit)}"
    return _svg(body, "0 0 320 28", "The selection among random selections", told)


def bullet(row: GroupRow, most: float) -> str:
    """Return a group's bar: the pool's share as area, the range of random ones as band, the selection's as line."""
    scale = 100 / (most or 1.0)
    low, high = row.low * scale, row.high * scale
    at = _at(min(max(row.chosen * scale, 0.6), 99.4))
    body = f'<rect class="s-pool" width="{_at(row.pool * scale)}" y="2" height="11"/>'
    body += f'<rect class="s-band" x="{_at(low)}" width="{_at(max(high - low, 0.5))}" y="5" height="5"/>'
    body += f'<line class="s-bar" x1="{at}" x2="{at}" y1="0" y2="15"/>'
    told = f"pool {percent(row.pool)}, random {percent(row.low)} to {percent(row.high)}, "
    told += f"selection {percent(row.chosen)}"
    return _svg(body, "0 0 100 15", "Share of the group", told, ' preserveAspectRatio="none"')


def bars(left: int, out: int, total: int) -> str:
    """Return what a step left and left out, as parts of a bar for `total` records."""
    scale = 100 / (total or 1)
    body = f'<rect class="s-rest" width="{_at((left + out) * scale)}" y="2" height="11"/>'
    body += f'<rect class="s-left" width="{_at(left * scale)}" y="2" height="11"/>'
    told = f"{left:,} left, {out:,} left out of {total:,}"
    return _svg(body, "0 0 100 15", "Records left", told, ' preserveAspectRatio="none"')


def histogram(spread: Histogram) -> str:
    """Return the outlines of a signal: pool as area, range of random selections as band, selection as line."""
    edges = np.log(spread.edges) if spread.log else spread.edges
    top = max(float(max(part.max(initial=0.0) for part in (spread.pool, spread.chosen, spread.high))), 1e-12)

    def x(value: float) -> float:
        return float(8 + 344 * (value - edges[0]) / ((edges[-1] - edges[0]) or 1.0))

    across = [x(edge) for edge in edges]

    def steps(shares: NDArray[np.float64]) -> list[str]:
        heights = [_BASE - 110 * float(share) / top for share in shares]
        ends = zip(across[:-1], across[1:], heights, strict=True)
        return [f"{_at(a)} {_at(h)} {_at(b)} {_at(h)}" for a, b, h in ends]

    ground = f"{_at(across[0])} {_at(_BASE)}", f"{_at(across[-1])} {_at(_BASE)}"
    body = f'<path class="s-pool" d="M{ground[0]}L{" ".join(steps(spread.pool))} {ground[1]}z"/>'
    low = [step.split() for step in reversed(steps(spread.low))]
    back = " ".join(f"{c} {d} {a} {b}" for a, b, c, d in low)
    body += f'<path class="s-band" d="M{" ".join(steps(spread.high))} {back}z" fill-opacity=".75"/>'
    body += f'<path class="s-edge" d="M{" ".join(steps(spread.high))}"/>'
    body += f'<path class="s-line" d="M{" ".join(steps(spread.chosen))}"/>'
    body += f'<line class="s-axis" x1="4" x2="356" y1="{_BASE}" y2="{_BASE}"/>'
    for value in ticks(float(spread.edges[0]), float(spread.edges[-1]), spread.log):
        at = _at(x(math.log(value) if spread.log else value))
        body += f'<line class="s-axis" x1="{at}" x2="{at}" y1="{_BASE}" y2="{_BASE + 4}"/>'
        body += f'<text class="s-label" x="{at}" y="{_BASE + 16}" text-anchor="middle">{_short(value)}</text>'
    middle = spread.quantiles.index("median")
    told = (
        f"Outlines of {len(spread.pool)} bins. Medians: pool {number(spread.pool_at[middle])}, "
        f"selection {number(spread.chosen_at[middle])}. The table below has more."
    )
    return _svg(body, f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", "How the values are spread", told)


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Return two to seven round numbers from `low` to `high`."""
    if not high > low:
        return [low]
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        for factors in ((1,), (1, 3), (1, 2, 5)):
            found = [f * 10.0**e for e in range(first, last + 1) for f in factors]
            found = [value for value in found if low <= value <= high]
            if len(found) >= 4:
                return found if len(found) <= 7 else found[:: -(-len(found) // 7)]
        if len(found) >= 2:
            return found
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step = next(step * f for f in (1, 2, 2.5, 5, 10) if (high - low) / (step * f) <= 5.5)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    """Return a number for an axis: 1,500 as 1.5k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def dots(places: NDArray[np.float64]) -> str:
    """Return places (`n x 2`, from 0 to 1) as the data of a path: a dot each."""
    across = np.rint(np.clip(places[:, 0], 0, 1) * 3440).astype(int) + 80
    down = 2880 - np.rint(np.clip(places[:, 1], 0, 1) * 2800).astype(int)
    return "".join(f"M{x / 10:g} {y / 10:g}h0" for x, y in zip(across.tolist(), down.tolist(), strict=True))


def scatter(mark: str, kind: str, title: str, told: str, pool: str | None = None) -> str:
    """Return a map of dots: those of the pool (`pool` defines them, None uses those defined), `mark` on top."""
    below = f'<path id="pool-dots" class="d-pool" d="{pool}"/>' if pool is not None else '<use href="#pool-dots"/>'
    frame = '<rect class="s-frame" x=".5" y=".5" width="359" height="295" rx="4"/>'
    return _svg(f'{frame}{below}<path class="{kind}" d="{mark}"/>', "0 0 360 296", title, told)


_SWATCHES = {
    "pool": '<rect class="s-pool" width="22" height="12" y="1"/>',
    "band": '<rect class="s-band" width="22" height="8" y="3"/>',
    "ticks": "".join(f'<line class="s-tick" x1="{x}" x2="{x}" y1="1" y2="13"/>' for x in (3, 8, 11, 13, 19)),
    "line": '<line class="s-line" x1="0" x2="22" y1="7" y2="7"/>',
    "stroke": '<line class="s-bar" x1="11" x2="11" y1="0" y2="14"/>',
    "diamond": '<path class="s-halo" d="M11 0l7 7-7 7-7-7z"/>',
    "mean": '<line class="s-grey" x1="11" x2="11" y1="0" y2="14"/>',
    "pool dot": '<path class="d-pool" d="M5 7h0M12 4h0M18 9h0"/>',
    "chance dot": '<path class="d-chance" d="M5 7h0M12 4h0M18 9h0"/>',
    "pick dot": '<path class="d-pick" d="M5 7h0M12 4h0M18 9h0"/>',
}


def legend(entries: Iterable[Sequence[str]]) -> str:
    """Return a legend of (mark, words), the words being ours."""
    items = (f'<li><svg viewBox="0 0 22 14" aria-hidden="true">{_SWATCHES[m]}</svg>{w}</li>' for m, w in entries)
    return f'<ul class="legend">{"".join(items)}</ul>'
