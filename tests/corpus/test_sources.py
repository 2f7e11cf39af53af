"""What the user names becomes files: paths, folders, globs; and what is passed over."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.formats import Detected, detect
from tamis.corpus.sources import expand, redact
from tamis.corpus.store import Store
from tamis.errors import InputError

LINE = b'{"text":"a"}\n'


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store(Path("store"))
    yield made
    made.close()


def touch(*names: str, data: bytes = LINE) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)


def named(paths: list[str], store: Store) -> tuple[list[str], list[str]]:
    sources, passed = expand(paths, store)
    return [source.name for source in sources], passed


def test_folder_order_and_hidden(store: Store) -> None:
    """By path, parts compared; nothing hidden, at any depth."""
    touch("p/b.jsonl", "p/a/z.jsonl", "p/a.jsonl", "p/.h/x.jsonl", "p/a/.x.jsonl", "p/a/.h/b/x.jsonl", "p/B.JSONL")
    found = named(["p"], store)
    assert found == (["p/B.JSONL", "p/a/z.jsonl", "p/a.jsonl", "p/b.jsonl"], [])


def test_text_beside_data_is_no_record(store: Store) -> None:
    """Plain text is read from a folder that holds nothing else, and is notes where there is data."""
    touch("t/a.txt", "t/b.md", data=b"words\n")
    assert named(["t"], store) == (["t/a.txt", "t/b.md"], [])
    touch("t/c.jsonl")
    assert named(["t"], store) == (["t/c.jsonl"], ["t/a.txt", "t/b.md"])
    assert named(["t/a.txt", "t/c.jsonl"], store)[0] == ["t/a.txt", "t/c.jsonl"]


def test_unknown_suffixes_are_passed_over(store: Store) -> None:
    touch("p/a.jsonl", "p/LICENSE", "p/x.py", "p/y.tar.gz")
    assert named(["p"], store) == (["p/a.jsonl"], ["p/LICENSE", "p/x.py", "p/y.tar.gz"])
    touch("q/LICENSE")
    with pytest.raises(InputError, match=r"the folder q holds no file with a known suffix.*'q/\*'"):
        expand(["q"], store)
    assert named(["q/*"], store) == (["q/LICENSE"], [])


def test_outputs_and_stores_are_no_input(store: Store) -> None:
    """What a manifest or the mark of an unfinished run names, companions of any run, and a store."""
    touch("p/a.jsonl", "p/done.jsonl", "p/half.parquet", "p/s-00000-of-00001.jsonl", "p/x.rejected.jsonl")
    Path("p/done.manifest.json").write_text(json.dumps({"outputs": [{"name": "done.jsonl", "bytes": 1}]}))
    Path("p/half.manifest.json.part").write_text(json.dumps({"outputs": ["half.parquet", "s-00000-of-00001.jsonl"]}))
    Path("p/odd.manifest.json").write_text("[1, 2")
    Store(Path("p/kept")).close()
    touch("p/kept/files/00000.rows.arrow")
    names, passed = named(["p"], store)
    assert names == ["p/a.jsonl"]
    assert set(passed) == {
        "p/done.jsonl", "p/half.parquet", "p/s-00000-of-00001.jsonl", "p/x.rejected.jsonl",
        "p/done.manifest.json", "p/odd.manifest.json", "p/half.manifest.json.part",
    }  # fmt: skip
    assert named(["p/*.jsonl"], store)[0] == ["p/a.jsonl"]
    assert named(["p/done.jsonl"], store)[0] == ["p/done.jsonl"]


def test_globs(store: Store) -> None:
    touch("p/a1.jsonl", "p/a2.jsonl", "p/deep/er/a3.jsonl", "p/f/x.jsonl")
    assert named(["p/a*.jsonl"], store)[0] == ["p/a1.jsonl", "p/a2.jsonl"]
    assert named(["p/**/a*.jsonl"], store)[0] == ["p/a1.jsonl", "p/a2.jsonl", "p/deep/er/a3.jsonl"]
    assert named(["p/[f]"], store)[0] == ["p/f/x.jsonl"], "a folder that a glob finds is read as a folder"
    assert named([str(Path("p/a?.jsonl").absolute())], store)[0] == [
        str(Path(f"p/a{i}.jsonl").absolute()) for i in (1, 2)
    ]
    assert named(["p/a2.jsonl", "p/a*.jsonl"], store)[0] == ["p/a2.jsonl", "p/a1.jsonl", "p/a2.jsonl"]


def test_what_is_not_there(store: Store) -> None:
    touch("pool.jsonl")
    for given_, words in (
        (["pol.jsonl"], "Did you mean 'pool.jsonl'"),
        (["no/where.jsonl"], "no such file or folder: no/where.jsonl"),
        (["*.csv"], r"no file matches '\*.csv'"),
        ([], "at least one"),
    ):
        with pytest.raises(InputError, match=words):
            expand(given_, store)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(store: Store) -> None:
    touch("pool.jsonl")
    Path("pool.jsonl").chmod(0)
    with pytest.raises(InputError, match=r"pool.jsonl cannot be opened: Permission denied"):
        expand(["pool.jsonl"], store)


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (b'{"a":1}\n', "x.json", "jsonl"),
        (b'\xef\xbb\xbf \n[{"a":1}]', "x.json", "json"),
        (b'[{"a":1}]', "x", "json"),
        (b'{"a":1}', "x", "jsonl"),
        (b"", "x.json", "jsonl"),
        (b"", "x", "text"),
        (b"words", "x", "text"),
        (b"a,b\n", "x.CSV", "csv"),
        (b"a\tb\n", "what?.tsv", "tsv"),
        (b'[1]\n{"a":1}\n', "x.jsonl", "jsonl"),
        (b'[\n{"a":1}]', "x.jsonl", "json"),
        (b"{not json", "x.jsonl", "jsonl"),
        (b"[words", "x.txt", "text"),
        (b" " * 6000 + b"[{}]", "x", "json"),
    ],
)
def test_format_by_content(data: bytes, name: str, wanted: str) -> None:
    Path("file").write_bytes(data)
    assert detect(Path("file"), name) == Detected(wanted)


def test_format_of_tables() -> None:
    table = pa.table({"text": ["a"]})
    pq.write_table(table, "p")
    assert detect(Path("p"), "p.jsonl") == Detected("parquet")
    with pa.ipc.new_stream("s", table.schema) as writer:
        writer.write_table(table)
    assert detect(Path("s"), "s") == Detected("arrow")
    Path("t").write_bytes(b"x")
    with pytest.raises(InputError, match=r"expected a parquet file.*misnamed"):
        detect(Path("t"), "t.parquet")


def test_object_over_several_lines() -> None:
    """One JSON object, indented, is neither lines nor an array: the message says what to do."""
    for name in ("x.json", "x"):
        Path("file").write_text(json.dumps({"train": [1, 2]}, indent=1))
        with pytest.raises(InputError, match=r"got an object over several lines.*jq -c"):
            detect(Path("file"), name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.org:81/a/b.jsonl?token=x#f", "https://h.org:81/a/b.jsonl"),
        ("s3://key:secret@bucket/a b.jsonl", "s3://bucket/a b.jsonl"),
        ("/local/path?x", "/local/path?x"),
        ("-", "-"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(st.text("abc:@/?#=%.-", max_size=20), st.text("abc:/?#=%.-", min_size=1, max_size=8))
def test_redact_never_tells_a_password(path: str, password: str) -> None:
    """Whatever stands before the last `@` of the host is gone."""
    secret = password.replace("/", "").replace("?", "").replace("#", "")
    assert f"user:{secret}SECRET" not in redact(f"https://user:{secret}SECRET@host/{path}")
    assert "SECRET" not in redact(f"https://host/a?{path}=SECRET")
