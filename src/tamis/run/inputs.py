"""What a run reads: names that people type, resolved to signals and fields of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.fields import field_groups, field_numbers, field_type, typed_field
from tamis.errors import OptionError, nearest
from tamis.select.base import NULL_GROUP, Groups
from tamis.select.given.labels import Labels
from tamis.signals import SIGNALS
from tamis.signals.base import Signal
from tamis.signals.compute import column_key
from tamis.signals.labels import FieldLabels

__all__ = ["Inputs"]


@dataclass
class Inputs:
    """The signals and fields of one run, by the name the user typed.

    A name is a signal where there is a signal of that name, else a top-level field; `field:NAME`
    always means the field. `makers` make the signals that cost something before they are computed.
    """

    available: dict[str, Signal] = field(default_factory=dict)
    makers: dict[str, Callable[[], Signal]] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)

    def want(self, name: str) -> None:
        """Ask for a signal or field by name."""
        if name in self.makers and name not in self.available:
            self.available[name] = self.makers[name]()
        if name in self.available:
            self.signals.setdefault(name, self.available[name])
        else:
            self.want_field(name.removeprefix("field:"))

    def want_field(self, name: str) -> None:
        """Ask for a field of the records, even where a signal has its name."""
        if name not in self.fields:
            self.fields.append(name)

    def want_labels(self, name: str, separator: str) -> None:
        """Ask for the label sets in a field of the records; texts are cut at `separator`."""
        self.signals[_labels(name)] = FieldLabels(name.removeprefix("field:"), separator)

    def want_all(self, names: Iterable[str]) -> None:
        """Ask for several signals or fields."""
        for name in names:
            self.want(name)

    def numbers(self, corpus: Corpus, name: str) -> NDArray[Any]:
        """Return a numeric signal or field of every record, in input order.

        Raises
        ------
        OptionError
            For a signal that is not one number a record, or a field that is missing or of texts.
        """
        if name in self.signals:
            signal = self.signals[name]
            if not signal.numeric:
                numeric = ", ".join(n for n, s in self.available.items() if s.numeric)
                raise OptionError(f"signal '{name}' is not one number a record. Numeric signals: {numeric}.")
            return corpus.numbers(column_key(corpus, signal))
        plain = name.removeprefix("field:")
        try:
            return field_numbers(corpus, plain)
        except OptionError as error:
            hint = nearest(plain, [*SIGNALS, *self.available])
            raise OptionError(
                f"'{name}' is no signal, and as a field: {error}{hint} Signals: {', '.join(SIGNALS)}."
            ) from error

    def whole(self, corpus: Corpus, name: str) -> bool:
        """Return whether a numeric signal of the run is whole numbers."""
        first = next((fragment for fragment in corpus.fragments if fragment.rows), None)
        if first is None:
            return False
        return bool(pa.types.is_integer(corpus.batch(first, column_key(corpus, self.signals[name])).column(0).type))

    def groups(self, corpus: Corpus, name: str) -> Groups:
        """Return a field of every record as groups, in input order."""
        codes, names = field_groups(corpus, name.removeprefix("field:"), NULL_GROUP)
        return Groups(codes, names)

    def labels(self, corpus: Corpus, name: str) -> Labels:
        """Return the label sets in a field of every record, in input order."""
        key = column_key(corpus, self.signals[_labels(name)])
        parts = [corpus.batch(fragment, key).column(0) for fragment in corpus.fragments]
        return Labels.of(pa.chunked_array(parts, pa.large_list(pa.large_string())))

    def types(self, corpus: Corpus, names: Iterable[str]) -> dict[str, pa.DataType | None]:
        """Return the type of each field over the whole pool; None for signals."""
        return {n: None if n in self.signals else field_type(corpus, n.removeprefix("field:")) for n in names}

    def batch(self, corpus: Corpus, fragment: Fragment, types: dict[str, pa.DataType | None]) -> dict[str, pa.Array]:
        """Return the named columns of one fragment, typed as `types` says."""
        columns = {}
        for name, kind in types.items():
            if kind is None:
                columns[name] = corpus.batch(fragment, column_key(corpus, self.signals[name])).column(0)
            else:
                columns[name] = typed_field(corpus.field_batch(fragment, name.removeprefix("field:")), kind)
        return columns


def _labels(name: str) -> str:
    """Return the name of a field's label sets among the signals."""
    return f"labels:{name.removeprefix('field:')}"
