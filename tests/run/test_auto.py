"""The default: what it picks, that it says so, and what it did about duplicates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from making import manifest

import tamis
from tamis.cli import run
from tamis.run.session import Session
from tamis.select import auto, facility

WORDS = np.array([f"word{i}" for i in range(400)])


def pool(n: int = 120) -> list[dict[str, str]]:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 30)) for _ in range(n)]
    texts[1] = texts[0] + " more"  # a near copy
    return [{"id": f"r{i}", "text": text} for i, text in enumerate(texts)]


def test_without_a_target_facility_up_to_a_size_and_kmq_above(monkeypatch: pytest.MonkeyPatch) -> None:
    with tamis.select(pool(), n=10, id="id") as chosen:
        assert len(chosen) == 10
        assert chosen.method.name == "facility"
        assert "auto picked facility (no target, 119 eligible records: at most 200,000)" in chosen.notes[-1]
        assert "1 near-duplicates left out first; quality was not judged" in chosen.notes[-1]
    monkeypatch.setattr(auto, "LARGEST", 50)
    with tamis.select(pool(), n=10, id="id") as chosen:
        assert chosen.method.name == "kmq"
        assert "more than 50" in chosen.notes[-1]
        assert chosen.choice.reports["method"]["picked"] == "kmq"


def test_with_a_target_dsir_and_the_same_choice() -> None:
    wanted = [{"text": " ".join(WORDS[:40])}]
    with tamis.select(pool(), n=10, id="id", target=wanted) as chosen:
        assert chosen.method.name == "dsir"
        assert "auto picked dsir (there is a target)" in chosen.notes[-1]
        found = chosen.ids.to_pylist()
    with tamis.select(pool(), n=10, id="id", target=wanted, method="dsir", dedup=0.8) as chosen:
        assert chosen.ids.to_pylist() == found


def test_near_duplicates_stay_if_told_so_and_thresholds_are_kept() -> None:
    with tamis.select(pool(), fraction=1.0, id="id", unique=False) as chosen:
        assert len(chosen) == 120
        assert "near-duplicates were not looked for" in chosen.notes[-1]
    with tamis.select(pool(), fraction=1.0, id="id", dedup=0.99) as chosen:
        assert len(chosen) == 120
    with tamis.select(pool(), n=3, id="id", by="bytes") as chosen:
        assert chosen.method.name == "top"


def test_a_low_ceiling_deals_parts_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--memory` leaves is what a method may hold; more than that is never held, less changes no choice."""
    monkeypatch.setattr(facility.Facility, "anew_up_to", 50)
    with tamis.select(pool(300), n=10, id="id") as chosen:
        plain = chosen.ids.to_pylist()
        assert not any("parts" in note for note in chosen.notes)
    monkeypatch.setattr(Session, "room", lambda self, n, vectors=False: 40_000)
    with tamis.select(pool(300), n=10, id="id") as chosen:
        assert len(chosen) == 10
        assert any("facility dealt the records into 3 parts" in note for note in chosen.notes)
        dealt = chosen.ids.to_pylist()
    with tamis.select(pool(300), n=10, id="id", method="kcenter") as chosen:
        close = chosen.ids.to_pylist()
    monkeypatch.setattr(facility.Facility, "anew_up_to", 40_000)
    with tamis.select(pool(300), n=10, id="id") as chosen:
        assert chosen.ids.to_pylist() == plain  # rows anew: the same picks
    monkeypatch.undo()
    with tamis.select(pool(300), n=10, id="id", method="kcenter") as chosen:
        assert chosen.ids.to_pylist() == close
    assert dealt != plain


def test_the_command_says_what_was_picked_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pool.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pool()))
    assert run(["select", "pool.jsonl", "-n", "10", "-o", "out.jsonl", "--no-report"]) == 0
    out, err = capsys.readouterr()
    assert "by facility, picked by auto" in out
    assert "auto picked facility (no target" in err
    told = manifest(Path("out.jsonl"))
    assert told["job"]["method"] == "auto"
    assert told["method"]["name"] == "facility"
    assert told["filters"]["method"]["objective"] > 0
    assert run(["rerun", "out.manifest.json"]) == 0
    capsys.readouterr()
    assert run(["select", "pool.jsonl", "-n", "10", "-o", "out.jsonl", "--plan"]) == 0
    assert "choose with Facility(" in capsys.readouterr().out
