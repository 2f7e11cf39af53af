"""Vectors that exist already: a field, an array, a file, a function."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import tamis
from tamis.errors import InputError, OptionError

N, D = 300, 8


@pytest.fixture(scope="module")
def x() -> NDArray[np.float32]:
    found = np.random.default_rng(0).normal(size=(N, D)).astype(np.float16).astype(np.float32)
    found[::31] = found[0]  # ten that are the same
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, x: NDArray[np.float32]) -> Path:
    where = tmp_path_factory.mktemp("given")
    records = [{"text": f"record {i}", "id": f"r{i}", "emb": row.tolist()} for i, row in enumerate(x)]
    for name, part in (("a", records[:120]), ("b", records[120:])):
        (where / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in part))
    pq.write_table(pa.Table.from_pylist(records), where / "all.parquet")
    np.save(where / "x.npy", x)
    return where


def _chosen(pool: Any, encoder: Any, **options: Any) -> list[str]:
    with tamis.select(pool, n=N - 9, method="semdedup", id="id", encoder=encoder, eps=1e-4, **options) as found:
        return sorted(found.ids.to_pylist())


def _same_vectors_stay_once(ids: list[str]) -> None:
    assert len(ids) == N - 9
    assert len({f"r{i}" for i in range(0, N, 31)} & set(ids)) == 1


def test_a_field_an_array_a_file_and_a_function_give_the_same_choice(folder: Path, x: NDArray[np.float32]) -> None:
    files = [str(folder / "a.jsonl"), str(folder / "b.jsonl")]
    by_field = _chosen(files, "field:emb")
    _same_vectors_stay_once(by_field)
    assert _chosen(files, x) == by_field
    assert _chosen(files, str(folder / "x.npy")) == by_field
    assert _chosen(str(folder / "all.parquet"), "field:emb") == by_field
    assert _chosen(files, lambda texts: x[[int("0" + text[7:]) for text in texts]]) == by_field


def test_the_same_array_beside_files_in_another_order_is_not_served_from_the_store(
    folder: Path, x: NDArray[np.float32], tmp_path: Path
) -> None:
    one, other = str(folder / "a.jsonl"), str(folder / "b.jsonl")
    _same_vectors_stay_once(_chosen([one, other], x, store=tmp_path))
    turned = np.concatenate([x[120:], x[:120]])
    assert _chosen([other, one], turned, store=tmp_path) == _chosen([one, other], x, store=tmp_path)
    swapped = _chosen([other, one], x, store=tmp_path)  # the first row now belongs to the first record of b
    assert len({f"r{i}" for i in range(0, N, 31)} & set(swapped)) > 1


def test_a_record_without_a_vector_is_set_aside_with_a_reason(tmp_path: Path) -> None:
    records = [{"text": f"t{i}", "emb": [i, 1.5, -2]} for i in range(5)]
    records += [{"text": "none"}, {"text": "null", "emb": None}]
    with tamis.select(records, n=7, method="kmq", encoder="field:emb") as found:
        assert len(found) == 5
        table = found.decisions()
    reasons = [reason for reason in table.column("reason").to_pylist() if "no vector" in reason]
    assert len(reasons) == 2


def test_broken_records_have_rows_of_the_array_too(tmp_path: Path, x: NDArray[np.float32]) -> None:
    lines = [json.dumps({"text": f"record {i}"}) for i in range(50)]
    lines[7] = "{broken"
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with tamis.select(str(tmp_path / "a.jsonl"), n=49, method="kmq", encoder=x[:50]) as found:
        assert len(found) == 49
    with pytest.raises(InputError, match=r"expected 50 rows, one a record .* got 49"):
        tamis.select(str(tmp_path / "a.jsonl"), n=9, method="kmq", encoder=x[:49])


def test_errors_name_the_field_and_the_place(folder: Path, tmp_path: Path) -> None:
    pool = str(folder / "a.jsonl")
    with pytest.raises(InputError, match=r"field 'em': .* no record has one. Did you mean 'emb'"):
        _chosen(pool, "field:em")
    with pytest.raises(InputError, match=r"field 'text': expected a list of numbers .*a\.jsonl"):
        _chosen(pool, "field:text")
    with pytest.raises(InputError, match=r"expected an \.npy file"):
        _chosen(pool, str(tmp_path / "none.npy"))
    with pytest.raises(OptionError, match=re.escape("field:NAME, FILE.npy")):
        _chosen(pool, "nonesuch")
    (tmp_path / "w.jsonl").write_text('{"text": "a", "emb": [1, 2]}\n{"text": "b", "emb": [1, 2, 3]}\n')
    with pytest.raises(InputError, match=r"expected 2|expected 3"):
        tamis.select(str(tmp_path / "w.jsonl"), n=1, method="kmq", encoder="field:emb")
    (tmp_path / "i.jsonl").write_text('{"text": "a", "emb": [1, 70000]}\n')
    with pytest.raises(InputError, match="magnitude"):
        tamis.select(str(tmp_path / "i.jsonl"), n=1, method="kmq", encoder="field:emb")


def test_the_manifest_names_what_gave_the_vectors_and_rerun_says_what_it_cannot(folder: Path, tmp_path: Path) -> None:
    from tamis.run.options import Runtime
    from tamis.run.rerun import rerun

    pool = str(folder / "a.jsonl")
    with tamis.select(pool, n=9, method="kmq", encoder="field:emb") as found:
        found.write(tmp_path / "field.jsonl")
    assert rerun(tmp_path / "field.manifest.json", Runtime())["same"]
    with tamis.select(pool, n=9, method="kmq", encoder=lambda texts: [[len(t), 1] for t in texts]) as found:
        found.write(tmp_path / "made.jsonl")
    assert json.loads((tmp_path / "made.manifest.json").read_text())["job"]["encoder"].startswith("<")
    with pytest.raises(InputError, match="in memory"):
        rerun(tmp_path / "made.manifest.json", Runtime())
