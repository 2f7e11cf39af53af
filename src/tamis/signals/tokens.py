"""The number of tokens of a record, exact in a named tokenizer.

Words recur: where the tokenizer's definition proves that a text may be cut before white space
(`tamis.signals.cuts`), each piece is tokenised once and its count looked up ever after. Where
it does not, whole texts are tokenised and the signal's `note` says so. The counts are the same.
"""

from __future__ import annotations

import json
import threading
import warnings
from functools import cached_property
from itertools import compress, pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tamis.corpus.chunk import Text
from tamis.errors import TamisError
from tamis.kernels.pieces import WHOLE
from tamis.signals.base import RecordSignal
from tamis.signals.cuts import Examined, examine
from tamis.signals.pieces import Pieces
from tamis.signals.tokenizers import BUNDLED, Definition, build, load

__all__ = ["Tokens"]

_BATCH_LENGTH = 1 << 20  # characters tokenised at a time: what bounds the tokenizer's own memory
_CHECKED = 4  # texts of every fragment that are also tokenised whole
_CHECKED_BYTES = 1 << 14
#: Texts on which pieces are checked before the first use.
_PROBES = (
    "", " ", "  ", "\n", " a", "a ", "a  b", "a\nb", "a \n b", "a\n\n  b\tc\r\nd", "The quick brown fox.",
    "x = f(1, 22, 333)\n    return x ** 2 # 5%\n", "don't we'll I'M\u2019s \u201cquoted\u201d \u2014 end",
    "na\u00efve caf\u00e9 e\u0301 \u0301 x\u00a0 y\u3000 z\u2003 w\u2581 v\u00ad u\u200b t",
    "\u4f60\u597d \u4e16\u754c\u3002 Привет мир \u0645\u0631\u062d\u0628\u0627 !",
    "\U0001f468\u200d\U0001f469 \U0001f600 \x00 \x07 \x1f \x7f \x85 end", "http://a.b/c?d=e /\n !\n ?! \r\n.\r",
)  # fmt: skip


class Tokens(RecordSignal):
    """Tokens of the rendered text, without the special tokens a model adds around it.

    `tokenizer` is "wordllama" (bundled), the path of a `tokenizer.json`, or a Hub name. Equal to
    `len(tokenizer.encode(text, add_special_tokens=False).ids)` for every record. With `pieces`
    False whole texts are tokenised in any case: the same counts, many times slower.
    """

    name: ClassVar[str] = "tokens"
    summary_line: ClassVar[str] = "number of tokens, exact in a named tokenizer"
    cost: ClassVar[str] = "O(bytes)"

    def __init__(self, tokenizer: str = BUNDLED, *, pieces: bool = True) -> None:
        self.tokenizer = tokenizer
        self.pieces = pieces
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer, "pieces": self.pieces}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["tokenizer"], pieces=state["pieces"])  # type: ignore[misc]

    def parameters(self) -> dict[str, Any]:
        """Return the tokenizer's fingerprint: the same tokenizer under two names is one signal."""
        return {"tokenizer": self._definition.fingerprint}

    @property
    def note(self) -> str:
        """Return how the tokens are counted, for people to read."""
        return self._counter.note

    def column(self, text: Text) -> pa.Array:
        """Return an int32 for each of the `n` texts.

        Raises TamisError if pieces give another count than whole texts on one of the few records
        of each fragment that are counted both ways.
        """
        return pa.array(self._counter.count(text).astype(np.int32))

    @cached_property
    def _definition(self) -> Definition:
        return load(self.tokenizer)

    @property
    def _counter(self) -> _Counter:
        with self._lock:  # built once, whichever thread comes first
            if "_built" not in self.__dict__:
                self._built = _Counter(self._definition, self.pieces)
            return self._built


class _Counter:
    """Counts tokens with one tokenizer, by pieces if that is exact."""

    def __init__(self, definition: Definition, by_pieces: bool) -> None:
        self.full = build(definition.json)
        self.rest = self.full
        self.whole: Any = None
        self.pieces: Pieces | None = None
        self.note = "whole texts: asked for"
        if by_pieces:
            self._set_up(definition.name, examine(json.loads(self.full.to_str())))

    def _set_up(self, name: str, examined: Examined) -> None:
        """Prepare counting by pieces; fall back, openly, where it is not exact."""
        reason = examined.reason
        if examined.cuts is not None:
            if examined.rest is not None:
                self.rest = build(json.dumps(examined.rest))
            self.whole = examined.whole
            self.pieces = Pieces(examined.cuts, self._learn)
            probes = Text.of(pa.array(_PROBES))
            got, expected = self._by_pieces(self.pieces, probes), self._by_texts(self.full, list(_PROBES))
            wrong = np.flatnonzero(got != expected)
            if not len(wrong):
                self.note = "pieces of texts, each tokenised once"
                return
            self.pieces, reason = None, f"pieces gave another count for {_PROBES[wrong[0]]!r}"
        self.note = f"whole texts: {reason}"
        warnings.warn(
            f"tokenizer '{name}': tokenising whole texts, many times slower than by words, because {reason}."
            " The counts are exact either way.",
            stacklevel=2,
        )

    def count(self, text: Text) -> NDArray[np.int64]:
        """Return the number of tokens of each text."""
        if self.pieces is None:
            return self._by_rows(text, np.arange(len(text)))
        counts = self._by_pieces(self.pieces, text)
        self._check(text, counts)
        return counts

    def _by_pieces(self, pieces: Pieces, text: Text) -> NDArray[np.int64]:
        counts = pieces.sums(text)
        left = np.flatnonzero(counts == WHOLE)
        if len(left):
            counts[left] = self._by_rows(text, left)
        return counts

    def _check(self, text: Text, counts: NDArray[np.int64]) -> None:
        """Count a few records as whole texts too (always the same ones of a fragment)."""
        rows = np.unique(np.linspace(0, max(len(text) - 1, 0), _CHECKED).astype(np.int64))[: len(text)]
        rows = rows[np.diff(text.offsets)[rows] <= _CHECKED_BYTES]
        expected = self._by_rows(text, rows)
        wrong = np.flatnonzero(counts[rows] != expected)
        if len(wrong):
            row = rows[wrong[0]]
            start = _string(text.data, text.offsets[row], text.offsets[row + 1])[:200]
            raise TamisError(
                f"tokens: expected {expected[wrong[0]]} for the text {start!r}, got {counts[row]} by its"
                " pieces. This is a mistake in tamis: please report it with the tokenizer;"
                " Tokens(..., pieces=False) counts without pieces."
            )

    def _by_rows(self, text: Text, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of the given texts, tokenised whole."""
        spans = np.stack([text.offsets[rows], text.offsets[rows + 1]], axis=1)
        return self._by_texts(self.full, [_string(text.data, a, b) for a, b in spans.tolist()])

    @staticmethod
    def _by_texts(tokenizer: Tokenizer, texts: list[str]) -> NDArray[np.int64]:
        """Return the tokens of texts, a batch of bounded size at a time."""
        counts = np.empty(len(texts), np.int64)
        batch = np.cumsum([len(text) for text in texts]) // _BATCH_LENGTH
        edges = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(texts)]
        for begin, end in pairwise(edges):
            encodings = tokenizer.encode_batch_fast(texts[begin:end], add_special_tokens=False)
            counts[begin:end] = np.fromiter(map(len, encodings), np.int64, end - begin)
        return counts

    def _learn(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the tokens of pieces; `WHOLE` for one that holds an added token's string."""
        strings = [_string(data, a, b) for a, b, _ in spans.tolist()]
        counts = np.empty(len(spans), np.int32)
        first = spans[:, 2] != 0
        for tokenizer, which in ((self.full, first), (self.rest, ~first)):
            group = list(compress(strings, which.tolist()))
            distinct = list(dict.fromkeys(group))  # pieces that are not remembered may come often
            count = dict(zip(distinct, self._by_texts(tokenizer, distinct).tolist(), strict=True))
            counts[which] = [count[string] for string in group]
        if self.whole is not None:
            search = self.whole.search
            counts[[search(string) is not None for string in strings]] = WHOLE
        return counts


def _string(data: NDArray[np.uint8], start: int, stop: int) -> str:
    return data[start:stop].tobytes().decode()
