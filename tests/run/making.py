"""What the tests of whole runs share: pools in every format, runs in process, decisions by id."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import tamis
from tamis.cli import run
from tamis.run.session import Session

__all__ = [
    "COMPRESSED",
    "decisions",
    "fragments_of",
    "lines_of",
    "make_records",
    "manifest",
    "select",
    "tamis_cli",
    "tiny_tokenizer",
    "write_pool",
    "zstd",
]

Record = dict[str, Any]

WORDS = [
    "data",
    "grain",
    "sieve",
    "river",
    "stone",
    "paper",
    "light",
    "tensor",
    "harbour",
    "copper",
    "violet",
    "meadow",
    "engine",
    "signal",
]


def make_records(n: int = 40, start: int = 0) -> list[Record]:
    """Return records with a text, an id, a number, a group and a truth value."""
    return [
        {
            "id": f"r{i:04d}",
            "text": " ".join(WORDS[(i * j + j) % len(WORDS)] for j in range(1, 3 + i % 7)) + f" №{i} ü 日本 \U0001f41d",
            "n": i,
            "lang": ("de", "en", "fr")[i % 3],
            "good": i % 2 == 0,
        }
        for i in range(start, start + n)
    ]


def zstd(data: bytes) -> bytes:
    """Return `data` compressed."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


#: Suffix, and what compresses.
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def lines_of(records: Sequence[Record]) -> bytes:
    """Return records as JSONL."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def tiny_tokenizer(path: str | Path = "tiny.json") -> str:
    """Write a small byte-level tokenizer, which loads at once, and return its path."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator([" ".join(WORDS)] * 3, trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False))
    made.save(str(path))
    return str(path)


def write_pool(path: Path, kind: str, records: Sequence[Record]) -> Path:
    """Write records in a format, compressed as the suffix of `path` says; return the path."""
    data = _encode(kind, records)
    path.write_bytes(COMPRESSED.get(path.suffix, bytes)(data))
    return path


def _encode(kind: str, records: Sequence[Record]) -> bytes:
    if kind == "jsonl":
        return lines_of(records)
    if kind == "pretty":
        return json.dumps(records, indent=2, ensure_ascii=False).encode()
    if kind == "compact":
        return json.dumps(records, separators=(",", ":")).encode()
    if kind == "text":
        return "".join(record["text"] + "\n" for record in records).encode()
    if kind in ("csv", "tsv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, records[0].keys(), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue().encode()
    table, sink = pa.Table.from_pylist(list(records)), pa.BufferOutputStream()
    if kind == "parquet":
        pq.write_table(table, sink, row_group_size=7)
    elif kind == "feather":
        pyarrow.feather.write_feather(table, sink, compression="zstd")
    else:
        new = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with new(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    return bytes(sink.getvalue().to_pybytes())


@contextlib.contextmanager
def fragments_of(size: int | None) -> Iterator[None]:
    """Cut files into fragments of `size` bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "_fragment_bytes", lambda _: size)
        yield


def tamis_cli(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in process; return its exit code, stdout and stderr.

    Without the report, which takes half a second, unless `--report` asks for it; at random (with a target
    by dsir) unless a method is asked for, as most of what is tested is the same for all.
    """
    out, err = io.StringIO(), io.StringIO()
    words = [str(argument) for argument in arguments]
    if words and words[0] in ("select", "dedup") and "--report" not in words:
        words.insert(1, "--no-report")
    if words and words[0] == "select" and not {"--method", "--by", "--compat"} & set(words):
        words[1:1] = ["--method", "dsir" if "--target" in words else "random"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    return code, out.getvalue(), err.getvalue()


def select(pool: Any, output: str | Path, *, how: dict[str, Any] | None = None, **options: Any) -> Path:
    """Select and write (`how`: options of `Selection.write`, no report by default); return the output's path.

    By the same method as `tamis_cli` where none is asked for.
    """
    if not {"method", "by", "compat"} & set(options):
        options["method"] = "dsir" if options.get("target") is not None else "random"
    with tamis.select(pool, **options) as chosen:
        chosen.write(output, force=True, **({"report": False} | (how or {})))
    return Path(output)


def manifest(output: Path) -> dict[str, Any]:
    """Return the manifest beside an output."""
    return dict(json.loads(output.with_name(output.name.partition(".")[0] + ".manifest.json").read_text()))


def decisions(output: Path, *, place: bool = False) -> dict[str, Record]:
    """Return the decision on each record by id, with file and line only if `place`."""
    table = pq.read_table(output.with_name(output.name.partition(".")[0] + ".decisions.parquet"))
    if not place:
        table = table.drop_columns(["file", "line"])
    rows = {row.pop("id"): row for row in table.to_pylist()}
    assert len(rows) == table.num_rows, "ids are unique"
    return rows
