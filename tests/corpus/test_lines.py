"""Files of lines are cut so that every line is in exactly one fragment, whole, whatever the size."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.corpus.lines import LineFile, LineStream, WholeFile, lines_starting_in, open_stream
from tamis.corpus.readers import ArrayStream


class Buffer:
    """Stands for a chunk: the bytes it was made of, and whether it is the first."""

    def __init__(self, data: NDArray[np.uint8], first: bool) -> None:
        self.data, self.first = data.tobytes(), first


def make(data: NDArray[np.uint8], first: bool) -> Any:
    return Buffer(data, first)


LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=20)


@given(LINES, st.booleans(), st.integers(1, 40))
def test_byte_ranges(lines: list[bytes], ended: bool, size: int) -> None:
    """Together the fragments are the file; each begins at a line, and ends at one or at the file's end."""
    data = b"\n".join(lines) + b"\n" * ended
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        tasks = list(LineFile(path, make, size).tasks())
        found = [task.load() for task in reversed(tasks)][::-1]
    parts = [chunk.data for chunk in found]
    assert b"".join(parts) == data
    assert [task.index for task in tasks] == list(range(-(-len(data) // size)))
    filled = [part for part in parts if part]
    assert all(part.endswith(b"\n") for part in filled[:-1])
    assert [chunk.first for chunk in found] == [i == 0 for i in range(len(found))]
    starts = np.cumsum([0, *map(len, parts)])
    for index, part in enumerate(parts):  # a line belongs to the range that it starts in
        inside = [starts[index] + i + 1 for i, byte in enumerate(part[:-1]) if byte == 10]
        assert all(index * size <= start < (index + 1) * size for start in ([starts[index]] if part else []) + inside)


def test_line_far_longer_than_a_range() -> None:
    """Its first range holds it whole; the ranges inside it are empty."""
    data = b"a\n" + b"x" * 300_000 + b"\nb\n"
    Path("file").write_bytes(data)
    parts = [
        lines_starting_in(Path("file"), s, min(s + 1000, len(data)), len(data)).tobytes()
        for s in range(0, len(data), 1000)
    ]
    assert parts[0] == data[:-2]
    assert set(parts[1:-1]) == {b""}
    assert parts[-1] == b"b\n"


@pytest.mark.parametrize("size", [1, 7, 64, None])
def test_streams_are_cut_at_line_ends(size: int | None) -> None:
    data = b"".join(b"line %d\n" % i for i in range(50)) + b"last"
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "gzip") as stream:
        stream.write(data)
    Path("file.gz").write_bytes(sink.getvalue().to_pybytes())
    reader = LineStream(Path("file.gz"), "gzip", make, size)
    for _ in range(2):  # any number of times
        parts = [task.load().data for task in reader.tasks()]
        assert b"".join(parts) == data
        assert all(part.endswith(b"\n") for part in parts[:-1])
        assert reader.damage is None


def test_damage_is_told_after_what_was_read() -> None:
    """What was decompressed before a cut is handed over; reading a whole file again clears the sentence."""
    data = b"".join(b"line %d %s\n" % (i, bytes(str(hash(i) * 2654435761 % 2**32), "ascii")) for i in range(2000))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "gzip") as stream:
        stream.write(data)
    whole = sink.getvalue().to_pybytes()
    path = Path("file.gz")
    path.write_bytes(whole[:-5])
    reader = LineStream(path, "gzip", make)
    assert b"".join(task.load().data for task in reader.tasks()) == data
    assert reader.damage is not None
    assert f"file.gz: the gzip stream is cut or damaged after {len(data):,} decompressed bytes" in reader.damage
    path.write_bytes(whole)
    assert len(list(reader.tasks())) == 1
    assert reader.damage is None


def test_whole_file_is_one_record() -> None:
    Path("file").write_bytes(b"a\n\nb")
    (task,) = WholeFile(Path("file"), None, make).tasks()
    assert task.load().data == b"a\n\nb"


@given(
    st.lists(st.sampled_from(['{"a": "]}"}', "[1, 2]", '"x,\\""', "7", '{"b":\n{}}']), max_size=8), st.integers(1, 30)
)
def test_arrays_are_cut_between_elements(elements: list[str], size: int) -> None:
    """Each element once, in order, numbered over fragments, whatever the blocks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.json")
        path.write_text("[" + " ,\n".join(elements) + "]\n")
        reader = ArrayStream(path, None, size)
        chunks = [task.load() for task in reader.tasks()]
        assert reader.damage is None
        path.write_text("[" + ",".join(elements) + ("," if elements else "") + '{"cut": ')
        list(reader.tasks())
        assert reader.damage is not None
        assert (
            f"{len(elements)} whole elements" in reader.damage.replace(",", "")
            or f"element {len(elements) + 1}" in reader.damage
        )
    raw = [chunk.raw(row).decode() for chunk in chunks for row in range(chunk.n)]
    assert raw == elements
    assert [line for chunk in chunks for line in chunk.line] == [i + 1 for chunk in chunks for i in range(chunk.n)]
    assert sum(chunk.lines for chunk in chunks) == len(elements)


def test_open_stream_of_nothing_known_is_the_stream() -> None:
    Path("file").write_bytes(b"abc")
    with Path("file").open("rb") as raw:
        assert open_stream(raw, None).read() == b"abc"
