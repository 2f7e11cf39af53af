"""All measures of a selection and of random ones, each with what it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tamis.compare import figures
from tamis.compare.columns import Arms, groups_of, ngram_parts, repeats, target_counts, vectors_of
from tamis.compare.result import MEASURES, Figure
from tamis.compare.statistics import standing
from tamis.corpus.chunk import Text
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.errors import TamisError, UserError
from tamis.run.inputs import Inputs
from tamis.run.report_texts import MEASURED, counted, read_texts
from tamis.signals.minhash import MinHash
from tamis.signals.ngrams import Ngrams

__all__ = ["Material", "measured"]

#: Records up to which a pool is compared with the vectors of each set whole, and how many of a larger one.
WHOLE, PART = 20_000, 5_000
#: Records of each set whose vectors are looked at, and whose texts a model is trained on, at the most.
LOOKED_AT, TRAINED_ON = 10_000, 5_000
#: Records that perplexity is measured on at the most; of the pool, no more than a tenth.
ASKED = 1_000


@dataclass(frozen=True, eq=False)
class Material:
    """A scanned pool with the columns that the measures read, and what is compared.

    Attributes
    ----------
    corpus, targets : Corpus, list of Corpus
    ids : Ids
        Of the pool.
    inputs : Inputs
        With the signals `ngrams`, `minhash`, `bytes` and, where there are vectors, `vectors`.
    arms : Arms
    group : str, optional
        Field of the sources.
    gaps : list of str
        What could not be measured is added.
    """

    corpus: Corpus
    targets: list[Corpus]
    ids: Ids
    inputs: Inputs
    arms: Arms
    group: str | None = None
    gaps: list[str] = field(default_factory=list)

    def figure(self, key: str, basis: str, values: Sequence[float], detail: str = "") -> list[Figure]:
        """Return a figure from the values of the selection and of the random ones; none where a value is missing."""
        if not np.isfinite(values).all():
            self.gaps.append(f"{MEASURES[key].title}: a set has nothing to measure it by.")
            return []
        return [Figure(key, basis, standing(values[0], values[1:], MEASURES[key].direction), detail)]

    def some(self, most: int) -> str:
        """Return in words which part of each set is looked at."""
        most_records = max(map(len, self.arms.sets))
        return "all records of each set" if most_records <= most else f"at most {most:,} counted records of each set"


def measured(material: Material) -> list[Figure]:
    """Return the figures of all measures, in the order of `MEASURES`."""
    found = _closeness(material) + _fluency(material) + _vectors(material)
    return found + _repetition(material) + _sources(material) + _lengths(material)


def _closeness(m: Material) -> list[Figure]:
    signal = m.inputs.signals["ngrams"]
    if not m.targets or not isinstance(signal, Ngrams):
        return []
    aim = target_counts(m.targets, signal)
    values = figures.target_distance(aim, ngram_parts(m.corpus, signal), m.arms.sets)
    basis = f"All records of each set and of the target; n-grams of up to {signal.n} words, {signal.buckets:,} buckets."
    return m.figure("kl_target", basis, values)


def _fluency(m: Material) -> list[Figure]:
    """Return the perplexity of the target, else of a part of the pool that no model learns from."""
    learned = m.arms.samples(TRAINED_ON, "texts to learn from")
    if m.targets:
        key, asked, told = "bits_target", _asked_of_targets(m.targets, m.arms.seed), "of the target"
        rows = _union(learned)
        texts, _ = read_texts(m.corpus, rows)
    else:
        held = m.arms.sample(m.arms.pool, min(ASKED, max(1, len(m.arms.pool) // 10)), "held out")
        rows = _union([held, *learned])
        texts, _ = read_texts(m.corpus, rows)
        key, asked, told = "bits_pool", _taken(texts.text, texts.at(held)), "of the pool"
    places = [texts.at(one) for one in learned]
    values = figures.surprise(texts.text, places, asked, m.corpus.engine.map)
    basis = (
        f"{len(asked):,} records {told}; trained on {m.some(TRAINED_ON)}; of each text the first {MEASURED:,} bytes."
    )
    return m.figure(key, basis, values)


def _asked_of_targets(targets: list[Corpus], seed: int) -> Text:
    """Return the texts of at most `ASKED` usable records of the targets, the same share of each."""
    usable = [np.flatnonzero(target.rows.status == 0) for target in targets]
    total = sum(map(len, usable))
    parts = []
    for target, rows in zip(targets, usable, strict=True):
        count = len(rows) if total <= ASKED else max(1, len(rows) * ASKED // total)
        some = np.sort(counted(target.rows.key, rows, count, seed, "check: target"))
        parts.append(read_texts(target, some)[0].text)
    ends = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Text(np.concatenate([part.data for part in parts]), np.concatenate([*offsets, ends[-1:]]).astype(np.int64))


def _taken(texts: Text, places: NDArray[np.int64]) -> Text:
    """Return some of the texts (ascending places)."""
    parts = [texts.data[texts.offsets[i] : texts.offsets[i + 1]] for i in places.tolist()]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return Text(np.concatenate(parts) if parts else np.empty(0, np.uint8), offsets)


def _vectors(m: Material) -> list[Figure]:
    """Return what is measured on vectors."""
    if "vectors" not in m.inputs.signals:
        return []
    arms, engine = m.arms, m.corpus.engine
    pool = arms.pool if len(arms.pool) <= WHOLE else arms.sample(arms.pool, PART, "pool to be covered")
    sets = arms.samples(LOOKED_AT, "vectors")
    reference = arms.sample(arms.reference, LOOKED_AT, "vectors")
    rows = _union([pool, reference, *sets])
    try:
        vectors = vectors_of(m.corpus, m.inputs, rows)
    except UserError as error:
        m.gaps.append(f"Coverage and Vendi score: {error}")
        return []
    at = [np.searchsorted(rows, one) for one in (pool, reference, *sets)]
    found, radius = figures.coverage(vectors, at[0], at[2:], at[1], engine)
    if not found:
        m.gaps.append("Coverage and Vendi score: a set, or the pool, has no vectors.")
        return []
    whole = "all" if len(pool) == len(arms.pool) else "a counted"
    basis = f"Nearest of {m.some(LOOKED_AT)} to {whole} {len(pool):,} records of the pool."
    out = []
    for key, values in found.items():
        detail = f"within {radius:.3f}" if key == "coverage" else ""
        out += m.figure(key, basis, values, detail)
    basis = f"Cosine of vectors, {m.some(LOOKED_AT)}."
    return out + m.figure("vendi", basis, figures.variety(vectors, at[2:], engine.map))


def _repetition(m: Material) -> list[Figure]:
    signal = m.inputs.signals["minhash"]
    if not isinstance(signal, MinHash):
        raise TamisError(f"near-duplicates: expected the signal minhash, got {type(signal).__name__}.")
    return m.figure("near_duplicates", "All records of each set.", repeats(m.corpus, m.ids, signal, m.arms))


def _sources(m: Material) -> list[Figure]:
    known = groups_of(m.corpus, m.inputs, m.group, m.arms)
    if known is None:
        return []
    name, groups = known
    values = figures.imbalance(groups.codes, m.arms.pool, m.arms.sets)
    return m.figure("sources", f"All records, {len(groups.names):,} groups of '{name}'.", values, name)


def _lengths(m: Material) -> list[Figure]:
    sizes = m.inputs.numbers(m.corpus, "bytes")
    return m.figure("length", "All records of each set.", figures.median_of(sizes, m.arms.sets))


def _union(sets: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(sets)).astype(np.int64)
