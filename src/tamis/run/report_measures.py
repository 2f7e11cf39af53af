"""What a report measures on texts: variety of words and vectors, closeness to a target, the map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tamis.measure.distances import mean_nearest
from tamis.measure.divergence import add_counts, counts_in, kl_divergence
from tamis.measure.diversity import vendi
from tamis.measure.ngrams import distinct_share, word_runs
from tamis.measure.plane import plane, telling_words
from tamis.report.data import Figure, PoolMap
from tamis.run.report_chance import Chance, Samples, figure
from tamis.run.report_texts import MEASURED, Texts, counted
from tamis.signals.compute import column_key
from tamis.signals.ngrams import Ngrams, lists
from tamis.signals.vectors import Vectors, encoder, rows_of

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["closeness", "pool_map", "variety_of_vectors", "variety_of_words", "vectors_of"]

#: Dots of a map: of the pool, and of the selection on it.
POOL_DOTS, PICKED_DOTS = 1_500, 1_000
#: Records whose n-grams are compared with a target's; characters and texts that tell the ends of a map.
_COUNTED, _TOLD_CHARACTERS, _TOLD_TEXTS = 5_000, 1_000, 1_500


def vectors_of(selection: Selection, texts: Texts) -> tuple[NDArray[np.float32], str]:
    """Return a vector for each of the `m` texts, and in words where they are from.

    The run's own vectors where it has some, else those of the default encoder. This is the one
    place that says so.

    Raises
    ------
    UserError
        If there is no encoder.
    """
    signal = selection.inputs.signals.get("vectors")
    if signal is None:
        known = encoder()
        return known.encode(texts.text), f"vectors of {known.name} (first {MEASURED:,} bytes of a text)"
    corpus = selection.corpus
    key = column_key(corpus, signal)
    parts = []
    for fragment in corpus.fragments:
        ends = np.searchsorted(texts.rows, (fragment.first_row, fragment.first_row + fragment.rows))
        if ends[1] > ends[0]:
            column = rows_of(corpus.batch(fragment, key).column(0))
            parts.append(np.asarray(column[texts.rows[ends[0] : ends[1]] - fragment.first_row], np.float32))
    told = f"vectors of {signal.built.name}" if isinstance(signal, Vectors) else "vectors of the run"
    return np.concatenate(parts), told


def variety_of_words(texts: Texts, chance: Chance, samples: Samples) -> list[Figure]:
    """Return the shares of different words and of different runs of three words."""
    figures = []
    for n, name in ((1, "Different words"), (3, "Different runs of three words")):
        runs = word_runs(texts.text.data, texts.text.offsets, n)
        parts, random = ([texts.at(chance.base[rows]) for rows in sets] for sets in (samples.parts, samples.random))
        limit = min(runs.count(rows) for rows in (*parts, *random))
        if not limit:
            continue
        what = "words" if n == 1 else "runs of three words"
        figures.append(
            figure(
                name,
                f"Of the first {limit:,} {what} of each sample, the share that is different. Higher: less repetition. "
                "Equally many in each, as the share falls with the length of what is looked at.",
                samples.basis,
                float(np.mean([distinct_share(runs, rows, limit) for rows in parts])),
                [distinct_share(runs, rows, limit) for rows in random],
                unit="%",
            )
        )
    return figures


def variety_of_vectors(
    vectors: NDArray[np.float32],
    source: str,
    texts: Texts,
    chance: Chance,
    samples: Samples,
    each: Callable[..., Iterable[float]],
) -> list[Figure]:
    """Return the Vendi score and the mean distance to the nearest neighbour; `each` is the `map` of an engine."""
    told = np.abs(vectors).max(axis=1, initial=0) > 0

    def rows(positions: NDArray[np.int64]) -> NDArray[np.float32]:
        places = texts.at(chance.base[positions])
        return np.asarray(vectors[places[told[places]]])

    parts, random = [rows(part) for part in samples.parts], [rows(part) for part in samples.random]
    if min(map(len, (*parts, *random))) < 2:
        return []
    most, k = min(len(parts[0]), vectors.shape[1]), len(parts)
    kinds = list(each(vendi, parts + random))
    apart = list(each(mean_nearest, parts + random))
    return [
        figure(
            "Vendi score",
            f"Effective number of different records, of at most {most:,}: 1 if all were alike. Higher: more variety. "
            f"Cosine of {source}.",
            samples.basis,
            float(np.mean(kinds[:k])),
            kinds[k:],
        ),
        figure(
            "Distance to the nearest neighbour",
            "Mean over the records of 1 − cosine to the nearest other one in the sample, by the same vectors. "
            "Higher: fewer records that resemble another.",
            samples.basis,
            float(np.mean(apart[:k])),
            apart[k:],
        ),
    ]


def closeness(selection: Selection, chance: Chance) -> list[Figure]:
    """Return the KL divergence from the target, where the run has one and the n-grams are in the store."""
    features = selection.inputs.available.get("ngrams")
    corpus = selection.corpus
    if not selection.targets or not isinstance(features, Ngrams):
        return []
    key = features.key()
    if not all(corpus.has(fragment, key) for fragment in corpus.fragments):
        return []
    aim = np.zeros(features.buckets, np.int64)
    for target in selection.targets:
        for fragment in target.fragments:
            values, offsets = lists(target.batch(fragment, key).column(0))
            add_counts(values, offsets, np.arange(len(offsets) - 1), aim)
    size = min(_COUNTED, *map(len, (chance.chosen, *chance.random)))
    sets = [
        np.sort(chance.base[counted(chance.keys, rows, size, chance.seed, "records beside the target")])
        for rows in (chance.chosen, *chance.random)
    ]
    parts = ((one.first_row, *lists(corpus.batch(one, key).column(0))) for one in corpus.fragments)
    counts = counts_in(parts, sets, features.buckets)
    if not (aim.sum() and (counts.sum(axis=1) > 0).all()):
        return []
    ours, *others = (kl_divergence(aim, count) for count in counts)
    return [
        figure(
            "Distance from the target",
            f"KL divergence (nats) from the target's hashed n-grams of up to {features.n} words, "
            f"{features.buckets:,} buckets, as DSIR defines it. Lower: more like the target.",
            f"{size:,} records of the selection and of each random one.",
            ours,
            others,
        )
    ]


def pool_map(
    vectors: NDArray[np.float32], source: str, texts: Texts, chance: Chance, samples: Samples
) -> PoolMap | None:
    """Return the pool on the plane of its two first principal components; None for a handful of records."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    told = lengths[:, 0] > 0

    def places(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        found = texts.at(chance.base[rows])
        return np.asarray(found[told[found]])

    pool, picked = places(samples.pool), places(samples.chosen)
    if len(pool) < 10 or len(picked) < 2 or not samples.random:
        return None
    flat = plane(unit[pool])
    at = flat(unit[pool])
    low, high = np.quantile(at, 0.005, axis=0), np.quantile(at, 0.995, axis=0)
    room = np.where(high > low, high - low, 1.0)

    def drawn(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.clip((flat(unit[rows]) - low) / room, 0, 1)

    count = min(PICKED_DOTS, len(picked))
    # A random selection of as many: the sample of the pool is in random order already.
    chance_rows = places(counted(chance.keys, samples.pool, count, chance.seed, "random selection on the map"))
    some = pool[:_TOLD_TEXTS]
    words = telling_words([texts.of(int(texts.rows[i]))[0][:_TOLD_CHARACTERS] for i in some], at[: len(some)])
    basis = (
        f"A random {min(POOL_DOTS, len(pool)):,} of {chance.words}, {count:,} of the {len(chance.chosen):,} chosen, "
        f"and as many at random. Both maps have the same axes: the two directions in which {len(pool):,} sampled "
        f"records differ most (principal components), by {source}. Outermost records stand at the frame."
    )
    return PoolMap(basis, drawn(pool[:POOL_DOTS]), drawn(picked[:count]), drawn(chance_rows), words, flat.explained)
