"""Records from one form into another: JSON lines and tables, several schemas, annotations.

JSON lines to tables: `SchemaBuilder` over all records, then `lines_to_table`; what becomes of
which type is told in `tamis.corpus.json_types`. Tables to JSON lines: `tamis.corpus.table_values`.
Tables of several files are brought under one schema by `common_schema` and `conform`:

    types of one column in two tables                 in both
    equal                                             as they are, field metadata of the first
    null and another                                  the other
    dictionary and its values' type                   the values' type
    whole numbers, floats, decimals, moments          the wider type (an error where it does not hold a value)
    string and large string, binary and large         large
    lists and structs                                 element by element, member by member
    anything else                                     raw JSON: a string column marked `tamis: json`

Columns keep the order in which they first appear. Schema metadata (pandas, `datasets`) is kept
where all tables agree on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import orjson
import pyarrow as pa

from tamis.corpus.json_types import SchemaBuilder, exact, is_raw_json, lines_to_table, raw_field
from tamis.corpus.table_values import json_values
from tamis.errors import InputError

__all__ = [
    "ANNOTATION",
    "SchemaBuilder",
    "annotate_lines",
    "annotate_table",
    "common_schema",
    "conform",
    "lines_to_table",
]

#: The member, or column, that annotations go to.
ANNOTATION = "tamis"
_ESCAPED = re.compile(rb'"(?:t|\\u0074)(?:a|\\u0061)(?:m|\\u006[dD])(?:i|\\u0069)(?:s|\\u0073)"')


def common_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return one schema that tables of all `schemas` can be brought under with `conform`."""
    first = schemas[0]
    if all(schema.equals(first, check_metadata=True) for schema in schemas[1:]):
        return first
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.get(field.name)
            fields[field.name] = field if known is None else _common_field(known, field)
    agreed = all(schema.metadata == first.metadata for schema in schemas[1:])
    return pa.schema(list(fields.values()), metadata=first.metadata if agreed else None)


def _common_field(one: pa.Field, other: pa.Field) -> pa.Field:
    if one.type.equals(other.type) and is_raw_json(one) == is_raw_json(other):
        return one
    if pa.types.is_null(one.type) or pa.types.is_null(other.type):
        return other if pa.types.is_null(one.type) else one
    if is_raw_json(one) or is_raw_json(other):
        return raw_field(one.name)
    kinds = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in (one, other)]
    try:
        pair = [pa.schema([pa.field(one.name, kind)]) for kind in kinds]
        return pa.unify_schemas(pair, promote_options="permissive").field(0)
    except pa.ArrowException:
        return raw_field(one.name)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table under a schema that `common_schema` made; columns it lacks are null.

    Raises
    ------
    InputError
        If a value does not fit the wider type, as a whole number beyond 2**53 in float64.
    """
    if table.schema.equals(schema) and [*map(is_raw_json, table.schema)] == [*map(is_raw_json, schema)]:
        return pa.Table.from_arrays(table.columns, schema=schema)
    columns = []
    for field in schema:
        found = table.schema.get_all_field_indices(field.name)
        if not found:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column, own = table.column(found[-1]), table.schema.field(found[-1])
        if is_raw_json(field) and not is_raw_json(own):
            shown = [None if value is None else orjson.dumps(value).decode() for value in json_values(column)]
            column = pa.array(shown, pa.string())
        elif not own.type.equals(field.type):
            try:
                column = column.cast(field.type)
            except pa.ArrowException as error:
                raise InputError(
                    f"column '{field.name}': expected values that fit {field.type}, the type for all "
                    f"files ({error}). Write JSONL instead, or give the files one type."
                ) from error
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def annotate_lines(lines: Sequence[bytes], extra: Sequence[bytes]) -> list[bytes]:
    """Return JSON objects with a last member `tamis`, all other bytes as they are.

    Parameters
    ----------
    lines : sequence of bytes, n
        JSON objects of one line each.
    extra : sequence of bytes, n
        The JSON value of each annotation.

    A record that has a top-level member `tamis` is written anew without it (values and numbers
    as they were, spaces and repeated members gone).
    """
    return [_annotated(line, more) for line, more in zip(lines, extra, strict=True)]


def _annotated(line: bytes, more: bytes) -> bytes:
    if b'"tamis"' in line or (b"\\u00" in line and _ESCAPED.search(line)):
        record = exact(line)
        if ANNOTATION in record:
            del record[ANNOTATION]
            try:
                line = orjson.dumps(record)
            except TypeError:  # a string that is no Unicode text: keep its escapes
                plain = json.loads(line)
                del plain[ANNOTATION]
                line = json.dumps(plain).encode()
    end = line.rindex(b"}")
    comma = b"" if line[:end].rstrip().endswith(b"{") else b", "
    return b"".join((line[:end], comma, b'"tamis": ', more, line[end:]))


def annotate_table(table: pa.Table, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return a table of `n` rows with a last column `tamis`, replacing one of that name.

    The `datasets` metadata goes, as it lists the columns that there were.
    """
    while ANNOTATION in table.column_names:
        table = table.remove_column(table.column_names.index(ANNOTATION))
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"huggingface"}
    return table.append_column(ANNOTATION, column).replace_schema_metadata(metadata or None)
