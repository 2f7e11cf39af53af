"""The example pool: every record is real code, found where it says, the same bytes each time."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data import REPOSITORY

SCRIPT = REPOSITORY / "examples" / "stdlib_pool.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stdlib_pool", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stdlib_pool = _load()


def rows(path: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pool and target of this interpreter's own library."""
    folder = tmp_path_factory.mktemp("stdlib")
    assert stdlib_pool.main(["-o", f"{folder}/pool.jsonl", "--target", f"{folder}/target.jsonl"]) == 0
    return folder


@pytest.fixture
def library() -> Path:
    """A small library with what the real one has in odd corners."""
    files = {
        "plain.py": b'\x0cdef f(x):\n    """Say f."""\n    return x\n',
        "windows.py": b"def g():\r\n    return 1\r\n",
        "latin.py": b'# -*- coding: latin-1 -*-\ndef h():\n    """caf\xe9"""\n',
        "lone.py": b'def s():\n    "\\ud800"\n',
        "pack/__init__.py": b"class Empty: pass\n",
        "pack/deep.py": (
            b"if True:\n"
            b"    class Outer(object):\n"
            b'        """Outer.\n\n        More.\n        """\n'
            b"        @property\n"
            b"        @staticmethod\n"
            b"        def p(self):\n"
            b"            text = '''\n"
            b"flush left\n"
            b"'''\n"
            b"            def inner():\n"
            b"                async def innermost(): pass\n"
            b"            return inner\n"
        ),
        "pack/test/test_deep.py": b"def test_nothing(): pass\n",
        "test/support.py": b"def helper(): pass\n",
        "site-packages/other.py": b"def other(): pass\n",
        "broken.py": b"def (:\n",
        "undecodable.py": b"def f(): '\xff'\n",
    }
    for name, content in files.items():
        path = Path("library", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Path("library")


def test_records_of_a_small_library_by_hand(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each record as it should be, tests and packages left out, unreadable files named and counted."""
    assert stdlib_pool.main(["--library", str(library), "-o", "pool.jsonl"]) == 0
    got = [(r["source"], r["name"], r["kind"], r["docstring"], r["path"], r["line"]) for r in rows("pool.jsonl")]
    outer = "pack.deep.Outer"
    assert got == [
        ("latin", "latin.h", "function", "café", "latin.py", 2),
        ("lone", "lone.s", "function", "\\ud800", "lone.py", 1),
        ("pack", "pack.Empty", "class", "", "pack/__init__.py", 1),
        ("pack", outer, "class", "Outer.\n\nMore.", "pack/deep.py", 2),
        ("pack", f"{outer}.p", "method", "", "pack/deep.py", 7),
        ("pack", f"{outer}.p.<locals>.inner", "function", "", "pack/deep.py", 13),
        ("pack", f"{outer}.p.<locals>.inner.<locals>.innermost", "function", "", "pack/deep.py", 14),
        ("plain", "plain.f", "function", "Say f.", "plain.py", 1),
        ("windows", "windows.g", "function", "", "windows.py", 1),
    ]
    text = {row["name"]: row["text"] for row in rows("pool.jsonl")}
    assert text[f"{outer}.p"] == (
        "@property\n@staticmethod\ndef p(self):\n    text = '''\nflush left\n'''\n"
        "    def inner():\n        async def innermost(): pass\n    return inner\n"
    )
    assert text["windows.g"] == "def g():\n    return 1\n"
    said = capsys.readouterr()
    assert "broken.py" in said.err
    assert "undecodable.py" in said.err
    assert "2 files left out" in said.err
    assert "pool.jsonl: 9 records of 5 modules" in said.out


def test_real_library_is_about_19_000_definitions_that_parse(written: Path) -> None:
    """Every text is Python by itself, and defines what the record's name says."""
    found = rows(written / "pool.jsonl") + rows(written / "target.jsonl")
    assert 12_000 < len(found) < 30_000
    assert {row["kind"] for row in found} == {"function", "method", "class"}
    for row in found:
        (node,) = ast.parse(row["text"]).body
        assert node.name == row["name"].rpartition(".")[2]
        assert isinstance(node, ast.ClassDef) == (row["kind"] == "class")
    assert not [row["path"] for row in found if {"test", "tests", "idle_test"} & set(Path(row["path"]).parts)]
    (decode,) = [row for row in found if row["name"] == "json.decoder.JSONDecoder.decode"]
    assert decode["docstring"].startswith("Return the Python representation of")
    assert decode["docstring"].splitlines()[0] in decode["text"]
    lines = Path(json.__file__).with_name("decoder.py").read_text(encoding="utf-8").splitlines()
    assert lines[decode["line"] - 1].strip() == decode["text"].splitlines()[0]


def test_target_and_pool_share_no_module_and_are_ordered(written: Path) -> None:
    """The target's modules are not in the pool, and nothing is in two places."""
    pool, target = rows(written / "pool.jsonl"), rows(written / "target.jsonl")
    assert {row["source"] for row in target} == set(stdlib_pool.TARGET_MODULES)
    assert not {row["source"] for row in pool} & set(stdlib_pool.TARGET_MODULES)
    for some in (pool, target):
        places = [(tuple(Path(row["path"]).parts), row["line"]) for row in some]
        assert places == sorted(places)
    lines = Counter((written / "pool.jsonl").read_bytes().splitlines())
    assert max(lines.values()) == 1


def test_same_bytes_whatever_the_hash_seed(written: Path) -> None:
    """Another process with another hash seed, locale and folder writes the same pool."""
    env = os.environ | {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, SCRIPT, "-o", "again.jsonl", "--target", "new/target.jsonl"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert Path("again.jsonl").read_bytes() == (written / "pool.jsonl").read_bytes()
    assert Path("new/target.jsonl").read_bytes() == (written / "target.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--target", "t.jsonl", "--target-modules", "pack,plane"],
            "no module 'plane' .* Did you mean 'plain'",
        ),
        (["--target-modules", "pack"], "add --target FILE"),
        (["--target", "./p.jsonl"], "are to be two files"),
        (["--library", "nowhere"], "expected Python source with definitions below nowhere, found none"),
    ],
)
def test_wrong_options_write_nothing(
    library: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 2, the reason, and no file."""
    with pytest.raises(SystemExit, match="2"):
        stdlib_pool.main(["--library", str(library), "-o", "p.jsonl", *arguments])
    assert re.search(message, capsys.readouterr().err.replace("\n", " "))
    assert not list(Path.cwd().glob("*.jsonl"))


def test_named_target_modules(library: Path) -> None:
    """The modules asked for go to the target, spaces around commas or not."""
    stdlib_pool.main(["--library", str(library), "--target", "t.jsonl", "--target-modules", " plain, latin ,"])
    assert [row["name"] for row in rows("t.jsonl")] == ["latin.h", "plain.f"]
    assert {row["source"] for row in rows("pool.jsonl")} == {"lone", "pack", "windows"}


def test_interrupted_write_leaves_the_old_file(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way leaves what was there, and nothing beside it."""
    Path("pool.jsonl").write_text("old\n")
    whole = json.dumps

    def failing(row: dict[str, Any], **options: Any) -> str:
        if row["source"] == "plain":
            raise OSError("disk full")
        return whole(row, **options)

    monkeypatch.setattr(stdlib_pool.json, "dumps", failing)
    with pytest.raises(OSError, match="disk full"):
        stdlib_pool.main(["--library", str(library), "-o", "pool.jsonl"])
    assert Path("pool.jsonl").read_text() == "old\n"
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["library", "pool.jsonl"]
