"""What a file is by content, and what records are called."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus import identity
from tamis.corpus.formats import Detected
from tamis.corpus.identity import Ids, content_hash, file_hash, number_copies
from tamis.corpus.rows import RowTable
from tamis.corpus.sources import Source
from tamis.corpus.store import Store
from tamis.engine import Local
from tamis.errors import InputError


def rows_of(keys: list[tuple[int, int]], ids: list[str] | None = None, status: list[int] | None = None) -> RowTable:
    n = len(keys)
    return RowTable(
        status=np.array(status or [0] * n, np.uint8),
        detail=np.zeros(n, np.int32),
        source=np.zeros(n, np.int32),
        line=np.arange(1, n + 1),
        key=np.array(keys, np.uint64).reshape(n, 2),
        ids=None if ids is None else pa.chunked_array([pa.array(ids, pa.large_string())]),
        names=(),
        lines=n,
        cut=False,
    )


def test_ids_by_hand() -> None:
    """Two words as hexadecimal digits, the high one first; copies numbered as they come."""
    rows = rows_of([(1, 255), (0, 16), (1, 255), (2**64 - 1, 0), (1, 255)])
    ids = Ids(rows, ["f"])
    one = "0" * 15 + "1" + "0" * 14 + "ff"
    assert ids.strings(np.arange(5)).to_pylist() == [one, "0" * 30 + "10", one + "-2", "f" * 16 + "0" * 16, one + "-3"]
    assert ids.by_id.tolist() == [1, 0, 2, 4, 3]
    assert ids.copy.tolist() == [0, 0, 1, 0, 2]
    assert len({tuple(key) for key in ids.keys.tolist()}) == 5, "chance sees copies as different records"
    assert ids.keys[[0, 1, 3]].tolist() == rows.key[[0, 1, 3]].tolist()


KEYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30)


@given(KEYS, st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_the_order_of_rows(keys: list[tuple[int, int]], chance: object) -> None:
    """The same keys and ids in any order of the rows; canonical order is ascending; ids ascend with `by_id`."""
    shuffled = keys.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    found = []
    for some in (keys, shuffled):
        ids = Ids(rows_of(some), ["f"])
        ordered = [tuple(key) for key in ids.keys[ids.order].tolist()]
        assert ordered == sorted(ordered)
        names = ids.strings(np.arange(len(some))).to_pylist()
        assert len(set(names)) == len(names)
        found.append((ordered, sorted(names)))
    assert found[0] == found[1]


@given(KEYS)
def test_number_copies(keys: list[tuple[int, int]]) -> None:
    order, copy = number_copies(rows_of(keys))
    seen: dict[tuple[int, int], int] = {}
    for key, number in zip(keys, copy.tolist(), strict=True):
        assert number == seen.get(key, 0)
        seen[key] = number + 1
    assert [keys[i] for i in order] == sorted(keys)


def test_user_ids() -> None:
    """They stand as they are and sort as texts; a record set aside before its id was read goes by its hash."""
    ids = Ids(rows_of([(5, 5), (4, 4), (3, 3)], ["b", "", "ä"], [0, 1, 0]), ["f"])
    hexed = "0" * 15 + "4" + "0" * 15 + "4"
    assert ids.strings(np.arange(3)).to_pylist() == ["b", hexed, "ä"]
    assert ids.by_id.tolist() == [1, 0, 2]


@pytest.mark.parametrize("status", [[0, 0], [0, 6], [6, 0]])
def test_user_ids_twice(status: list[int]) -> None:
    with pytest.raises(InputError, match="got 'a' twice: f, line 1 and f, line 2"):
        Ids(rows_of([(1, 1), (1, 1)], ["a", "a"], status), ["f"])


def test_records_without_an_id_are_copies_of_each_other() -> None:
    ids = Ids(rows_of([(1, 1), (1, 1)], ["", ""], [1, 1]), ["f"])
    first, second = ids.strings(np.arange(2)).to_pylist()
    assert second == first + "-2"


# --- content


def source_of(path: Path) -> Source:
    return Source(str(path), path, Detected("jsonl"))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_file_hash(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at any number of threads; another for any other byte, or block of them moved."""
    monkeypatch.setattr(identity, "_BLOCK", 16)
    data = bytes(i * 37 % 256 for i in range(size))
    Path("a").write_bytes(data)
    wanted = file_hash(Path("a"), Local(1))
    assert file_hash(Path("a"), Local(4)) == wanted
    for other in (data + b"\0", data[:-1], data[16:] + data[:16], bytes([*data[:-1], 255]) if data else b"x"):
        Path("b").write_bytes(other)
        assert (file_hash(Path("b"), Local(2)) == wanted) == (other == data)


def test_file_hash_of_what_cannot_be_read() -> None:
    with pytest.raises((InputError, FileNotFoundError)):
        file_hash(Path("gone"), Local(1))


def test_content_is_remembered_while_the_stat_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old file is hashed once; a changed one, or one too young to trust its clock, again."""
    count = 0
    real = identity.file_hash

    def counted(path: Path, engine: Local) -> str:
        nonlocal count
        count += 1
        return real(path, engine)

    monkeypatch.setattr(identity, "file_hash", counted)
    store, engine, path = Store(Path("s")), Local(1), Path("pool")
    path.write_bytes(b"one")
    young = [content_hash(source_of(path), store, engine) for _ in range(2)]
    assert young[0] == young[1]
    assert count == 2
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    old = [content_hash(source_of(path), store, engine) for _ in range(3)]
    assert set(old) == set(young)
    assert count == 3
    path.write_bytes(b"two")
    os.utime(path, (hour_ago, hour_ago))  # as an archive would set it; the change time gives it away
    assert content_hash(source_of(path), store, engine) != old[0]
    assert count == 4
    store.close()


def test_content_of_a_folder() -> None:
    """All its files count; their names do not, their order does."""
    store, engine = Store(Path("s")), Local(1)
    Path("d").mkdir()
    Path("d/a").write_bytes(b"1")
    Path("d/b").write_bytes(b"2")
    first = content_hash(source_of(Path("d")), store, engine)
    Path("d/b").write_bytes(b"3")
    assert content_hash(source_of(Path("d")), store, engine) != first
    store.close()
