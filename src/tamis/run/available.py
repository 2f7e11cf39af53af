"""The signals a run can compute, by the names people type; what costs something is made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tamis.corpus.chunk import Reject, Text
from tamis.corpus.corpus import Corpus
from tamis.errors import InputError, nearest
from tamis.run.inputs import Inputs
from tamis.run.options import Job
from tamis.run.progress import Progress
from tamis.select.base import Selector
from tamis.select.dsir import Dsir
from tamis.select.features import Features
from tamis.signals.base import Signal
from tamis.signals.bytes import Bytes
from tamis.signals.compute import compute
from tamis.signals.ngrams import NgramCount
from tamis.signals.tokens import Tokens

__all__ = ["available", "check_rejected"]


def available(job: Job, method: Selector, targets: list[Corpus], progress: Progress) -> tuple[Selector, Inputs]:
    """Return the method, told of its targets, and the signals of the run; those of a target once it is read."""
    weigher = method if isinstance(method, Dsir) else Dsir()
    features = weigher.features()
    signals: dict[str, Signal] = {
        "tokens": Tokens(job.tokenizer),
        "bytes": Bytes(),
        "ngrams": method.features() if isinstance(method, Features) else features,
        "ngram_count": NgramCount(features),
    }
    makers: dict[str, Callable[[], Signal]] = {
        "perplexity": partial(_perplexity, job, targets, progress),
        "minhash": _minhash,
        "rules": partial(_rules, job),
        "vectors": partial(_vectors, job),
    }
    if targets:
        with progress.step("target"):
            counts = []
            for target in targets:
                compute(target, [features], strict=job.strict, tolerant=job.max_rejected >= 1)
                check_rejected(target, job.max_rejected)
                counts.append(weigher.count(target.batch(f, features.key()).column(0) for f in target.fragments))
            aimed, found = weigher.against(counts)
        signals |= found
        method = aimed if isinstance(method, Dsir) else method
    return method, Inputs(signals, makers)


def _perplexity(job: Job, targets: list[Corpus], progress: Progress) -> Signal:
    """Return bits per byte under a model of the targets, or without any of the rest of the pool."""
    from tamis.run.banding import texts
    from tamis.signals.language_model import train
    from tamis.signals.perplexity import Perplexity, PoolPerplexity

    if not targets:
        return PoolPerplexity(seed=job.seed)

    def read() -> Iterator[Text]:
        for target in targets:
            for _, load in texts(target, lambda fragment: fragment.rows > 0):
                yield load()

    with progress.step("target"):
        return Perplexity(train(read()))


def _minhash() -> Signal:
    from tamis.signals.minhash import MinHash

    return MinHash()


def _vectors(job: Job) -> Signal:
    given = job.encoder
    if isinstance(given, str) and given.startswith("field:"):
        from tamis.signals.given import FieldVectors

        return FieldVectors(given.removeprefix("field:"))
    if isinstance(given, np.ndarray) or (isinstance(given, str | Path) and str(given).endswith(".npy")):
        from tamis.signals.given import GivenVectors
        from tamis.vectors.encoders import Given

        return GivenVectors(Given(given))
    from tamis.signals.vectors import Vectors

    return Vectors(given)


def _rules(job: Job) -> Signal:
    from tamis.signals.rules import Rules

    sets = {"sets": job.rules} if job.rules else {}
    return Rules(**sets, without=job.no_rules, languages=job.languages)


def check_rejected(corpus: Corpus, limit: float) -> None:
    """Stop when more records were set aside than allowed.

    Raises
    ------
    InputError
        With the counts, and the first record that was set aside.
    """
    n, bad = len(corpus.rows), int(np.count_nonzero(corpus.rows.status))
    if not n:
        names = ", ".join(opened.source.name for opened in corpus.opened[:3])
        raise InputError(f"expected records, got an empty pool: {names}.")
    if bad > limit * n:
        raise InputError(
            f"{bad:,} of {n:,} records ({bad / n:.1%}) cannot be used; the limit is {limit:.0%} (--max-rejected). "
            f"The first: {corpus.tell(int(np.flatnonzero(corpus.rows.status)[0]))}{_nearby(corpus)}"
        )


def _nearby(corpus: Corpus) -> str:
    """Return the fields there are, where records were set aside for want of one."""
    missing = np.flatnonzero(corpus.rows.status == Reject.MISSING_FIELD)
    if not len(missing):
        return ""
    seen, name = corpus.fields_seen(), corpus.rows.names[int(corpus.rows.detail[missing[0]])]
    return f"{nearest(name, seen)} Fields seen: {', '.join(seen[:20])}." if seen else ""
