"""Head, middle and tail by perplexity: one of them first.

Source: CCNet (Wenzek et al. 2019): of each language, the head is what lies below the 30th percentile of
perplexity, the middle what lies below the 60th, the tail the rest.

Ours: percentiles of this pool (the published cut-offs, in English 340 and 520, are those of its own models;
`cutoffs` sets them as numbers); records inside a bucket in random order, or by perplexity; if the bucket is
not enough, the next ones follow, unless `strict`; `floor`, as the very lowest is often lists and boilerplate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Groups, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints

__all__ = ["BUCKETS", "Ccnet", "ccnet"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

BUCKETS: Final = ("head", "middle", "tail")
"""From the lowest perplexity."""

_FLOOR: Final = 3  # the code of what is below the floor; -1 has no perplexity


def ccnet(
    perplexity: Any,
    *,
    percentiles: tuple[float, float] = (30.0, 60.0),
    cutoffs: tuple[float, float] | None = None,
    language: Any = None,
) -> NDArray[np.int8]:
    """Return the bucket of each of `n` records: 0 head, 1 middle, 2 tail, -1 without perplexity (NaN).

    `language` (`n` texts or `Groups`): percentiles are of each. `cutoffs` are used instead of percentiles.

    Raises
    ------
    InputError
        No `n` numbers, not one language a record.
    OptionError
        Two numbers that do not rise, or percentiles outside 0 to 100.
    """
    values = np.asarray(perplexity)
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise InputError(f"perplexity: expected n numbers, got {values.dtype} of shape {values.shape}.")
    groups = Groups(np.zeros(len(values), np.int32), ("",)) if language is None else Groups.of(language)
    if len(groups) != len(values):
        raise InputError(f"language: expected {len(values)}, one a record, got {len(groups)}.")
    numbers = None if cutoffs is None else _rising(*cutoffs, "cutoffs", np.inf)
    found = _cuts(values.astype(np.float64), groups, _rising(*percentiles, "percentiles", 100), numbers)
    return _buckets(values.astype(np.float64), groups, found).astype(np.int8)


def _rising(low: float, high: float, option: str, most: float) -> tuple[float, float]:
    if not 0 <= low <= high <= most:
        bounds = "from 0 to 100" if most == 100 else "of at least 0"
        raise OptionError(
            f"method 'ccnet', option '{option}': expected two rising numbers {bounds}, such as"
            f" {'30,60' if most == 100 else '340,520'}, got {low:g},{high:g}."
        )
    return low, high


def _cuts(
    values: _Floats, groups: Groups, percentiles: tuple[float, ...], cutoffs: tuple[float, ...] | None
) -> _Floats:
    """Return what each bucket but the last lies below, for each language: a value of the pool, not between two."""
    if cutoffs is not None:
        return np.tile(np.asarray(cutoffs, np.float64), (len(groups.names), 1))
    found = np.full((len(groups.names), len(percentiles)), np.inf)
    for g in range(len(groups.names)):
        inside = np.sort(values[(groups.codes == g) & ~np.isnan(values)])
        for at, percent in enumerate(percentiles):
            # Rounding must not raise a whole number: 30 % of the way over 11 records is the fourth.
            place = int(np.ceil(percent * (len(inside) - 1) / 100 - 1e-9))
            if len(inside):
                found[g, at] = inside[place]
    return found


def _buckets(values: _Floats, groups: Groups, cuts: _Floats) -> _Ints:
    bucket = (values[:, None] >= cuts[groups.codes]).sum(axis=1)
    return np.where(np.isnan(values), -1, bucket)


class Ccnet(Selector):
    """Buckets by perplexity."""

    name = "ccnet"
    title = "Head, middle or tail by perplexity"
    source = "CCNet (2019); percentiles of the pool, the order inside and what follows a bucket are ours"
    cost = "O(n log n) time, 60 bytes a record"
    promises = "none of another bucket while the wanted one lasts"
    use_when = "a raw pool holds much that is no language, and a model of good text tells what is"
    fails_when = "low perplexity is taken for quality: lists, boilerplate and copies are low (see `floor`, `--rules`)"
    later = "no comparison of its buckets with random known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("by", str, "perplexity", "the signal of perplexity"),
        Parameter("keep", str, "head", "the buckets that come first, separated by commas: head, middle, tail"),
        Parameter("percentiles", str, "30,60", "where middle and tail begin, in percent of the records"),
        Parameter("cutoffs", str, None, "where they begin as perplexities, such as 340,520, instead of percentiles"),
        Parameter("language", str, None, "the field whose values each have percentiles of their own"),
        Parameter(
            "floor", float, 0.0, "percent of the records, of the lowest perplexity, that come last", low=0, high=100
        ),
        Parameter("order", str, "random", "inside a bucket: random, or by perplexity", ("random", "lowest", "highest")),
        Parameter("strict", bool, False, "set all other buckets aside, even if fewer are chosen then"),
    )

    by: str
    keep: str
    percentiles: str
    cutoffs: str | None
    language: str | None
    floor: float
    order: str
    strict: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        names = [part.strip() for part in self.keep.split(",")]
        if not set(names) <= set(BUCKETS) or len(set(names)) < len(names):
            raise OptionError(
                f"method 'ccnet', option 'keep': expected some of {', '.join(BUCKETS)}, separated by commas,"
                f" got '{self.keep}'."
            )
        self.kept = {BUCKETS.index(name) for name in names}
        self._percentiles = _pair(self.percentiles, "percentiles", 100)
        self._cutoffs = None if self.cutoffs is None else _pair(self.cutoffs, "cutoffs", np.inf)
        # Strict ones stay below a budget larger than their bucket; a given order leaves nothing to chance.
        self.flags = replace(type(self).flags, at_most=self.strict, random=self.order == "random")  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the signal, and the field of languages."""
        return (self.by, self.language) if self.language else (self.by,)

    def group_needs(self) -> tuple[str, ...]:
        """Return the field of languages."""
        return (self.language,) if self.language else ()

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` and fill the budget from the top.

        The reasons name the bucket; the facts tell cut-offs, sizes, and how many each gave.
        """
        constraints.validate(len(pool))
        ranking = self.rank(pool, seed)
        chosen = self.filled(ranking, constraints, len(pool))
        bucket: _Ints = np.asarray(ranking.part)
        inside = (chosen.rank >= 0) & (bucket >= 0)
        named = inside & (chosen.reason == 0)
        told = [f"ccnet: {name} by {self.by}" for name in (*BUCKETS, "below the floor")]
        facts = dict(ranking.facts)
        for at, name in enumerate(BUCKETS):
            facts[name] = {"records": int((bucket == at).sum()), "chosen": int((inside & (bucket == at)).sum())}
        reason = np.where(named, len(chosen.reasons) + bucket, chosen.reason).astype(np.int32)
        return replace(chosen, reason=reason, reasons=(*chosen.reasons, *told), facts=facts)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by bucket, and inside as asked; the score is the perplexity, the part the bucket."""
        values = pool.numbers(self.by, self.name).astype(np.float64)
        groups = Groups(np.zeros(len(pool), np.int32), ("all",))
        if self.language:
            groups = pool.groups(self.language, self.name)
        cuts = _cuts(values, groups, self._percentiles, self._cutoffs)
        bucket = _buckets(values, groups, cuts)
        if self.floor:
            bucket[values < _cuts(values, groups, (self.floor,), None)[groups.codes, 0]] = _FLOOR
        away = [min(abs(at - kept) for kept in self.kept) for at in range(len(BUCKETS))]
        places = [3 * far + at if far else 0 for at, far in enumerate(away)]  # the nearest first, the lower of two
        place = np.array([*places, 9, 10])[bucket]  # below the floor; without perplexity (-1, the last)
        within = uniforms(pool.keys, salt(seed, "ccnet"))
        if self.order != "random":
            within = values if self.order == "lowest" else -values
        order = np.lexsort((within, place))[: int((place == 0).sum() if self.strict else (bucket >= 0).sum())]
        aside = np.where(bucket < 0, 0, 1 + bucket).astype(np.int8)
        asides = ("ccnet: no perplexity (NaN)", *(f"ccnet: {name}" for name in (*BUCKETS, "below the floor")))
        finite = [[cut if np.isfinite(cut) else None for cut in row] for row in cuts.tolist()]
        facts = {"cutoffs": dict(zip(groups.names, finite, strict=True))}
        return Ranking(order, values, "ccnet: by bucket", aside, asides, facts=facts, part=bucket)


def _pair(text: str, option: str, most: float) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
        known = low == low and high == high
    except ValueError:
        known = False
    if not known:
        such = "30,60" if most == 100 else "340,520"
        raise OptionError(f"method 'ccnet', option '{option}': expected two numbers such as {such}, got '{text}'.")
    return _rising(low, high, option, most)
