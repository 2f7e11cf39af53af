"""The texts of table rows, as their shape says: templates over columns, chats over lists of turns.

The rules are those of JSON records, so a row renders to the bytes its JSON line renders to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Kind, Reject, Text
from tamis.corpus.shapes import Chat, Shape, Template
from tamis.corpus.table_values import is_list, kind_of, plain, spans_of, texts, valid
from tamis.kernels.json_text import is_blank
from tamis.kernels.vector import address

__all__ = ["Marks", "column", "render"]


@dataclass(frozen=True, slots=True)
class Marks:
    """`status` and `detail` of `n` records while they are being parsed, changed in place."""

    status: NDArray[np.uint8]
    detail: NDArray[np.int32]

    def reject(self, rows: NDArray[np.bool_], code: Reject, detail: int = -1) -> None:
        """Set aside the given records (a mask of `n`) that no earlier reason has set aside."""
        rows = rows & (self.status == Reject.OK)
        self.status[rows] = code
        self.detail[rows] = detail


def column(table: pa.Table, name: str) -> pa.Array | None:
    """Return a column as a plain array (of several with the name, the last), or None."""
    found = table.schema.get_all_field_indices(name)
    return plain(table.column(found[-1])) if found else None


def render(table: pa.Table, shape: Shape, names: tuple[str, ...], marks: Marks) -> Text:
    """Return the texts of `n` rows; `marks` receives why rows have none, pointing into `names`."""
    text = _texts(table, shape, names, marks)
    blank = _blanks(text.data, text.offsets) & (marks.status == Reject.OK)
    marks.reject(blank, Reject.EMPTY)
    rejected = marks.status != Reject.OK
    if not (np.diff(text.offsets)[rejected] > 0).any():
        return text
    return Text.of(pc.if_else(pa.array(~rejected), text.array(), pa.scalar("", pa.large_string())))


def _texts(table: pa.Table, shape: Shape, names: tuple[str, ...], marks: Marks) -> Text:
    if isinstance(shape, Chat):
        return _chat(table, shape, names, marks)
    return _template(table, shape, names, marks)


def _template(table: pa.Table, shape: Template, names: tuple[str, ...], marks: Marks) -> Text:
    n = table.num_rows
    empty = pa.scalar("", pa.large_string())
    parts: list[pa.Array | pa.Scalar] = []
    for part in shape.parts:
        literal = pa.scalar(part.literal, pa.large_string())
        if part.field is None:
            parts.append(empty if part.optional else literal)
            continue
        values = column(table, part.field)
        where = names.index(part.field)
        if values is None:
            if part.optional:
                continue
            marks.reject(np.ones(n, np.bool_), Reject.MISSING_FIELD, where)
            return Text.of(pa.repeat(empty, n))
        if kind_of(values.type) == Kind.NESTED:
            marks.reject(valid(values), Reject.WRONG_TYPE, where)
        shown = texts(values).cast(pa.large_string())
        if part.literal and part.optional:
            joined = pc.binary_join_element_wise(literal, shown, empty)
            shown = pc.if_else(pc.equal(pc.binary_length(shown), 0), empty, joined)
        elif part.literal:
            parts.append(literal)
        parts.append(shown)
    arrays = [part for part in parts if isinstance(part, pa.Array)]
    if len(parts) == 1 and arrays:
        return Text.of(arrays[0])
    if not arrays:
        return Text.of(pa.repeat(pa.scalar("".join(part.as_py() for part in parts), pa.large_string()), n))
    # The last argument is the separator.
    return Text.of(pc.binary_join_element_wise(*parts, empty, null_handling="replace", null_replacement=""))


def _chat(table: pa.Table, shape: Chat, names: tuple[str, ...], marks: Marks) -> Text:
    n = table.num_rows
    system = _nothing(n)
    if shape.system is not None and (first := column(table, shape.system)) is not None:
        if kind_of(first.type) == Kind.NESTED:
            marks.reject(valid(first), Reject.WRONG_TYPE, names.index(shape.system))
        system = Text.of(texts(first))
    turns = column(table, shape.turns)
    if turns is None:
        marks.reject(np.ones(n, np.bool_), Reject.MISSING_FIELD, names.index(shape.turns))
        return _nothing(n)
    marks.reject(~valid(turns), Reject.EMPTY)
    if not is_list(turns.type):
        marks.reject(np.ones(n, np.bool_), Reject.WRONG_TYPE, names.index(shape.turns))
        return _nothing(n)
    offsets, elements = spans_of(turns)
    elements = plain(elements)
    faults = Marks(np.zeros(len(elements), np.uint8), np.full(len(elements), -1, np.int32))
    no_turn = ~valid(elements) if pa.types.is_struct(elements.type) else np.ones(len(elements), np.bool_)
    faults.reject(no_turn, Reject.WRONG_TYPE, names.index(shape.turns))
    role = _role(_member(elements, shape.role), faults, names.index(shape.role))
    content = _content(_member(elements, shape.content), len(elements), faults, names.index(shape.content))
    _blame(offsets, faults.status, faults.detail, marks.status, marks.detail)
    parts = (role.data, role.offsets, content.data, content.offsets, system.data, system.offsets)
    return Text(*_write_chat(marks.status, offsets, *parts))


def _nothing(n: int) -> Text:
    return Text(np.empty(0, np.uint8), np.zeros(n + 1, np.int64))


def _member(structs: pa.Array, name: str) -> pa.Array | None:
    """Return a member of every struct (of equal names the last), or None where there is none."""
    kind = structs.type
    found = kind.get_all_field_indices(name) if pa.types.is_struct(kind) else []
    return plain(structs.flatten()[found[-1]]) if found else None


def _role(values: pa.Array | None, faults: Marks, where: int) -> Text:
    n = len(faults.status)
    if values is None:
        faults.reject(np.ones(n, np.bool_), Reject.MISSING_FIELD, where)
        return _nothing(n)
    if kind_of(values.type) not in (Kind.STRING, Kind.NULL):
        faults.reject(valid(values), Reject.WRONG_TYPE, where)
        return _nothing(n)
    return Text.of(texts(values))


def _content(values: pa.Array | None, n: int, faults: Marks, where: int) -> Text:
    """Return what the `n` turns say: strings, or lists of parts of which some are text."""
    if values is None or pa.types.is_null(values.type):
        return _nothing(n)
    if kind_of(values.type) == Kind.STRING:
        return Text.of(texts(values))
    if not is_list(values.type):
        faults.reject(valid(values), Reject.WRONG_TYPE, where)
        return _nothing(n)
    offsets, parts = spans_of(values)
    said, wrong = _parts(plain(parts))
    count = np.concatenate([np.zeros(1, np.int64), np.cumsum(wrong)])
    faults.reject(count[offsets[1:]] > count[offsets[:-1]], Reject.WRONG_TYPE, where)
    return Text(said.data, said.offsets[offsets])


def _parts(parts: pa.Array) -> tuple[Text, NDArray[np.bool_]]:
    """Return what parts of a content say, and which are of a wrong type.

    A part is a string, or a struct; one of type text, or without that member, has its text
    under `text`; one of another type (an image) says nothing.
    """
    n = len(parts)
    if pa.types.is_struct(parts.type):
        textual = valid(parts)
        if (kind := _member(parts, "type")) is not None:
            named = kind_of(kind.type) == Kind.STRING
            is_text = pc.equal(texts(kind), "text").fill_null(False) if named else pa.repeat(False, n)
            textual = textual & is_text.to_numpy(zero_copy_only=False)
        values = _member(parts, "text")
        if values is None:
            return _nothing(n), textual
    else:
        values, textual = parts, np.ones(n, np.bool_)
    if kind_of(values.type) not in (Kind.STRING, Kind.NULL):
        return _nothing(n), textual & valid(values)
    return Text.of(pc.if_else(pa.array(textual), texts(values), "")), np.zeros(n, np.bool_)


@njit(nogil=True, cache=True)
def _blame(
    offsets: NDArray[np.int64],
    code: NDArray[np.uint8],
    blame: NDArray[np.int32],
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
) -> None:
    """Give each record the fault of its first faulty turn."""
    for i in range(len(status)):
        if status[i] == 0:
            for j in range(offsets[i], offsets[i + 1]):
                if code[j] != 0:
                    status[i] = code[j]
                    detail[i] = blame[j]
                    break


_EMPTY = int(Reject.EMPTY)
_SYSTEM = np.frombuffer(b"system", np.uint8).copy()


@njit(nogil=True, cache=True)
def _write_chat(
    status: NDArray[np.uint8],
    turns: NDArray[np.int64],
    role: NDArray[np.uint8],
    role_at: NDArray[np.int64],
    content: NDArray[np.uint8],
    content_at: NDArray[np.int64],
    system: NDArray[np.uint8],
    system_at: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Write `role: content` lines for the turns of each record, a system turn first where there is one.

    A record whose turns say nothing is marked EMPTY.
    """
    said = address(content)
    n = len(status)
    bound = 9 * n + 3 * len(role_at) + (role_at[-1] - role_at[0]) + (content_at[-1] - content_at[0])
    out = np.empty(bound + system_at[-1] - system_at[0], np.uint8)
    offsets = np.zeros(n + 1, np.int64)
    w = 0
    for i in range(n):
        first = w
        if status[i] == 0:
            any_text = False
            if system_at[i + 1] > system_at[i]:
                w = _line(_SYSTEM, 0, 6, system, system_at[i], system_at[i + 1], out, w)
            for j in range(turns[i], turns[i + 1]):
                if w > first:
                    out[w] = 10
                    w += 1
                w = _line(role, role_at[j], role_at[j + 1], content, content_at[j], content_at[j + 1], out, w)
                any_text = any_text or not is_blank(said + content_at[j], said + content_at[j + 1])
            if not any_text:
                status[i] = _EMPTY
                w = first
        offsets[i + 1] = w
    return out[:w], offsets


@njit(nogil=True, cache=True)
def _line(
    role: NDArray[np.uint8],
    a: int,
    b: int,
    content: NDArray[np.uint8],
    c: int,
    d: int,
    out: NDArray[np.uint8],
    w: int,
) -> int:
    """Write one turn at `w` and return the end."""
    out[w : w + b - a] = role[a:b]
    w += b - a
    out[w] = 58  # colon
    out[w + 1] = 32
    w += 2
    out[w : w + d - c] = content[c:d]
    return w + d - c


@njit(nogil=True, cache=True)
def _blanks(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `n` texts are empty or nothing but white space."""
    n = len(offsets) - 1
    base = address(data)
    out = np.empty(n, np.bool_)
    for i in range(n):
        out[i] = is_blank(base + offsets[i], base + offsets[i + 1])
    return out
