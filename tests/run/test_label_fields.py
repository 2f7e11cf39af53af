"""A field of tags, from records to a method: any shape and format, broken records, errors for what is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import fragments_of

import tamis
from tamis.errors import InputError


def test_a_field_of_any_shape_gives_the_same_choice(tmp_path: Path) -> None:
    """Lists, objects of a tagger, texts with a separator, JSON in a text, a table: one choice."""
    random = np.random.default_rng(0)
    sets = [sorted({f"T {j}" for j in random.integers(0, 9, random.integers(0, 5))}) for _ in range(40)]
    base = [{"id": f"r{i}", "text": f"text number {i}"} for i in range(40)]
    objects = [[{"tag": tag, "explanation": "why"} for tag in one] for one in sets]
    shapes: dict[str, list[object]] = {
        "lists": list(sets),
        "objects": list(objects),
        "texts": [", ".join(one) for one in sets],
        "json": [json.dumps(one) for one in objects],
        "mixed": [one if i % 2 else ", ".join(one) for i, one in enumerate(sets)],
    }
    found = {}
    for name, values in shapes.items():
        rows = [{**record, "tags": value} for record, value in zip(base, values, strict=True)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        with tamis.select(str(path), n=9, id="id", text="text", method="instag", tags="tags") as chosen:
            found[name] = chosen.ids
        if name != "mixed":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
            with tamis.select(
                str(tmp_path / f"{name}.parquet"), n=9, id="id", text="text", method="instag", tags="tags"
            ) as chosen:
                found[f"{name}, table"] = chosen.ids
    assert len({tuple(ids.to_pylist()) for ids in found.values()}) == 1


def test_an_object_s_other_member(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": f"t{i}", "tags": [{"name": f"n{j}"} for j in range(i % 4)]} for i in range(8)]
    with tamis.select(rows, n=2, id="id", text="text", method="instag", tags="tags.name") as chosen:
        assert sorted(chosen.ids.to_pylist()) == ["3", "7"]


def test_broken_records_and_missing_fields(tmp_path: Path) -> None:
    """A line that is no JSON, a record without the field, a null; in a file of its own and in small fragments."""
    lines = ['{"id": "a", "text": "t", "tags": ["x", "y"]}', "not JSON", '{"id": "b", "text": "t"}']
    lines += ['{"id": "c", "text": "t", "tags": null}', '{"id": "d", "text": "t", "tags": "x, z, w"}']
    (tmp_path / "one.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "two.jsonl").write_text("broken\n" + '{"id": "e", "text": "t", "tags": [" v "]}\n', encoding="utf-8")
    (tmp_path / "three.jsonl").write_text("broken\n", encoding="utf-8")
    files = [str(tmp_path / f"{name}.jsonl") for name in ("one", "two", "three")]
    found = []
    for size in (None, 60):
        with (
            fragments_of(size),
            tamis.select(files, n=4, id="id", text="text", method="instag", tags="tags", max_rejected=1.0) as chosen,
        ):
            found.append(chosen.ids.to_pylist())
            assert chosen.choice.reports["method"]["names"] == 5
    assert found[0] == found[1]
    assert {"a", "d", "e"} < set(found[0])


def test_wrong_fields_are_told() -> None:
    rows = [{"id": str(i), "text": f"t{i}", "tags": i, "labels": {"a": 1}} for i in range(4)]
    with pytest.raises(InputError, match=r"field 'tags', .*line 1: expected a list of texts.* got 0"):
        tamis.select(rows, n=2, id="id", text="text", method="instag", tags="tags")
    with pytest.raises(InputError, match=r"field 'labels', .* got \{'a': 1\}"):
        tamis.select(rows, n=2, id="id", text="text", method="instag", tags="labels")
    with pytest.raises(InputError, match=r"field 'tagz': expected labels.* no record has any\. Did you mean 'tags'"):
        tamis.select(rows, n=2, id="id", text="text", method="instag", tags="tagz")
