"""`--where`: an SQL condition over top-level scalar fields and signals; null is false.

DuckDB evaluates it, in memory and with no access to anything outside: no file, no network, no
extension, no subquery. The condition sees one row at a time, so it does not matter how rows
are cut into fragments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import OptionError

__all__ = ["Where", "evaluate", "parse_where"]

_CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
}


#: Functions whose value is not decided by the row.
_CHANGING = frozenset(
    {"random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"}
    | {"now", "today", "current_date", "current_time", "current_timestamp", "transaction_timestamp"}
    | {"get_current_time", "get_current_timestamp", "nextval", "currval", "getenv"}
)


def _duckdb() -> Any:
    """Import DuckDB where a condition is given: other runs need not wait for it."""
    import duckdb

    return duckdb


@dataclass(frozen=True, slots=True)
class Where:
    """A checked condition and the columns it names."""

    text: str
    names: tuple[str, ...]


def parse_where(text: str) -> Where:
    """Check a condition and return it with the names of the columns it uses.

    Raises
    ------
    OptionError
        If it is not one SQL expression over columns.
    """
    with _duckdb().connect(":memory:", config=_CLOSED) as connection:
        found = connection.execute("select json_serialize_sql(?)", [f"select ({text}\n)"]).fetchone()
    tree: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
    if tree.get("error"):
        raise OptionError(
            "--where expects an SQL condition such as \"lang = 'de' and tokens < 2000\", "
            f"got {text!r}: {tree.get('error_message')}."
        )
    statements = tree["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    names: list[str] = []
    if (
        node.get("type") != "SELECT_NODE"
        or len(node.get("select_list", ())) != 1
        or not _walk(node["select_list"], names)
    ):
        raise OptionError(f"--where expects one SQL condition over columns, without subqueries, got {text!r}.")
    if not names:
        raise OptionError(f"--where expects a condition on at least one field or signal, got {text!r}.")
    return Where(text, tuple(dict.fromkeys(names)))


def _walk(tree: Any, names: list[str]) -> bool:
    """Collect the column names of a syntax tree; False if it holds more than a row's expression."""
    if isinstance(tree, list):
        return all(_walk(part, names) for part in tree)
    if not isinstance(tree, dict):
        return True
    if tree.get("class") in ("SUBQUERY", "WINDOW", "STAR"):
        return False
    if tree.get("class") == "FUNCTION" and tree.get("function_name") in _CHANGING:
        raise OptionError(f"--where must give the same answer every time: {tree['function_name']}() does not.")
    if tree.get("class") == "COLUMN_REF":
        parts = tree["column_names"]
        if len(parts) != 1:
            raise OptionError(
                f"--where reads top-level fields and signals only, got '{'.'.join(parts)}'. "
                f'Quote a name with a dot: "{".".join(parts)}".'
            )
        names.append(parts[0])
    return all(_walk(part, names) for part in tree.values())


def evaluate(where: Where, columns: Mapping[str, pa.Array]) -> NDArray[np.bool_]:
    """Return which rows the condition holds for; null is false.

    Raises
    ------
    OptionError
        If the condition does not fit the columns' types or is not a truth value.
    """
    table = pa.table(dict(columns))
    if not table.num_rows:
        return np.empty(0, bool)
    duckdb = _duckdb()
    with duckdb.connect(":memory:", config=_CLOSED) as connection:
        connection.register("pool", table)
        types = ", ".join(
            f"{name} {column.type}" for name, column in zip(table.column_names, table.columns, strict=True)
        )
        try:
            kind = connection.execute(f"select typeof(({where.text}\n)) from pool limit 1").fetchone()
            if kind is None or kind[0] not in ("BOOLEAN", '"NULL"'):
                raise OptionError(
                    f"--where expects a condition that is true or false, got {where.text!r} "
                    f"of type {kind[0] if kind else '?'}. Columns: {types}."
                )
            held = connection.execute(f"select coalesce(({where.text}\n), false) as held from pool").fetchnumpy()[
                "held"
            ]
        except duckdb.Error as error:
            raise OptionError(
                f"--where {where.text!r} does not fit the columns ({types}): {str(error).splitlines()[0]}."
            ) from error
    if len(held) != table.num_rows:
        raise OptionError(f"--where expects a condition on one record at a time, got the aggregate {where.text!r}.")
    return np.asarray(held, bool)
