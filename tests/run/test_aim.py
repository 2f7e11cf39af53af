"""Examples to be like and to be unlike, from files to the choice: vectors, manifest, rerun, what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import tamis_cli

import tamis
from tamis.errors import InputError, OptionError
from tamis.run.manifest import load_manifest
from tamis.run.options import Runtime
from tamis.run.rerun import rerun
from tamis.select.like import like
from tamis.select.unlike import unlike

WORDS = {"a": "cat dog horse bird fish cow", "b": "bond stock market price trade", "c": "star planet orbit moon comet"}
KINDS = tuple(WORDS)


def records(n: int, kinds: str, seed: int) -> list[dict[str, Any]]:
    """Return texts of some kinds in turn, with a vector that says the kind."""
    draw = random.Random(seed)
    return [
        {
            "text": " ".join(draw.choices(WORDS[kind].split(), k=12)) + f" {seed}.{i}",
            "kind": kind,
            "v": [float(kind == other) + draw.gauss(0, 0.1) for other in KINDS],
        }
        for i in range(n)
        for kind in [kinds[i % len(kinds)]]
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("aim")
    for name, part in (("pool", records(300, "abc", 0)), *((k, records(8, k, 1)) for k in KINDS)):
        (where / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in part))
    return where


def kinds(selection: Any) -> list[str]:
    with selection as chosen:
        return [one["kind"] for one in chosen.to_dicts()]


def test_like_finds_the_kinds_of_its_target(folder: Path) -> None:
    pool = folder / "pool.jsonl"
    assert set(kinds(tamis.select(pool, n=20, method="like", target=folder / "a.jsonl"))) == {"a"}
    two = kinds(tamis.select(pool, n=20, method="like", target=[folder / "a.jsonl", folder / "c.jsonl"]))
    assert set(two) == {"a", "c"}
    both = {"target": [folder / "a.jsonl", folder / "c.jsonl"], "unlike": folder / "c.jsonl", "form": "flvmi"}
    assert kinds(tamis.select(pool, n=20, method="like", nu=3, **both)).count("c") <= 2


def test_unlike_keeps_away_and_records_in_memory_do_too(folder: Path) -> None:
    pool = folder / "pool.jsonl"
    from_files = kinds(tamis.select(pool, n=20, method="unlike", nu=3, unlike=folder / "b.jsonl"))
    assert from_files.count("b") <= 2
    assert kinds(tamis.select(pool, n=20, method="unlike", nu=3, unlike=records(8, "b", 1))) == from_files


def test_vectors_of_a_field_are_those_of_the_examples_too(folder: Path) -> None:
    """The same choice as from arrays, in the pool's order."""
    x, a, b = (
        np.array([one["v"] for one in part], np.float16)
        for part in (records(300, "abc", 0), records(8, "a", 1), records(8, "b", 1))
    )
    pool = folder / "pool.jsonl"
    with tamis.select(pool, n=12, method="like", target=folder / "a.jsonl", encoder="field:v") as chosen:
        assert sorted(chosen.rows.tolist()) == sorted(like(x, a, 12).rows.tolist())
        assert chosen.choice.reports["method"]["objective"] == pytest.approx(like(x, a, 12).objective)
    with tamis.select(pool, n=12, method="unlike", unlike=folder / "b.jsonl", encoder="field:v") as chosen:
        assert sorted(chosen.rows.tolist()) == sorted(unlike(x, b, 12).rows.tolist())


def test_manifest_and_rerun_know_the_examples(folder: Path) -> None:
    out = folder / "away.jsonl"
    command = ["select", str(folder / "pool.jsonl"), "-n", "9", "--method", "unlike"]
    code, _, err = tamis_cli(*command, "--unlike", folder / "b.jsonl", "-o", out)
    assert code == 0, err
    told = load_manifest(folder / "away.manifest.json")
    assert told["job"]["unlike"] == [str(folder / "b.jsonl")]
    assert [part["records"] for part in told["unlike"]] == [8]
    assert told["filters"]["method"]["near_examples"] < told["filters"]["method"]["pool_near_examples"]
    assert rerun(folder / "away.manifest.json", Runtime())["same"]
    other = folder / "b.jsonl"
    text = other.read_text()
    other.write_text(text + text.splitlines()[0] + "\n")
    try:
        with pytest.raises(InputError, match=r"the input .*b\.jsonl has changed since that run"):
            rerun(folder / "away.manifest.json", Runtime())
    finally:
        other.write_text(text)


def test_the_plan_reads_the_examples(folder: Path) -> None:
    command = ["select", str(folder / "pool.jsonl"), "-n", "9", "--method", "unlike", "--plan"]
    code, printed, err = tamis_cli(*command, "--unlike", folder / "b.jsonl")
    assert code == 0, err
    assert "choose with Unlike(" in printed


def test_what_is_refused(folder: Path) -> None:
    pool, b = folder / "pool.jsonl", folder / "b.jsonl"
    with pytest.raises(OptionError, match="method 'like' needs a target: --target FILES"):
        tamis.select(pool, n=3, method="like")
    with pytest.raises(OptionError, match="method 'unlike' needs --unlike FILES"):
        tamis.select(pool, n=3, method="unlike")
    with pytest.raises(OptionError, match="method 'random' reads no --unlike: unlike does"):
        tamis.select(pool, n=3, method="random", unlike=b)
    with pytest.raises(OptionError, match="form 'flqmi' reads no --unlike: -O form=flvmi does"):
        tamis.select(pool, n=3, method="like", target=b, unlike=b)
    for given, name in ((np.ones((300, 3)), "an array"), ("x.npy", "x.npy")):
        with pytest.raises(OptionError, match=f"--encoder is {name}, which has none for these"):
            tamis.select(pool, n=3, method="unlike", unlike=b, encoder=given)
    with pytest.raises(InputError, match="--unlike: expected vectors of 3 numbers, as the pool's, got 2"):
        tamis.select(pool, n=3, method="unlike", unlike=[{"text": "x", "v": [1.0, 2.0]}], encoder="field:v")
