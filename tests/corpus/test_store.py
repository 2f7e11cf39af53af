"""The store: what is renamed into place is there, whole; one writer; nothing foreign is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.corpus.store import FORMAT, Store, clean, is_store
from tamis.errors import OutputError, StoreError

BATCH = pa.record_batch([pa.array([1, None, 3])], names=["value"])


def test_columns_come_back() -> None:
    """By fragment and name, with types, nulls and metadata, memory-mapped; over a close and an opening."""
    store = Store(Path("s"))
    entry = store.entry("key")
    batch = BATCH.replace_schema_metadata({"tamis": "x"})
    assert not entry.has(0, "tokens")
    entry.put(0, "tokens", batch)
    entry.put(12, "tokens", BATCH.slice(1))
    store.close()
    store = Store(Path("s"))
    entry = store.entry("key")
    assert entry.has(0, "tokens")
    assert not entry.has(1, "tokens")
    assert not entry.has(0, "other")
    assert entry.get(0, "tokens").equals(batch)
    assert entry.get(0, "tokens").schema.metadata == {b"tamis": b"x"}
    assert entry.get(12, "tokens").to_pydict() == {"value": [None, 3]}
    assert not store.entry("another").has(0, "tokens")
    store.close()


def test_finish_and_remember() -> None:
    with_facts = {"fragments": 3, "damage": None}
    store = Store(Path("s"))
    entry = store.entry("key")
    assert entry.finished() is None
    entry.finish(with_facts)
    assert entry.finished() == with_facts
    (entry.folder / "file.json").write_text("{")
    assert entry.finished() is None, "a file that cannot be read is as none"
    assert store.remembered("path") is None
    store.remember("path", {"stat": [1, 2]})
    assert store.remembered("path") == {"stat": [1, 2]}
    (store.path / "index" / "path.json").write_text("[]")
    assert store.remembered("path") is None
    store.close()


def test_one_writer() -> None:
    """A second one is told who holds it, in this process or another; afterwards it may."""
    store = Store(Path("s"), "tamis select pool.jsonl")
    with pytest.raises(StoreError, match=r"held by process \d+ on .*: tamis select pool.jsonl.*--store DIR"):
        Store(Path("s"))
    code = "from pathlib import Path; from tamis.corpus.store import Store; Store(Path('s'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "StoreError" in done.stderr
    store.close()
    store.close()
    Store(Path("s")).close()


def test_leftovers_of_a_kill_are_cleared() -> None:
    store = Store(Path("s"))
    entry = store.entry("key")
    left = entry.folder / ".00000.rows.arrow.123-4-abcdef.tmp"
    left.write_bytes(b"half")
    (entry.folder / "00001.rows.arrow").write_bytes(b"")
    assert not store.entry("key").has(1, "rows"), "an empty file is no column"
    assert not left.exists()
    store.close()


def test_damaged_column_is_removed_and_told() -> None:
    store = Store(Path("s"))
    entry = store.entry("key")
    entry.put(0, "rows", BATCH)
    path = next(entry.folder.glob("00000.rows*"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"was damaged and has been removed.*Run the same command again"):
        entry.get(0, "rows")
    assert not entry.has(0, "rows")
    store.close()


def test_other_versions_and_foreign_folders() -> None:
    Store(Path("s")).close()
    Path("s/store.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(StoreError, match=rf"has format {FORMAT + 1}, this version of tamis reads format {FORMAT}"):
        Store(Path("s"))
    Path("s/store.json").write_text("{}")
    with pytest.raises(StoreError, match="cannot be read as a store's mark"):
        Store(Path("s"))
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    with pytest.raises(StoreError, match="mine is not empty and holds no store"):
        Store(Path("mine"))
    assert [path.name for path in Path("mine").iterdir() if path.name != "lock"] == ["thesis.tex"]
    Path("file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        Store(Path("file/s"))


def test_is_store() -> None:
    Store(Path("s")).close()
    assert is_store(Path("s"))
    assert not is_store(Path())


def test_clean() -> None:
    """A store goes, with the bytes it took told; a store in use or any other folder stays."""
    store = Store(Path("s"))
    store.entry("key").put(0, "rows", BATCH)
    with pytest.raises(StoreError, match=r"the store s is held by process \d+"):
        clean(Path("s"))
    store.close()
    assert clean(Path("s")) > 100
    assert not Path("s").exists()
    Path("mine").mkdir()
    with pytest.raises(StoreError, match="holds no store"):
        clean(Path("mine"))
    assert Path("mine").is_dir()


def test_a_disk_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and what to do; nothing half-written stays."""
    store = Store(Path("s"))
    entry = store.entry("key")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa.ipc, "new_file", refuse)
    with pytest.raises(OutputError, match=r"No space left on device.*--store DIR"):
        entry.put(0, "rows", BATCH)
    assert list(entry.folder.iterdir()) == []
    store.close()
