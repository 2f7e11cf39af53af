"""Signals into the store: one pass over the text for all record signals, then the pool's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from tamis.corpus.chunk import Chunk
from tamis.corpus.corpus import Corpus, Fragment
from tamis.signals.base import PoolSignal, ReadSignal, RecordSignal, Signal

__all__ = ["column_key", "compute", "pool_state"]


def closure(signals: Iterable[Signal]) -> list[Signal]:
    """Return `signals` with everything they read, inputs first, each once."""
    found: dict[str, Signal] = {}

    def add(signal: Signal) -> None:
        for other in signal.inputs:
            add(other)
        found.setdefault(signal.key(), signal)

    for signal in signals:
        add(signal)
    return list(found.values())


def column_key(corpus: Corpus, signal: Signal) -> str:
    """Return the store's name of a signal's column: a pool signal's depends on the whole pool."""
    if not signal.of_pool:
        return signal.key()
    return f"{signal.key()}-{corpus.fingerprint(ordered=isinstance(signal, ReadSignal))}"


def compute(
    corpus: Corpus,
    signals: Sequence[Signal],
    fields: Sequence[str] = (),
    *,
    strict: bool = False,
    tolerant: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Scan the corpus and leave every signal and field in its store.

    Parameters
    ----------
    corpus : Corpus
        Scanned by this call.
    signals : sequence of Signal
        Those that are wanted; what they read is added.
    fields : sequence of str
        Top-level fields wanted as columns.
    strict, tolerant, on_progress
        As in `Corpus.scan`.

    Raises
    ------
    InputError
        As `Corpus.scan`.
    """
    everything = closure(signals)
    records = {s.key(): s.column for s in everything if isinstance(s, RecordSignal)}
    corpus.scan(records, fields, strict=strict, tolerant=tolerant, on_progress=on_progress)
    for signal in everything:
        if isinstance(signal, PoolSignal):
            _compute_pool(corpus, signal)
        elif isinstance(signal, ReadSignal):
            _copy(corpus, signal)


def pool_state(corpus: Corpus, signal: PoolSignal) -> Any:
    """Return the merged state of a pool signal over a scanned corpus."""
    return signal.merge(corpus.engine.map(lambda f: signal.summary(_columns(corpus, signal, f)), corpus.fragments))


def _compute_pool(corpus: Corpus, signal: PoolSignal) -> None:
    key = column_key(corpus, signal)
    missing = [fragment for fragment in corpus.fragments if not corpus.has(fragment, key)]
    if missing:
        state = pool_state(corpus, signal)
        for _ in corpus.engine.map(partial(_one, corpus, signal, key, state), missing):
            pass


def _copy(corpus: Corpus, signal: ReadSignal) -> None:
    key = column_key(corpus, signal)
    signal.prepare(corpus)

    def one(task: tuple[Fragment, Callable[[], Chunk]]) -> None:
        corpus.put(task[0], key, signal.read(corpus, *task))

    for _ in corpus.engine.map(one, corpus.fragment_tasks(lambda fragment: not corpus.has(fragment, key))):
        pass


def _one(corpus: Corpus, signal: PoolSignal, key: str, state: Any, fragment: Fragment) -> None:
    corpus.put(fragment, key, signal.column(_columns(corpus, signal, fragment), state))


def _columns(corpus: Corpus, signal: Signal, fragment: Fragment) -> dict[str, Any]:
    columns = {s.name: corpus.batch(fragment, column_key(corpus, s)).column(0) for s in signal.inputs}
    if isinstance(signal, PoolSignal) and signal.keyed:
        rows = corpus.batch(fragment, "rows")
        columns["key"] = pa.StructArray.from_arrays([rows.column("hi"), rows.column("lo")], ["hi", "lo"])
    return columns
