"""Deduplication of a scanned corpus: by hand, as the contract says, and what is computed anew."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import real
from tamis.corpus.chunk import Text
from tamis.corpus.corpus import Corpus, Settings
from tamis.corpus.identity import Ids
from tamis.errors import InputError, OptionError
from tamis.run.dedup import Deduped, dedup
from tamis.run.options import Runtime
from tamis.run.sample import interval
from tamis.run.session import Session
from tamis.signals.compute import compute
from tamis.signals.minhash import MinHash

SMALL = MinHash(size=1, permutations=64)


def _write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def _scan(session: Session, *paths: Path, signal: MinHash = SMALL, **settings: Any) -> tuple[Corpus, Ids]:
    corpus = session.corpus([str(path) for path in paths], Settings(**settings))
    compute(corpus, [signal])
    return corpus, Ids(corpus.rows, [opened.source.name for opened in corpus.opened])


def _dedup(texts: list[str], signal: MinHash = SMALL, **options: Any) -> Deduped:
    path = _write(Path(f"pool-{len(list(Path().iterdir()))}.jsonl"), texts)
    with Session(Runtime(threads=2)) as session:
        corpus, ids = _scan(session, path, signal=signal)
        eligible = options.pop("eligible", corpus.rows.status == 0)
        return dedup(corpus, ids, eligible, signal=signal, **options)


def _words(*numbers: int) -> str:
    return " ".join(f"w{number}" for number in numbers)


def test_by_hand() -> None:
    """Five records of single words, threshold 0.6, visited by the signal 0, 1, 2, 3, 4.

    A = {1..8}; B = {1..7} + 9: 7 of 9 in common with A, 0.778, so B goes because of A. C = {1..6} +
    9, 10: 6 of 10 = 0.6 with A, so C goes because of A though it is nearer to B (7 of 9), which went.
    D = {3..7} + 9, 10, 11: 5 of 11 with A; near to C (6 of 10), but C went: D stays. E is A in capitals:
    a copy of A.
    """
    texts = [
        _words(*range(1, 9)),
        _words(*range(1, 8), 9),
        _words(*range(1, 7), 9, 10),
        _words(*range(3, 8), 9, 10, 11),
        _words(*range(1, 9)).upper() + "!",
    ]
    found = _dedup(texts, threshold=0.6, by=np.arange(5))
    assert found.removed.tolist() == [False, True, True, False, True]
    assert found.neighbour.tolist() == [-1, 0, 0, -1, 0]
    assert found.similarity.tolist()[1:3] == [7 / 9, 0.6]
    assert found.similarity[4] == 1.0
    assert found.copy.tolist() == [False, False, False, False, True]
    assert found.clusters.tolist() == [0, 0, 0, 0, 0]  # D hangs on C
    backwards = _dedup(texts, threshold=0.6, by=-np.arange(5))
    assert backwards.removed.tolist() == [True, True, True, False, False]
    assert backwards.neighbour.tolist() == [4, 4, 4, -1, -1]  # C is as near to D, which comes after E


def test_pins_stay_and_others_go_because_of_them() -> None:
    """Pinned records are visited first; two that are alike both stay."""
    texts = [_words(1, 2, 3, 4), _words(1, 2, 3, 4), _words(1, 2, 3, 4, 5)]
    pins = np.array([False, True, True])
    found = _dedup(texts, threshold=0.7, by=np.arange(3), pins=pins)
    assert found.removed.tolist() == [True, False, False]
    assert found.neighbour[0] == 1


def test_records_that_are_not_eligible_do_not_count() -> None:
    """They neither go nor hold others out."""
    texts = [_words(1, 2, 3), _words(1, 2, 3), _words(1, 2, 3)]
    found = _dedup(texts, threshold=0.7, by=np.arange(3), eligible=np.array([False, True, True]))
    assert found.removed.tolist() == [False, False, True]
    assert found.neighbour.tolist() == [-1, -1, 1]
    assert found.clusters.tolist() == [-1, 1, 1]


def test_texts_without_words_are_left_alone() -> None:
    """ "!!!" and "???" have no words: nothing says that they are alike."""
    found = _dedup(["!!!", "???", "...", _words(1)])
    assert not found.removed.any()
    assert found.report["without_words"] == 3


_record = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@settings(max_examples=30)
@given(
    st.lists(_record, min_size=1, max_size=25),
    st.sampled_from([0.4, 0.7, 1.0]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_contract(records: list[list[int]], threshold: float, signed: bool, rng: random.Random) -> None:
    """Who goes names one that stays, with the true similarity; no candidates that stay are alike; order is nothing."""
    records = [list(r) for r in dict.fromkeys(map(tuple, records))]
    texts = [_words(*record) for record in records]
    value = np.array([hash(tuple(r)) % 5 for r in records]) if signed else None
    plain = _dedup(texts, threshold=threshold, by=value, bands=(64, 1))
    sets = [set(record) for record in records]
    for row in np.flatnonzero(plain.removed).tolist():
        other = int(plain.neighbour[row])
        assert not plain.removed[other]
        exact = len(sets[row] & sets[other]) / len(sets[row] | sets[other])
        assert plain.similarity[row] == exact >= threshold
        assert plain.clusters[row] == plain.clusters[other]
    for a, b in itertools.combinations(np.flatnonzero(~plain.removed).tolist(), 2):
        assert len(sets[a] & sets[b]) / len(sets[a] | sets[b]) < threshold  # 64 bands of 1: every pair was a candidate
    order = list(range(len(texts)))
    rng.shuffle(order)
    moved = _dedup(
        [texts[i] for i in order], threshold=threshold, by=None if value is None else value[order], bands=(64, 1)
    )
    assert moved.removed.tolist() == plain.removed[order].tolist()
    place = {old: new for new, old in enumerate(order)}
    for new, old in enumerate(order):
        near = int(plain.neighbour[old])
        assert moved.neighbour[new] == (place[near] if near >= 0 else -1)
        assert moved.clusters[new] == place[int(plain.clusters[old])]
    assert np.array_equal(moved.similarity, plain.similarity[order], equal_nan=True)


def _gradient(rng: random.Random, pairs: int, length: int = 200) -> tuple[list[str], list[float]]:
    """Pairs of texts, the second with some words of the first replaced: from none to half of them."""
    texts, changes = [], []
    for i in range(pairs):
        words = [f"v{rng.randrange(100_000)}" for _ in range(length)]
        changed = list(words)
        for place in rng.sample(range(length), i * length // (2 * pairs)):
            changed[place] = f"x{rng.randrange(10**9)}"
        texts += [" ".join(words), " ".join(changed)]
        changes.append(i / (2 * pairs))
    return texts, changes


@pytest.mark.parametrize("exact", [True, False])
def test_planted_duplicates_along_a_gradient(exact: bool) -> None:
    """400 pairs from equal to unlike: above the threshold at most the expected misses, below it nothing."""
    signal = MinHash()
    texts, _ = _gradient(random.Random(0), 400)
    found = _dedup(texts, signal, threshold=0.6, exact=exact)
    values, offsets = signal.sets(_text(texts), np.arange(len(texts)))
    sets = [set(values[a:b].tolist()) for a, b in itertools.pairwise(offsets.tolist())]
    similarity = np.array([len(a & b) / len(a | b) for a, b in zip(sets[::2], sets[1::2], strict=True)])
    gone = found.removed[::2] | found.removed[1::2]
    assert 40 < (similarity >= 0.6).sum() < 200
    if exact:
        assert gone[similarity >= 0.6].mean() > 0.97
        assert not gone[similarity < 0.6].any()
        told = np.fmax(found.similarity[::2], found.similarity[1::2])
        assert (told[gone] == similarity[gone]).all()
        assert found.report["sample"]["recall"] == pytest.approx(gone[similarity >= 0.6].mean(), abs=0.01)
        assert found.report["sample"]["precision"] == 1.0
    else:
        spread = 4 * np.sqrt(0.6 * 0.4 / 128)
        assert gone[similarity >= 0.6 + spread].all()
        assert not gone[similarity < 0.6 - spread].any()
        assert 0.7 < found.report["sample"]["precision"] <= 1


def _text(texts: list[str]) -> Text:
    import pyarrow as pa

    return Text.of(pa.array(texts, pa.large_string()))


def test_results_do_not_depend_on_threads_fragments_or_files(tmp_path: Path) -> None:
    """The same decisions from one file on one thread and from three files in small fragments on three."""
    texts, _ = _gradient(random.Random(1), 60)
    texts += [text.upper() for text in texts[::7]]
    whole = _write(tmp_path / "whole.jsonl", texts)
    parts = [_write(tmp_path / f"part{i}.jsonl", texts[i * 50 : (i + 1) * 50]) for i in range(3)]
    results = []
    for paths, threads, nbytes in (([whole], 1, None), (parts, 3, 5000)):
        with Session(Runtime(threads=threads)) as session:
            session.fragment_bytes = nbytes
            corpus, ids = _scan(session, *paths, signal=MinHash())
            assert len(corpus.fragments) > 10 or nbytes is None
            found = dedup(corpus, ids, corpus.rows.status == 0)
            results.append(found)
    one, other = results
    assert one.removed.sum() > 10
    assert (one.removed == other.removed).all()
    assert (one.neighbour == other.neighbour).all()
    assert (one.clusters == other.clusters).all()
    assert {**one.report, "seconds": 0} == {**other.report, "seconds": 0}


def test_a_pool_that_grew_computes_new_fragments_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file added to a pool: the others' signatures are in the store, the result is that of a fresh run."""
    texts, _ = _gradient(random.Random(2), 40)
    first = _write(tmp_path / "a.jsonl", texts[:50])
    computed: list[int] = []
    column = MinHash.column
    monkeypatch.setattr(MinHash, "column", lambda self, text: computed.append(len(text)) or column(self, text))
    with Session(Runtime(store=tmp_path / "store")) as session:
        corpus, ids = _scan(session, first, signal=MinHash())
        dedup(corpus, ids, corpus.rows.status == 0)
    assert computed == [50]
    second = _write(tmp_path / "b.jsonl", texts[50:])
    with Session(Runtime(store=tmp_path / "store")) as session:
        corpus, ids = _scan(session, first, second, signal=MinHash())
        grown = dedup(corpus, ids, corpus.rows.status == 0)
    assert computed == [50, 30]
    with Session(Runtime()) as session:
        corpus, ids = _scan(session, first, second, signal=MinHash())
        fresh = dedup(corpus, ids, corpus.rows.status == 0)
    assert (grown.neighbour == fresh.neighbour).all()


def test_missing_signatures_are_computed_and_rejected_records_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text('{"text": "a b c"}\nnope\n{"text": "A B, C"}\n')
    with Session(Runtime()) as session:
        corpus = session.corpus([str(path)], Settings())
        corpus.scan()
        found = dedup(corpus, Ids(corpus.rows, ["pool"]), corpus.rows.status == 0)
    assert found.removed.sum() == 1
    assert found.clusters[1] == -1


def test_nothing_left_behind_in_the_store(tmp_path: Path) -> None:
    """Temporary files have no name."""
    path = _write(tmp_path / "pool.jsonl", [_words(1, 2, 3), _words(1, 2, 3, 4)])
    with Session(Runtime(store=tmp_path / "store")) as session:
        corpus, ids = _scan(session, path)
        dedup(corpus, ids, corpus.rows.status == 0, signal=SMALL, threshold=0.5)
        assert list(session.store.spool().iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"threshold": 0.0}, OptionError),
        ({"bands": (65, 1)}, OptionError),
        ({"bands": (0, 1)}, OptionError),
        ({"limit": 0}, OptionError),
        ({"by": np.zeros(3)}, InputError),
        ({"pins": np.zeros(1, bool)}, InputError),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], error: type) -> None:
    with pytest.raises(error, match="expected"):
        _dedup([_words(1), _words(2)], **options)


def test_interval_by_hand() -> None:
    """9 of 10 pairs, each a group of its own: Wilson's interval of 9 in 10, 0.596 to 0.982."""
    found = np.array([True] * 9 + [False])
    share, low, high = interval(found, np.ones(10), np.arange(10))
    assert (share, low, high) == pytest.approx((0.9, 0.596, 0.982), abs=1e-3)
    share, low, high = interval(np.ones(4, bool), np.ones(4), np.arange(4))
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(0.510, abs=1e-3)
    # ten pairs of one group tell no more than one pair
    assert interval(np.ones(10, bool), np.ones(10), np.zeros(10))[1] == pytest.approx(0.2065, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("cls_20newsgroups/20news_bydate.jsonl.gz", 100), ("corpus_gesetze_de/gesetze.jsonl.xz", 5)]
)
def test_real_pools_miss_next_to_nothing(name: str, least: int) -> None:
    """All similar pairs of a real pool, found exactly: at least 97 % are candidates."""
    with Session(Runtime()) as session:
        corpus, ids = _scan(session, real(name), signal=MinHash(), text="{text}")
        told = dedup(corpus, ids, corpus.rows.status == 0).report["sample"]
    assert told["pairs"] >= least
    assert told["recall"] >= 0.97
    assert told["both_stay"] <= 0.03 * told["pairs"]
