r"""How much a language model is surprised by a text: bits per byte.

Low is like what the model learned from. The bits are a code length of the whole text, its end
included, so texts, and models with other words, compare. Perplexity per piece is the same number
in another unit: `per_piece`.

Source: perplexity as a filter is CCNet's (Wenzek et al. 2020, arXiv 1911.00359), there a 5-gram
Kneser-Ney model of Wikipedia over SentencePiece tokens, per token. Ours: bits per byte, the model
(`tamis.signals.language_model`), and scores without a reference, out of fold: the pool is dealt into
folds by record key, and each record is scored by a model of the other folds alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.signals.base import PoolSignal, RecordSignal
from tamis.signals.language_model import LanguageModel, train

__all__ = ["Perplexity", "PoolPerplexity", "PoolTexts", "Texts", "bits_per_byte", "per_piece"]

_SOURCE = "CCNet, Wenzek et al. 2020, arXiv 1911.00359; Kneser and Ney 1995; Chen and Goodman 1999"


class Perplexity(RecordSignal):
    """Bits per byte of a text under a model of a reference: float64, NaN for a text without bytes.

    Parameters
    ----------
    model : LanguageModel
        Trained on the reference, `tamis.signals.language_model.train`.
    """

    name: ClassVar[str] = "perplexity"
    version: ClassVar[int] = 1
    summary_line: ClassVar[str] = "bits per byte under an n-gram model of a reference, or of the rest of the pool"
    source: ClassVar[str] = _SOURCE
    cost: ClassVar[str] = "O(bytes); memory about 4 bytes a byte of reference, 10 while learning"

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    def parameters(self) -> dict[str, Any]:
        """Return the model's fingerprint."""
        return {"model": self.model.fingerprint}

    def column(self, text: Text) -> pa.Array:
        """Return the bits per byte of each of the `n` texts."""
        return as_arrow(bits_per_byte(self.model, text))


class Texts(RecordSignal):
    """The text itself, kept where a pool signal reads texts a second time: as large as the corpus."""

    name: ClassVar[str] = "text"
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "the rendered text"
    source: ClassVar[str] = "ours"
    cost: ClassVar[str] = "O(bytes); stores every byte of the text"

    def column(self, text: Text) -> pa.Array:
        """Return the `n` texts."""
        return text.array()


@dataclass(frozen=True, slots=True)
class PoolTexts:
    """The summary of a fragment: its texts and keys (`n x 2`), views of what the store holds."""

    text: pa.Array
    keys: NDArray[np.uint64]


class PoolPerplexity(PoolSignal):
    """Bits per byte of a text under a model of the other records: float64, NaN for a text without bytes.

    The record key decides the fold, by a counted hash; a record is scored by a model that saw no
    record of its fold. Copies of a record with other keys are in other folds with probability
    ``1 - 1 / folds``, and then count.

    Needs, besides the column `text`, the column `key` (a struct of `hi` and `lo`, uint64).

    Parameters
    ----------
    folds : int
        Models, 2 to 16. Each learns from all folds but one, so training costs ``folds - 1`` passes;
        memory is that of `folds` models at once.
    order, spelling : int
        As in `train`.
    train_bytes : int
        Bytes of text to learn from at most, all folds together. From a larger pool, records are taken
        in the order of a counted hash of their keys; all are scored. Bounds the memory: with 2 folds
        about 9 bytes for each of these (models of 4, 5 more while the last learns).
    seed : int
        Decides the folds and what is taken.

    Raises
    ------
    OptionError
        A parameter out of range.
    """

    name: ClassVar[str] = "perplexity"
    version: ClassVar[int] = 1
    keyed: ClassVar[bool] = True
    summary_line: ClassVar[str] = Perplexity.summary_line
    source: ClassVar[str] = _SOURCE
    cost: ClassVar[str] = "O(bytes), learning on at most train_bytes; memory 9 bytes of each (2 folds); stores the text"

    def __init__(
        self, *, folds: int = 2, order: int = 3, spelling: int = 8, train_bytes: int = 1 << 27, seed: int = 0
    ) -> None:
        for option, value, least, most in (
            ("folds", folds, 2, 16), ("order", order, 2, 8), ("spelling", spelling, 2, 12),
            ("train_bytes", train_bytes, 1, 1 << 40),
        ):  # fmt: skip
            if not least <= value <= most:
                raise OptionError(
                    f"signal 'perplexity', option '{option}': expected {least:,} to {most:,}, got {value:,}."
                )
        self.folds, self.order, self.spelling = folds, order, spelling
        self.train_bytes, self.seed = train_bytes, seed
        self.inputs = (Texts(),)

    def parameters(self) -> dict[str, Any]:
        """Return every option."""
        return {
            "folds": self.folds,
            "order": self.order,
            "spelling": self.spelling,
            "train_bytes": self.train_bytes,
            "seed": self.seed,
        }

    def summary(self, columns: Mapping[str, pa.Array]) -> PoolTexts:
        """Return views of a fragment's texts and keys: what a model may learn from them is known only in `merge`."""
        return PoolTexts(columns["text"], _keys(columns["key"]))

    def merge(self, summaries: Iterable[PoolTexts]) -> tuple[LanguageModel | None, ...]:
        """Return the model for each fold, None where the others hold no text."""
        parts = list(summaries)
        texts = [Text.of(part.text) for part in parts]
        taken = self._taken([np.diff(text.offsets) for text in texts], [part.keys for part in parts])
        folds = [self._fold(part.keys) for part in parts]
        return tuple(self._model(texts, [t & (f != fold) for t, f in zip(taken, folds, strict=True)])
                     for fold in range(self.folds))  # fmt: skip

    def column(self, columns: Mapping[str, pa.Array], state: tuple[LanguageModel | None, ...]) -> pa.Array:
        """Return the bits per byte of each record of a fragment; NaN also where nothing could be learned from."""
        text = Text.of(columns["text"])
        fold = self._fold(_keys(columns["key"]))
        out = np.full(len(text), np.nan)
        for number, model in enumerate(state):
            rows = np.flatnonzero(fold == number)
            if model is not None:
                out[rows] = bits_per_byte(model, text, rows)
        return as_arrow(out)

    def _fold(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        return np.asarray(uniforms(keys, salt(self.seed, "perplexity folds")) * self.folds, np.float64).astype(np.int64)

    def _taken(self, sizes: list[NDArray[np.int64]], keys: list[NDArray[np.uint64]]) -> list[NDArray[np.bool_]]:
        """Return which records are learned from: all, or those of the lowest hash within `train_bytes`."""
        if sum(int(size.sum()) for size in sizes) <= self.train_bytes:
            return [np.ones(len(size), np.bool_) for size in sizes]
        marks = [uniforms(key, salt(self.seed, "perplexity sample")) for key in keys]
        mark, place = np.unique(np.concatenate(marks), return_inverse=True)  # records of one key go together
        filled = np.cumsum(np.bincount(place, np.concatenate(sizes).astype(np.float64), len(mark)))
        last = max(int(np.searchsorted(filled, self.train_bytes, side="right")), 1)
        edge = mark[last] if last < len(mark) else np.inf
        return [np.asarray(m < edge) for m in marks]

    def _model(self, texts: list[Text], taken: list[NDArray[np.bool_]]) -> LanguageModel | None:
        chosen = [(text, np.flatnonzero(rows)) for text, rows in zip(texts, taken, strict=True)]
        if not any(np.any(text.offsets[rows + 1] > text.offsets[rows]) for text, rows in chosen):
            return None
        return train(chosen, order=self.order, spelling=self.spelling)


def bits_per_byte(model: LanguageModel, text: Text, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return the bits per byte of each of `n` texts (or of `rows` of them); NaN for a text without bytes."""
    sizes = np.diff(text.offsets) if rows is None else text.offsets[rows + 1] - text.offsets[rows]
    bits = model.score(text, rows).bits
    out: NDArray[np.float64] = np.full(len(sizes), np.nan)
    return np.divide(bits, sizes, out=out, where=sizes > 0)


def per_piece(bits: NDArray[np.float64], pieces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the perplexity per piece, ``2 ** (bits / (pieces + 1))``: the end counts as one, as in CCNet."""
    return np.asarray(np.exp2(bits / (pieces + 1)))


def _keys(column: pa.StructArray) -> NDArray[np.uint64]:
    return np.stack([as_numpy(column.field("hi")), as_numpy(column.field("lo"))], axis=1)
