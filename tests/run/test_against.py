"""Decontamination: what is found in a pool of what stands in other files, by either rule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tamis.corpus.corpus import Corpus, Settings
from tamis.errors import OptionError
from tamis.run.against import Contaminated, against, overlap_signal
from tamis.run.options import Runtime
from tamis.run.session import Session
from tamis.signals.compute import compute

POOL = [
    "The quick brown fox jumps over the lazy dog, and then it sleeps until the sun is down again.",
    "Somebody wrote: THE QUICK brown fox jumps -- over the lazy dog and then it sleeps for ever.",
    "Nothing here is in any other file, whatever one looks for.",
    "short and sweet it is indeed, said she",
    "",
]
EVAL = ["Q: the quick brown fox jumps over the lazy dog and then it sleeps?", "What is two and two?"]
MORE = ["Short and sweet it is indeed said she.", "The quick brown fox jumps over the lazy dog, and then it sleeps "
        "until the sun is down again"]  # fmt: skip


def _corpus(session: Session, name: str, texts: list[str]) -> Corpus:
    path = Path(name)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    corpus = session.corpus([name], Settings())
    corpus.scan()
    return corpus


def _find(pool: list[str] = POOL, others: tuple[list[str], ...] = (EVAL, MORE), **options) -> Contaminated:
    with Session(Runtime(threads=2)) as session:
        corpus = _corpus(session, "pool.jsonl", pool)
        files = [_corpus(session, f"other{i}.jsonl", texts) for i, texts in enumerate(others)]
        return against(corpus, corpus.rows.status == 0, files, **options)


def test_by_hand() -> None:
    """13 words in common, or all 8 of a short one; the span is what stands in the pool's text.

    The first record is the second of the second file: all of its n-grams, similarity 1. The second
    shares "the quick ... it sleeps" with the first of the first file: 1 of its 2 runs of 13 words.
    """
    found = _find()
    assert found.removed.tolist() == [True, True, False, True, False]
    assert found.corpus.tolist() == [1, 0, -1, 1, -1]
    assert found.row.tolist() == [1, 0, -1, 0, -1]
    assert found.share.tolist()[:2] == [1.0, 0.5]
    assert found.matched.to_pylist() == [
        POOL[0][:-1],
        "THE QUICK brown fox jumps -- over the lazy dog and then it sleeps",
        None,
        POOL[3],
        None,
    ]
    assert POOL[1].encode()[found.start[1] : found.stop[1]].decode() == found.matched[1].as_py()
    assert found.similarity[0] == 1.0
    assert np.isnan(found.similarity[1])
    assert found.report["ngrams"]["too_short"] == 1
    assert found.report["removed"] == 3


def test_each_rule_alone() -> None:
    """Near-duplicates without n-grams, n-grams without near-duplicates."""
    near = _find(ngram=None)
    assert near.removed.tolist() == [True, False, False, True, False]
    assert near.row.tolist() == [1, -1, -1, 0, -1]
    assert near.matched.null_count == 5
    words = _find(threshold=None, share=0.9)
    assert words.removed.tolist() == [True, False, False, True, False]
    assert np.isnan(words.similarity).all()


def test_pins_stay_and_copies_within_the_pool_are_none_of_its_business() -> None:
    """A pinned record keeps its hit in the report; records of the pool that are alike do not count."""
    pool = ["one two three four five six seven eight nine"] * 3 + POOL[:1]
    found = _find(pool, pins=np.array([False, False, False, True]))
    assert not found.removed.any()
    assert found.corpus.tolist() == [-1, -1, -1, 1]


def test_order_of_the_other_files_names_the_same_text() -> None:
    """Of equals, the same is named whatever the order in the file."""
    twins = ["red green blue one two three four five", "red green blue one two three four six"]
    pool = ["red green blue one two three four"]
    named = []
    for others in (twins, twins[::-1]):
        found = _find(pool, (others,), overlap=None, ngram=7, threshold=0.5)
        named.append((others[int(found.row[0])], float(found.share[0]), float(found.similarity[0])))
    assert named[0] == named[1]


def test_computed_with_the_scan_it_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal given to `compute` is found in the store."""
    with Session(Runtime()) as session:
        other = _corpus(session, "other.jsonl", EVAL)
        signal = overlap_signal([other])
        corpus = _corpus(session, "pool.jsonl", POOL)
        compute(corpus, [signal])
        monkeypatch.setattr(corpus, "scan", None)
        found = against(corpus, corpus.rows.status == 0, [other], overlap=signal, threshold=None)
    assert found.removed.tolist() == [True, True, False, False, False]


def test_wrong_options_are_told() -> None:
    with pytest.raises(OptionError, match="shortest"):
        _find(ngram=0)
    with pytest.raises(OptionError, match="share"):
        _find(share=2.0)
    with pytest.raises(OptionError, match="threshold"):
        _find(threshold=0.0)
