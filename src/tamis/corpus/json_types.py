"""JSON lines as an Arrow table: one type a field, found over all records before any is written.

    values of a field, over all records            column
    none, or null only                             null
    truth values                                   bool
    whole numbers                                  int64, else uint64, else raw JSON
    numbers, some with a fraction                  float64; raw JSON if a whole one is beyond 2**53
    strings                                        string; raw JSON if one is not Unicode text
    arrays                                         list of the elements' type
    objects                                        struct of the union of the members
    two of these rows, an empty object only,       raw JSON
    more than 32 levels, more than 1,000 members

A raw JSON column holds each value as JSON text (numbers as they were written) and is marked by
the field metadata `tamis: json`; one element that clashes makes its whole top-level field raw.
Null and absent members both read as null; of duplicate keys the last counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pyarrow as pa

from tamis.errors import InputError

__all__ = ["RAW_JSON", "SchemaBuilder", "exact", "is_raw_json", "lines_to_table", "raw_field"]

#: Field metadata of a column of JSON texts.
RAW_JSON = {b"tamis": b"json"}
_LEVELS = 32
_MEMBERS = 1000
_BOOL, _INT, _FLOAT, _STRING, _OBJECT, _ARRAY, _OTHER = 1, 2, 4, 8, 16, 32, 64
_EXACT = 2**53
_BIG = 2.0**63


class _Careful(Exception):  # noqa: N818 (a signal, not an error)
    """A number may be a whole one that the fast parser has rounded."""


class _Seen:
    """What values one place in the records has held."""

    __slots__ = ("high", "item", "kinds", "low", "members")

    def __init__(self) -> None:
        self.kinds = self.low = self.high = 0
        self.members: dict[str, _Seen] = {}
        self.item: _Seen | None = None

    def add(self, value: Any, level: int, careful: bool) -> None:
        """Take in one value."""
        kind = type(value)
        if value is None:
            return
        if kind is str:
            self.kinds |= _STRING if not careful or _is_text(value) else _OTHER
        elif kind is bool:
            self.kinds |= _BOOL
        elif kind is int:
            self.kinds |= _INT
            self.low, self.high = min(self.low, value), max(self.high, value)
        elif kind is float:
            if not careful and not -_BIG < value < _BIG:
                raise _Careful
            self.kinds |= _FLOAT
        elif level >= _LEVELS:
            self.kinds |= _OTHER
        elif kind is dict:
            self.kinds |= _OBJECT
            for name, member in value.items():
                self.member(name).add(member, level + 1, careful)
        else:
            self.kinds |= _ARRAY
            item = self.item = self.item or _Seen()
            for element in value:
                item.add(element, level + 1, careful)

    def member(self, name: str) -> _Seen:
        """Return what the member of that name has held."""
        found = self.members.get(name)
        if found is None:
            found = self.members[name] = _Seen()
        return found

    def merge(self, other: _Seen) -> None:
        """Take in what another place has held, after one's own."""
        self.kinds |= other.kinds
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for name, member in other.members.items():
            self.member(name).merge(member)
        if other.item is not None:
            self.item = self.item or _Seen()
            self.item.merge(other.item)

    def type(self) -> pa.DataType | None:
        """Return the Arrow type that holds all values, or None."""
        if self.kinds in _SIMPLE:
            return _SIMPLE[self.kinds]
        if self.kinds == _INT:
            if self.low >= -(2**63) and self.high < 2**63:
                return pa.int64()
            return pa.uint64() if self.low >= 0 and self.high < 2**64 else None
        if self.kinds == _INT | _FLOAT:
            return pa.float64() if self.low >= -_EXACT and self.high <= _EXACT else None
        if self.kinds == _ARRAY:
            item = self.item.type() if self.item is not None else pa.null()
            return None if item is None else pa.list_(item)
        if self.kinds == _OBJECT and 0 < len(self.members) <= _MEMBERS:
            fields = [(name, member.type()) for name, member in self.members.items()]
            return None if any(kind is None or not _is_text(n) for n, kind in fields) else pa.struct(fields)
        return None


_SIMPLE = {0: pa.null(), _BOOL: pa.bool_(), _FLOAT: pa.float64(), _STRING: pa.string()}


class SchemaBuilder:
    """Finds the schema of JSON lines, streamed; builders of parts are merged in order."""

    def __init__(self) -> None:
        self._record = _Seen()

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in records: JSON objects of one line each."""
        for line in lines:
            try:
                self._add(_loads(line), careful=False)
            except (_Careful, orjson.JSONDecodeError):
                self._add(_loads_exactly(line), careful=True)

    def merge(self, other: SchemaBuilder) -> None:
        """Take in what another builder has seen, as if its records came after."""
        self._record.merge(other._record)

    def schema(self) -> pa.Schema:
        """Return the schema: fields in the order in which they first appeared."""
        fields = []
        for name, seen in self._record.members.items():
            kind = seen.type()
            fields.append(raw_field(_shown(name)) if kind is None else pa.field(_shown(name), kind))
        return pa.schema(fields)

    def _add(self, record: dict[str, Any], *, careful: bool) -> None:
        for name, value in record.items():
            self._record.member(name).add(value, 1, careful)


def raw_field(name: str) -> pa.Field:
    """Return a field of JSON texts."""
    return pa.field(name, pa.string(), metadata=RAW_JSON)


def is_raw_json(field: pa.Field) -> bool:
    """Tell whether a field holds JSON texts that tamis wrote."""
    return bool(field.metadata) and field.metadata.get(b"tamis") == b"json"


def lines_to_table(lines: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    """Return JSON objects of one line each as a table of a schema that fits them.

    Raises
    ------
    InputError
        If a value does not fit its column: `schema` was not found over these records.
    """
    records: list[dict[str, Any]] = []
    for line in lines:
        try:
            records.append(_loads(line))
        except orjson.JSONDecodeError:
            records.append({_shown(name): value for name, value in _loads_exactly(line).items()})
    raw = [(line, exact(line)) for line in lines] if any(map(is_raw_json, schema)) else []
    columns = []
    for field in schema:
        if is_raw_json(field):
            columns.append(pa.array([_raw_text(*pair, field.name) for pair in raw], pa.string()))
            continue
        try:
            columns.append(pa.array([record.get(field.name) for record in records], field.type))
        except (pa.ArrowException, OverflowError, TypeError) as error:
            raise InputError(
                f"field '{field.name}': expected {field.type} in every record ({error}). Write JSONL instead."
            ) from error
    if not columns:
        return pa.table({}).slice(0, 0)
    return pa.Table.from_arrays(columns, schema=schema)


def exact(line: bytes) -> dict[str, Any]:
    """Return a record whose numbers are fragments: orjson writes them as they were written."""
    keep = orjson.Fragment
    try:
        found: dict[str, Any] = json.loads(line, parse_int=keep, parse_float=keep, parse_constant=keep)
    except RecursionError as error:
        raise _too_deep(line) from error
    return found


def _raw_text(line: bytes, record: dict[str, Any], name: str) -> str | None:
    value = _member(record, name)
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a string that is no Unicode text: keep its escapes, numbers by value
        return json.dumps(_member(_loads_exactly(line), name))


def _member(record: dict[str, Any], name: str) -> Any:
    if name not in record:
        record = {_shown(key): value for key, value in record.items()}
    return record.get(name)


def _loads(line: bytes) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(line)
    return record


def _loads_exactly(line: bytes) -> dict[str, Any]:
    """Parse what orjson rejects or rounds: big whole numbers, NaN, lone surrogates, deep nesting."""
    try:
        record: dict[str, Any] = json.loads(line)
    except RecursionError as error:
        raise _too_deep(line) from error
    return record


def _too_deep(line: bytes) -> InputError:
    start = line[:60].decode("utf-8", "replace")
    return InputError(
        f"expected JSON that Python can nest, got deeper levels in the record {start}... Write JSONL instead."
    )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """Return a member's name as a column's: lone surrogates as escapes."""
    return name if _is_text(name) else name.encode("utf-8", "backslashreplace").decode()
