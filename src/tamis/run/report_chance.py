"""Figures of a selection and the same of random selections: from columns where they are, else from samples.

`Chance` holds the records that could have been chosen, and random selections of the same budget out
of them. What is known of every record (groups, signals in the decision table) is measured on whole
selections. What needs texts is measured on samples: of each random selection as many records as of
the selection, drawn in the same way, so that a selection that is random itself would stand among
them like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tamis.measure.chance import draw, place
from tamis.report.data import Figure, Histogram
from tamis.run.report_texts import counted, stretches

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["Chance", "Samples", "draw_chance", "draw_samples", "figure", "spread"]

DRAWS = 20
"""Random selections: a figure that is random itself lies outside their range once in ten times."""

POOL, CHOSEN = 5_000, 2_000
"""Records of the pool, and of the selection, whose texts are read."""

WHOLE, PART = 1_000, 250
"""Up to `WHOLE` records (of a pool of at most `POOL`) a selection is measured whole, else in parts of `PART`."""

_BINS = 36
_QUANTILES = (("5%", 0.05), ("25%", 0.25), ("median", 0.5), ("75%", 0.75), ("95%", 0.95))


@dataclass(frozen=True, eq=False)
class Chance:
    """A pool, the selection out of it, and random ones.

    Attributes
    ----------
    base : int64 array of shape (n,)
        The records (input positions) of the pool, ascending.
    chosen : int64 array of shape (k,)
        Positions in `base`.
    random : list of int64 arrays
        Positions in `base` of each random selection.
    keys : uint64 array of shape (n, 2)
    seed : int
        Of the run; random selection `r` has the seed `seed + 1 + r`.
    words, told : str
        What the pool is, and how the random selections were drawn.
    """

    base: NDArray[np.int64]
    chosen: NDArray[np.int64]
    random: list[NDArray[np.int64]]
    keys: NDArray[np.uint64]
    seed: int
    words: str
    told: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Records (positions in the pool) whose texts are looked at.

    Attributes
    ----------
    pool, chosen : int64 arrays
        In counted order.
    parts, random : lists of int64 arrays of one length
        Parts of the selection, and one sample of each random selection: what figures compare.
    basis : str
        In words.
    """

    pool: NDArray[np.int64]
    chosen: NDArray[np.int64]
    parts: list[NDArray[np.int64]]
    random: list[NDArray[np.int64]]
    basis: str


def draw_chance(selection: Selection) -> Chance:
    """Return the pool of a finished selection, and random selections of its budget."""
    job, decided, keys = selection.job, selection.choice.decided, selection.identities.keys
    kept = decided.kept
    eligible = (decided.stage == decided.stages.index("choose")) | kept
    base = np.flatnonzero(eligible)
    words = f"the {len(base):,} eligible records"
    if len(base) == len(selection.rows):  # nothing was left to choose: what the filters did is the question
        usable = np.flatnonzero(selection.corpus.rows.status == 0)
        if len(usable) > len(base):
            base, words = usable, f"the {len(usable):,} records that could be read (all eligible ones were chosen)"
    mine = keys[base]
    tokens = decided.signals.get("tokens")
    if job.tokens is not None and tokens is not None and len(base) == int(eligible.sum()):
        budget, cost, unit = job.tokens, np.asarray(tokens[base], np.int64), f"{job.tokens:,} tokens"
    else:
        budget, cost, unit = len(selection.rows), None, f"{len(selection.rows):,} records"

    def one(number: int) -> NDArray[np.int64]:
        return draw(mine, budget, job.seed + 1 + number, cost)

    random = list(selection.corpus.engine.map(one, range(DRAWS)))
    told = (
        f"The pool is {words}. Each of the {DRAWS} random selections takes {unit} of it, as the method random "
        f"does with the seeds {job.seed + 1} to {job.seed + DRAWS}"
        + (", without quotas and pins." if job.quotas or job.must_keep or job.must_drop else ".")
    )
    return Chance(base, np.searchsorted(base, selection.rows), random, mine, job.seed, words, told)


def draw_samples(selection: Selection, chance: Chance) -> Samples:
    """Return the samples of pool, selection and random selections whose texts are to be read."""
    mask = stretches(selection.corpus, chance.seed)
    pool, chosen = np.arange(len(chance.base)), chance.chosen
    where = ""
    if mask is not None:
        open_ = mask[chance.base]
        pool, chosen = pool[open_], chosen[open_[chosen]]
        where = " They come from a random few stretches of the input, as the pool is large."
    n, k = len(pool), len(chosen)
    some = counted(chance.keys, pool, POOL, chance.seed, "sample of the pool")
    picked = counted(chance.keys, chosen, CHOSEN, chance.seed, "sample of the selection")
    whole = n <= POOL and k <= WHOLE
    size = k if whole else min(k, PART, len(some) // DRAWS if n > POOL else k)
    if not size or k == n:
        return Samples(some, picked, [], [], "")
    parts = [picked[i : i + size] for i in range(0, len(picked) - size + 1, size)]
    if n <= POOL:  # each random sample is one of the pool, whatever the others are
        random = [counted(chance.keys, pool, size, chance.seed, f"random sample {r}") for r in range(DRAWS)]
    else:
        random = [some[r * size : (r + 1) * size] for r in range(DRAWS)]
    basis = (
        f"All {k:,} records of the selection, and {size:,} of each random one."
        if whole
        else f"Mean of {len(parts)} samples of {size:,} chosen records; {size:,} records of each random one.{where}"
    )
    return Samples(some, picked, parts, random, basis)


def figure(
    name: str,
    meaning: str,
    basis: str,
    chosen: float,
    random: Sequence[float],
    *,
    pool: float | None = None,
    unit: str = "",
) -> Figure:
    """Return a figure with its place among random ones."""
    found = place(chosen, random)
    return Figure(name, meaning, basis, chosen, tuple(random), found, pool, unit)


def spread(
    values: NDArray[np.float64],
    sets: tuple[NDArray[np.int64], NDArray[np.int64], Sequence[NDArray[np.int64]]],
    told: tuple[str, str, str, str],
    each: Callable[..., Any],
) -> Histogram | None:
    """Return how a signal is spread over pool, selection and random selections.

    Parameters
    ----------
    values : float64 array of shape (n,)
        Of each record of the pool; not finite where there is none.
    sets : tuple
        Pool, selection and random selections, as positions in the pool.
    told : tuple
        Name, unit, meaning and basis.
    each : callable
        `map` of an engine.

    Returns
    -------
    Histogram or None
        None where a set has no value.
    """
    has = np.isfinite(values)
    pool, chosen, random = sets[0][has[sets[0]]], sets[1][has[sets[1]]], [rows[has[rows]] for rows in sets[2]]
    if not (len(pool) and len(chosen) and random and all(map(len, random))):
        return None
    edges, log = _edges(values[pool], values[chosen], min(map(len, (pool, chosen, *random))))
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)

    def outline(rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shares = np.bincount(bins[rows], minlength=len(edges) - 1) / len(rows)
        return shares, np.quantile(values[rows], [q for _, q in _QUANTILES])

    (all_shares, all_at), (our_shares, our_at), *others = each(outline, [pool, chosen, *random])
    band = np.array([shares for shares, _ in others])
    ends = np.array([at for _, at in others])
    return Histogram(
        *told, edges, log, all_shares, our_shares, band.min(axis=0), band.max(axis=0),
        tuple(name for name, _ in _QUANTILES), tuple(all_at.tolist()), tuple(our_at.tolist()),
        tuple(zip(ends.min(axis=0).tolist(), ends.max(axis=0).tolist(), strict=True)),
        int((~has[sets[0]]).sum()),
    )  # fmt: skip


def _edges(pool: NDArray[np.float64], chosen: NDArray[np.float64], least: int) -> tuple[NDArray[np.float64], bool]:
    """Return the edges of the bins, and whether they are equally wide on a logarithmic scale.

    They reach over all but the outermost half percent of the pool and of the selection. The `least`
    records that are shown decide how fine they are.
    """
    ends = np.array([np.quantile(part, [0.005, 0.995]) for part in (pool, chosen)])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    fine = int(np.clip(round(2 * least ** (1 / 3)), 8, _BINS))
    whole = bool((np.floor(pool) == pool).all())
    if whole and high - low < fine:
        return np.arange(low - 0.5, high + 1.0), False
    if high <= low:
        return np.array([low - 0.5, low + 0.5]), False
    if low > 0 and high / low > 10 and float(np.median(pool)) - low < 0.25 * (high - low):
        return np.geomspace(low, high, fine + 1), True
    return np.linspace(low, high, fine + 1), False
