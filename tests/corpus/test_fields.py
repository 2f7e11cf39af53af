"""Fields as columns: one type over the whole pool, whatever single fragments hold."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tamis.corpus.corpus import Corpus
from tamis.corpus.fields import field_groups, field_numbers, field_type, typed_fields
from tamis.corpus.sources import expand
from tamis.corpus.store import Store
from tamis.engine import Local
from tamis.errors import OptionError


@contextlib.contextmanager
def corpus_of(values: list[Any], size: int | None = None) -> Iterator[Corpus]:
    """A scanned corpus whose records hold `values` in the field `v` (... for absent)."""
    lines = []
    for i, value in enumerate(values):
        text = value if isinstance(value, bytes) else json.dumps(value).encode() if value is not ... else None
        lines.append(b'{"text":"r%d"%s}' % (i, b"" if text is None else b',"v":' + text))
    Path("pool.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    store = Store(Path("store"))
    try:
        corpus = Corpus(expand(["pool.jsonl"], store)[0], store, engine=Local(2), fragment_bytes=size)
        corpus.scan(fields=["v"])
        yield corpus
    finally:
        store.close()


@pytest.mark.parametrize("size", [None, 20, 60])
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], pa.bool_()),
        ([1, None, -5, ...], pa.int64()),
        ([2**63 - 1, -(2**63)], pa.int64()),
        ([1, 2**63], pa.float64()),
        ([1, 2.5], pa.float64()),
        ([b"1e2", b"1E400", b"-0.0"], pa.float64()),
        ([1, "1"], pa.large_string()),
        ([True, 1], pa.large_string()),
        (["", None], pa.large_string()),
    ],
)
def test_narrowest_type_that_holds_all(values: list[Any], kind: pa.DataType, size: int | None) -> None:
    with corpus_of(values, size) as corpus:
        assert field_type(corpus, "v") == kind
        columns = [columns["v"] for _, columns in typed_fields(corpus, ["v"])]
        assert {column.type for column in columns} == {kind}
        found = [value for column in columns for value in column.to_pylist()]
    for value, got in zip(values, found, strict=True):
        if value in (None, ...):
            assert got is None
        elif kind == pa.large_string():
            assert got == (value if isinstance(value, str) else json.dumps(value))
        else:
            assert got == (float(value) if isinstance(value, bytes) else value)


@pytest.mark.parametrize("size", [None, 20])
def test_numbers(size: int | None) -> None:
    """Whole numbers stay so without nulls; a null is NaN; truth values are 1 and 0; texts are an error."""
    with corpus_of([3, -1, b"-0"], size) as corpus:
        found = field_numbers(corpus, "v")
        assert found.tolist() == [3, -1, 0]
        assert found.dtype == np.int64
    with corpus_of([3, None, ...], size) as corpus:
        found = field_numbers(corpus, "v")
        assert found[0] == 3
        assert np.isnan(found[1:]).all()
    with corpus_of([True, False], size) as corpus:
        assert field_numbers(corpus, "v").tolist() == [1, 0]
    with corpus_of([b"1e400", b"-1e400", 0.5], size) as corpus:
        assert field_numbers(corpus, "v").tolist() == [math.inf, -math.inf, 0.5]
    with corpus_of([1, "x"], size) as corpus, pytest.raises(OptionError, match=r"expected numbers .* got texts"):
        field_numbers(corpus, "v")


@pytest.mark.parametrize("size", [None, 20])
def test_groups(size: int | None) -> None:
    """Texts, numbers and truth values by their JSON text; null and absent under the name given; names sorted."""
    with corpus_of(["b", None, 1, "1", 1.0, True, ..., "é", "b", ""], size) as corpus:
        codes, names = field_groups(corpus, "v", "none")
    assert names == ("", "1", "1.0", "b", "none", "true", "é")
    assert [names[code] for code in codes] == ["b", "none", "1", "1", "1.0", "true", "none", "é", "b", ""]


@pytest.mark.parametrize("size", [None, 20])
def test_what_is_no_column(size: int | None) -> None:
    """Arrays and objects cannot be compared: the error says where the first is. A field that nobody has."""
    with (
        corpus_of([1, 2, {"a": 1}, [1]], size) as corpus,
        pytest.raises(OptionError, match=r"field 'v': expected a text, number or truth value .* in pool.jsonl, line 3"),
    ):
        field_type(corpus, "v")
    with (
        corpus_of([None, ...], size) as corpus,
        pytest.raises(OptionError, match="no record has a value in the field 'v'"),
    ):
        field_groups(corpus, "v", "null")
