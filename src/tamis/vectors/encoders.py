"""Encoders: whatever turns `n` items into `n x d` numbers - a model, a function, a file.

An encoder says how wide its vectors are and what they depend on (`fingerprint`), so that a store
never serves those of another. Models are optional packages, looked for when one is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError, missing_extra

__all__ = ["Encoder", "Function", "Given", "Model2Vec", "SentenceTransformer", "checked", "encoder"]

_BATCH = 1024  # items encoded at a time
_TICKET = itertools.count()


class Encoder(ABC):
    """Gives items their vectors.

    Attributes
    ----------
    name : str
        For people.
    width : int
        Numbers a vector, `d`.
    fingerprint : str
        What the vectors depend on besides the items.
    """

    name: str
    width: int
    fingerprint: str

    @abstractmethod
    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Return the vectors of `n` items, `n x d`."""


class _Batched(Encoder):
    """An encoder that takes lists of some length, one at a time: models are rarely safe to share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._width = 0

    @property
    def width(self) -> int:  # type: ignore[override]
        """Return the width, found by encoding one short item if nothing has been encoded yet."""
        if not self._width:
            with self._lock:
                self._width = checked(self._call(["a"]), 1, self.name).shape[1]
        return self._width

    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Return the vectors of `n` items, `n x d`.

        Raises InputError where the encoder gives another number of rows, another width than
        before, or numbers that are not finite.
        """
        width = self.width
        out = np.empty((len(items), width), np.float32)
        for begin in range(0, len(items), _BATCH):
            part = list(items[begin : begin + _BATCH])
            with self._lock:
                found = checked(self._call(part), len(part), self.name, begin)
            if found.shape[1] != width:
                raise InputError(f"{self.name}: expected vectors {width} wide, as before, got {found.shape[1]}.")
            out[begin : begin + len(part)] = found
        return out

    @abstractmethod
    def _call(self, items: list[Any]) -> Any:
        """Return an `n x d` array-like."""


class Function(_Batched):
    """Any function from a list of `n` items to `n x d` numbers.

    A function cannot be looked into: unless `fingerprint` (or an attribute of that name) says what
    its vectors depend on, they are computed anew in every run.
    """

    def __init__(self, function: Callable[[list[Any]], Any], *, fingerprint: str | None = None) -> None:
        super().__init__()
        self._function = function
        self.name = f"function {getattr(function, '__qualname__', type(function).__name__)}"
        given = fingerprint or getattr(function, "fingerprint", None)
        self.fingerprint = f"function:{given}" if given else f"function:{os.getpid()}.{next(_TICKET)}"

    def _call(self, items: list[Any]) -> Any:
        return self._function(items)


class Model2Vec(_Batched):
    """A static model by its name on the Hugging Face Hub, or its folder; package `model2vec`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        package = _package("model2vec", "model2vec", f"model2vec:{name}")
        self.name = f"model2vec:{name}"
        self._model = _opened(lambda: package.StaticModel.from_pretrained(name), self.name)
        state = [np.ascontiguousarray(self._model.embedding), self._model.tokenizer.to_str().encode()]
        self.fingerprint = _digest("model2vec", *state)

    def _call(self, items: list[Any]) -> Any:
        return self._model.encode(items)


class SentenceTransformer(_Batched):
    """A model of the package `sentence-transformers` by its name on the Hub, or its folder."""

    def __init__(self, name: str) -> None:
        super().__init__()
        package = _package("sentence_transformers", "sentence-transformers", f"sentence-transformers:{name}")
        self.name = f"sentence-transformers:{name}"
        self._model = _opened(lambda: package.SentenceTransformer(name), self.name)
        state = self._model.state_dict()
        weights = [np.ascontiguousarray(state[key].cpu().numpy()) for key in sorted(state)]
        self.fingerprint = _digest("sentence-transformers", str(self._model), *weights)

    def _call(self, items: list[Any]) -> Any:
        return self._model.encode(items, convert_to_numpy=True, show_progress_bar=False)


#: Prefix of a spec, and the class behind it.
_MODELS: dict[str, type[Model2Vec] | type[SentenceTransformer]] = {
    "model2vec": Model2Vec,
    "sentence-transformers": SentenceTransformer,
}


def encoder(spec: str | Callable[[list[Any]], Any] | Encoder) -> Encoder:
    """Return the encoder that `spec` stands for.

    `model2vec:NAME`, `sentence-transformers:NAME` (a name on the Hub or a folder), a function from
    a list to an array, or an encoder. Raises OptionError for anything else, UserError for a
    package that is not installed.
    """
    if isinstance(spec, Encoder):
        return spec
    if callable(spec):
        return Function(spec)
    kind, _, name = str(spec).partition(":")
    if kind in _MODELS and name:
        return _MODELS[kind](name)
    raise OptionError(
        f"encoder: expected 'wordllama', {', '.join(f'{kind}:NAME' for kind in _MODELS)}, field:NAME, FILE.npy, or in"
        f" Python an array or a function from a list of texts to one, got {spec!r}."
    )


class Given:
    """Vectors that exist already: an array, or the path of an `.npy`, one row a record in input order.

    A file is memory-mapped. Raises InputError for what is no `n x d` array of numbers.
    """

    def __init__(self, source: str | Path | NDArray[Any]) -> None:
        if isinstance(source, str | Path):
            self.name = str(source)
            try:
                self.array = np.load(Path(source).expanduser(), mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise InputError(f"vectors: expected an .npy file of n x d numbers in {source}: {error}") from error
        else:
            self.name, self.array = "array", np.asarray(source)
        if self.array.ndim != 2 or self.array.dtype.kind not in "fiu" or not self.array.shape[1]:
            raise InputError(
                f"vectors, {self.name}: expected n x d numbers, got {self.array.dtype} of shape {self.array.shape}."
            )
        self.width = int(self.array.shape[1])

    def __len__(self) -> int:
        return len(self.array)

    @property
    def fingerprint(self) -> str:
        """Return a hash of shape, type and content."""
        digest = hashlib.blake2b(f"{self.array.dtype.str}{self.array.shape}".encode(), digest_size=16)
        for begin in range(0, len(self), 1 << 16):
            digest.update(self.array[begin : begin + (1 << 16)].tobytes())
        return f"given:{digest.hexdigest()}"

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the vectors of the records from `start` to `stop`; InputError naming one that is not finite."""
        return checked(self.array[start:stop], stop - start, f"vectors, {self.name}", start)


def checked(found: Any, n: int, name: str, first: int = 0) -> NDArray[np.float32]:
    """Return what an encoder gave for `n` items as float32 `n x d`; `first` is the number of the first of them.

    Raises InputError for another shape, for what are no numbers, and for numbers that are not finite.
    """
    try:
        array = np.asarray(found, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected {n} x d numbers, got: {error}") from error
    if array.ndim != 2 or len(array) != n or not array.shape[1]:
        raise InputError(f"{name}: expected {n} rows of vectors, got an array of shape {array.shape}.")
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(wrong):
        column = int(np.flatnonzero(~np.isfinite(array[wrong[0]]))[0])
        raise InputError(
            f"{name}: expected finite numbers, got {array[wrong[0], column]} for item {first + wrong[0]},"
            f" number {column} of its vector."
        )
    return array


def _package(module: str, extra: str, why: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise missing_extra(module, extra, why) from error


def _opened(load: Callable[[], Any], name: str) -> Any:
    try:
        return load()
    except Exception as error:  # the packages raise whatever a download raises
        raise OptionError(
            f"encoder '{name}': expected a model's folder or its name on the Hugging Face Hub, got"
            f" {type(error).__name__}: {error}. Check the name and the network, or download it and give the folder."
        ) from error


def _digest(kind: str, *parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return f"{kind}:{digest.hexdigest()}"
