"""What a signal is: a column computed from the text of records, or from other columns.

A record signal looks at one record at a time. A pool signal first needs a summary of the
whole pool: each fragment gives a small summary, the summaries merge into a state, and with
the state each fragment gives its column. An engine may run the fragments anywhere and in any
order; the result is the same, because merging does not depend on how rows were cut.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from tamis.corpus.chunk import Chunk, Text

if TYPE_CHECKING:
    from tamis.corpus.corpus import Corpus, Fragment

__all__ = ["PoolSignal", "ReadSignal", "RecordSignal", "Signal"]


class Signal(ABC):
    """A named column of the corpus.

    Attributes
    ----------
    name : str
        The name users type and find in the decision table.
    version : int
        Raised whenever the values change, so that a store never serves an older version's column.
    numeric : bool
        Whether it is one number a record: only those can be sorted by, filtered on and shown.
    of_pool : bool
        Whether the value of a record depends on the other records of the pool.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = True
    of_pool: ClassVar[bool] = False
    summary_line: ClassVar[str] = ""
    source: ClassVar[str] = ""
    cost: ClassVar[str] = "O(bytes)"
    inputs: tuple[Signal, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return what the values depend on besides the text, as JSON-able values."""
        return {}

    def key(self) -> str:
        """Return the name of the column in a store: name, version, and a hash of the parameters."""
        parameters = json.dumps(self.parameters(), sort_keys=True, separators=(",", ":"))
        digest = hashlib.blake2b(parameters.encode(), digest_size=6).hexdigest()
        return f"{self.name}-v{self.version}-{digest}"


class RecordSignal(Signal):
    """A signal of each record alone."""

    @abstractmethod
    def column(self, text: Text) -> pa.Array:
        """Return one value for each of the `n` texts (rejected records have an empty text)."""


class PoolSignal(Signal):
    """A signal that needs a summary of the whole pool first.

    `columns` maps the names of `inputs` to their columns for one fragment; where `keyed` is set,
    also `key` to the keys of its records, a struct of `hi` and `lo` (uint64).
    """

    keyed: ClassVar[bool] = False
    of_pool: ClassVar[bool] = True

    @abstractmethod
    def summary(self, columns: Mapping[str, pa.Array]) -> Any:
        """Return a small, picklable summary of one fragment."""

    @abstractmethod
    def merge(self, summaries: Iterable[Any]) -> Any:
        """Return the state of the pool; must not depend on how rows were cut into fragments."""

    @abstractmethod
    def column(self, columns: Mapping[str, pa.Array], state: Any) -> pa.Array:
        """Return one value for each record of a fragment."""


class ReadSignal(Signal):
    """A signal that exists already, in fields of the records or beside the pool."""

    @abstractmethod
    def prepare(self, corpus: Corpus) -> None:
        """Check it against a scanned corpus, before any fragment is read."""

    @abstractmethod
    def read(self, corpus: Corpus, fragment: Fragment, load: Callable[[], Chunk]) -> pa.Array:
        """Return one value for each record of a fragment; `load` reads its records anew."""
