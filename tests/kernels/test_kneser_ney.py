"""Kneser-Ney models: worked by hand, against slow Python, and every distribution summed."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.kernels.kneser_ney import END, UNIT, Trie, build, costs

A, B, C, BEGIN = 1, 2, 3, 4
#: END, then letters of two kinds, then begin marks of two kinds.
KINDS = np.array([0, 1, 1, 1, 2, 2, 3, 4], np.uint8)
MARKS = 6


def _stream(sequences: list[list[int]]) -> np.ndarray:
    return np.array([s for sequence in sequences for s in sequence], np.int32)


def _free(kinds: int) -> np.ndarray:
    """Everything may follow everything, but nothing an end, and nothing is a begin mark later on."""
    allowed = np.ones((kinds, kinds), bool)
    allowed[0] = False
    return allowed


def _probability(trie: Trie, sequence: list[int]) -> float:
    return float(2.0 ** (-costs(trie, np.array(sequence, np.int32))[-1] / UNIT))


def test_bigrams_by_hand() -> None:
    """The texts "a b", "a c", "a b"; END may not follow BEGIN at once.

    Different symbols before a, b, c, END: 1, 1, 1, 2, together 5. Three counts of 1, one of 2, none
    of 3: discounts 1/2, 1, 3/2. They free 3 x 1/2 + 1 = 5/2, shared by four symbols: 0.625 each.
    P(a) = P(b) = P(c) = (1 - 0.5 + 0.625) / 5 = 0.225, P(END) = (2 - 1 + 0.625) / 5 = 0.325.
    After BEGIN the three letters have 0.675: they are scaled by 1 / 0.675.
    Bigrams: BEGIN a 3, a b 2, a c 1, b END 2, c END 1. Counts of counts 2, 2, 1, 0: Y = 2 / (2 + 2 x 2)
    = 1/3, D1 = 1 - 2/3 = 1/3, D2 = 2 - 3 x 1/3 x 1/2 = 3/2, D3 = 3.
    After a: gamma = (3/2 + 1/3) / 3 = 0.611111. P(b | a) = (2 - 3/2) / 3 + gamma x 0.225 = 0.304167,
    P(c | a) = (1 - 1/3) / 3 + 0.1375 = 0.359722, P(a | a) = 0.1375, P(END | a) = 0.198611: together 1.
    After BEGIN: gamma = 3 / 3, P(a) = 0 + 0.225 / 0.675 = 1/3.
    """
    kind = np.array([0, 1, 1, 1, 2], np.uint8)
    allowed = _free(3)
    allowed[2, 0] = False
    stream = _stream([[BEGIN, A, B, END], [BEGIN, A, C, END], [BEGIN, A, B, END]])
    trie, least = build(stream, kind, allowed, BEGIN, 2)
    assert least == 1
    assert trie.discounts == pytest.approx(np.array([[0.5, 1, 1.5], [1 / 3, 1.5, 3]]))
    assert 2.0 ** (-trie.first[:4, 0] / UNIT) == pytest.approx([0.325, 0.225, 0.225, 0.225], rel=1e-5)
    after_a = [_probability(trie, [BEGIN, A, w]) for w in (B, C, A, END)]
    assert after_a == pytest.approx([0.304167, 0.359722, 0.1375, 0.198611], abs=1e-5)
    assert _probability(trie, [BEGIN, A]) == pytest.approx(1 / 3, rel=1e-5)
    assert _probability(trie, [BEGIN, C]) == pytest.approx(1 / 3, rel=1e-5)


class _Slow:
    """The formula, read off dictionaries."""

    def __init__(self, sequences: list[list[int]], allowed: np.ndarray, order: int, limit: int = 10**9) -> None:
        self.allowed, self.order = allowed, order
        raw: dict[int, Counter] = defaultdict(Counter)
        for s in sequences:
            for n in range(1, order + 1):
                for i in range(n - 1, len(s)):
                    if i > 0:
                        raw[n][tuple(s[i - n + 1 : i + 1])] += 1
        self.counts = {order: dict(raw[order])}
        for n in range(1, order):
            before = Counter(gram[1:] for gram in raw[n + 1])
            self.counts[n] = {g: (c if g[0] >= MARKS else before[g]) for g, c in raw[n].items()}
        self.discount = {n: self._discounts(list(c.values())) for n, c in self.counts.items()}
        least = 1
        while sum(c >= least for c in raw[order].values()) > limit:
            least += 1
        self.kept = {g for n in self.counts for g in self.counts[n] if n < order or raw[n][g] >= least}

    @staticmethod
    def _discounts(counts: list[int]) -> list[float]:
        n = [counts.count(c) for c in range(5)]
        if not (n[1] and n[2] and n[3]):
            return [0, 0.5, 1, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        d = [0.0] + [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        return d if min(d[1:]) > 0 else [0, 0.5, 1, 1.5]

    def _alone(self, w: int) -> float:
        counts, d = self.counts[1], self.discount[1]
        total = sum(counts.values())
        if not total:
            return 1 / MARKS
        free = sum(d[min(c, 3)] for c in counts.values())
        c = counts.get((w,), 0)
        return (c - d[min(c, 3)] + free / MARKS) / total

    def p(self, history: tuple[int, ...], w: int) -> float:
        if len(history) == 1:
            may = self.allowed[KINDS[history[0]]]
            lower = self._alone(w) / sum(self._alone(v) for v in range(MARKS) if may[KINDS[v]])
        else:
            lower = self.p(history[1:], w)
        n = len(history) + 1
        d, there = self.discount[n], {g: c for g, c in self.counts[n].items() if g[:-1] == history}
        total = sum(there.values())
        if not total:
            return lower
        free = sum(d[min(c, 3)] if g in self.kept else c for g, c in there.items()) / total
        gram = (*history, w)
        c = there[gram] if gram in self.kept and gram in there else 0
        return (c - d[min(c, 3)] if c else 0) / total + free * lower


def _restricted() -> np.ndarray:
    """Begin marks of kind 3 open letters of kind 1 and the others letters of kind 2; no two of kind 2 meet."""
    allowed = np.ones((5, 5), bool)
    allowed[0] = False
    allowed[2, 2] = allowed[3, 0] = allowed[3, 2] = allowed[4, 0] = allowed[4, 1] = False
    return allowed


@st.composite
def _sequences(draw: st.DrawFn) -> list[list[int]]:
    allowed, found = _restricted(), []
    for length in draw(st.lists(st.integers(1, 8), max_size=12)):
        sequence = [draw(st.integers(MARKS, MARKS + 1))]
        for _ in range(length):
            may = [w for w in range(1, MARKS) if allowed[KINDS[sequence[-1]], KINDS[w]]]
            sequence.append(draw(st.sampled_from(may)))
        found.append([*sequence, END])
    return found


@given(sequences=_sequences(), order=st.integers(2, 5), limit=st.sampled_from([1, 3, 10**9]), probe=_sequences())
def test_equals_slow_python(sequences: list[list[int]], order: int, limit: int, probe: list[list[int]]) -> None:
    trie, _ = build(_stream(sequences), KINDS, _restricted(), MARKS, order, limit)
    slow = _Slow(sequences, _restricted(), order, limit)
    for sequence in probe:
        found = costs(trie, np.array(sequence, np.int32))
        expected = [slow.p(tuple(sequence[max(0, i - order + 1) : i]), sequence[i]) for i in range(1, len(sequence))]
        assert 2.0 ** (-found[1:] / UNIT) == pytest.approx(expected, rel=2e-5)


@given(sequences=_sequences(), order=st.integers(2, 5), limit=st.sampled_from([2, 10**9]))
def test_every_distribution_sums_to_one(sequences: list[list[int]], order: int, limit: int) -> None:
    """After every context that was seen, and some that were not, what may follow has probability 1."""
    allowed = _restricted()
    trie, _ = build(_stream(sequences), KINDS, allowed, MARKS, order, limit)
    contexts = {tuple(s[:i]) for s in [*sequences, [6, 1, 4, 3, 3, 0], [7, 5, 1, 1, 4, 2, 0]] for i in range(1, len(s))}
    for context in contexts:
        may = [w for w in range(MARKS) if allowed[KINDS[context[-1]], KINDS[w]]]
        assert sum(_probability(trie, [*context, w]) for w in may) == pytest.approx(1, abs=1e-5)


@given(sequences=_sequences(), seed=st.integers(0, 99))
def test_the_order_of_sequences_does_not_matter(sequences: list[list[int]], seed: int) -> None:
    one, _ = build(_stream(sequences), KINDS, _restricted(), MARKS, 3)
    order = np.random.default_rng(seed).permutation(len(sequences))
    two, _ = build(_stream([sequences[i] for i in order]), KINDS, _restricted(), MARKS, 3)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_learned_is_uniform() -> None:
    trie, least = build(np.empty(0, np.int32), KINDS, _free(5), MARKS, 3)
    assert least == 1
    assert [_probability(trie, [MARKS, 1, w]) for w in range(MARKS)] == pytest.approx([1 / 6] * 6, rel=1e-5)


def test_too_many_ngrams_lose_the_rarest() -> None:
    """Of the trigrams BEGIN a b (3), a b END (3), BEGIN a c (1), a c END (1), at most three: those seen 3 times."""
    sequences = [[BEGIN, A, B, END]] * 3 + [[BEGIN, A, C, END]]
    kind, allowed = np.array([0, 1, 1, 1, 2], np.uint8), _free(3)
    whole, least = build(_stream(sequences), kind, allowed, BEGIN, 3, 4)
    assert least == 1
    small, least = build(_stream(sequences), kind, allowed, BEGIN, 3, 3)
    assert least == 2
    rows = [np.count_nonzero(trie.table[trie.regions[3, 0] :, 0]) for trie in (whole, small)]
    assert rows == [4, 2]
    for trie in (whole, small):
        assert sum(_probability(trie, [BEGIN, A, w]) for w in range(BEGIN)) == pytest.approx(1, abs=1e-5)


def test_many_symbols_find_their_way() -> None:
    """A random walk over 5,000 symbols: what was seen is far more probable than what was not."""
    rng = np.random.default_rng(1)
    walk = rng.integers(1, 5_000, (2_000, 12)).astype(np.int32)
    begin = 5_000
    stream = np.concatenate([np.full((2_000, 1), begin, np.int32), walk, np.zeros((2_000, 1), np.int32)], axis=1)
    kind = np.ones(begin + 1, np.uint8)
    kind[0], kind[begin] = 0, 2
    trie, _ = build(stream.reshape(-1), kind, _free(3), begin, 3)
    seen = [int(costs(trie, row[:4])[-1]) for row in stream[:200]]
    other = [int(costs(trie, np.append(row[:3], rng.integers(1, 5_000)).astype(np.int32))[-1]) for row in stream[:200]]
    assert np.mean(seen) + 3 * UNIT < np.mean(other)
