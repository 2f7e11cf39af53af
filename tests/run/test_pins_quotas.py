"""Pins and quotas through the command line: what is asked for holds, and what cannot hold is told."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import pytest
from making import decisions, lines_of, manifest, tamis_cli

LANGS = ("de", "en", "cs")
#: 60 records: 20 of each language; `size` null in every fourth; the last ten have one more source.
RECORDS = [
    {
        "id": f"r{i:02d}",
        "text": "word " * (1 + i % 5),
        "lang": LANGS[i % 3],
        "size": None if i % 4 == 0 else i % 4,
        "source": "big=one <2" if i >= 50 else "small",
        "tags": [i],
    }
    for i in range(60)
]
SELECT = ("select", "pool.jsonl", "--id", "id", "-o", "out.jsonl", "--force")


@pytest.fixture(autouse=True)
def _files() -> None:
    Path("pool.jsonl").write_bytes(lines_of([*RECORDS, {"id": "bad", "text": ""}]))


def chosen(*arguments: object) -> list[str]:
    """Return the ids that are chosen, in input order."""
    code, _, said = tamis_cli(*SELECT, *arguments)
    assert code == 0, said
    return [json.loads(line)["id"] for line in Path("out.jsonl").read_bytes().splitlines()]


def refused(*arguments: object) -> str:
    """Return what a run says that must refuse and write nothing."""
    code, out, said = tamis_cli(*SELECT, *arguments)
    assert code == 2, out + said
    assert "Traceback" not in said
    assert not list(Path().glob("*out*"))
    return said


def groups(ids: list[str], field: str = "lang") -> dict[Any, int]:
    by_id = {record["id"]: record[field] for record in RECORDS}
    return dict(collections.Counter(by_id[name] for name in ids))


# --- pins


def test_lists_and_files() -> None:
    """Comma lists and files, several of each, spaces and repeats and the ends of lines of any system."""
    Path("keep.txt").write_bytes(b"\xef\xbb\xbfr10\r\nr11 \r\n\r\n r12\r\n")
    Path("drop.txt").write_text("r20\nr21")
    found = chosen(
        "-n", 8, "--must-keep", "r01, r02,r01,", "--must-keep", "@keep.txt",
        "--must-drop", "r22", "--must-drop", "@drop.txt", "--must-drop", "",
    )  # fmt: skip
    assert {"r01", "r02", "r10", "r11", "r12"} <= set(found)
    assert not {"r20", "r21", "r22"} & set(found)
    assert len(found) == 8
    told = manifest(Path("out.jsonl"))["job"]
    assert told["must_keep"] == ["r01", "r02", "r10", "r11", "r12"]
    assert told["must_drop"] == ["r20", "r21", "r22"]


def test_pins_in_the_decisions() -> None:
    """A decision names the pin, whatever else would have held the record back."""
    assert chosen("-n", 2, "--where", "lang = 'cs'", "--must-keep", "r00", "--must-drop", "r02,r01") != []
    rows = decisions(Path("out.jsonl"))
    assert {row["stage"] for name, row in rows.items() if name in ("r00", "r01", "r02")} == {"pin"}
    assert rows["r00"]["kept"]
    assert rows["r00"]["reason"] == "pinned: must keep"
    assert rows["r01"]["reason"] == rows["r02"]["reason"] == "pinned: must drop"
    assert rows["r03"]["stage"] == "where"
    assert "It was decided by hand: pinned: must drop." in tamis_cli("why", "out.jsonl", "r02")[1]
    assert sum(row["kept"] for row in rows.values()) == 2


def test_kept_ones_count_against_the_budget() -> None:
    keep = [f"r{i:02d}" for i in range(7)]
    assert chosen("-n", 7, "--must-keep", ",".join(keep)) == keep
    assert set(keep) < set(chosen("-n", 8, "--must-keep", ",".join(keep)))
    code, out, _ = tamis_cli(*SELECT, "--tokens", 40, "--must-keep", ",".join(keep), "--json")
    assert code == 0
    assert json.loads(out)["counts"]["tokens_chosen"] <= 40
    assert len(chosen("--fraction", "20%", "--must-drop", ",".join(keep[:5]))) == 11, "a share of the 55 that are left"


def test_kept_ones_count_against_quotas() -> None:
    found = chosen("-n", 9, "--quota", "lang=de<=3", "--must-keep", "r00,r03", "--seed", 4)
    assert groups(found)["de"] <= 3
    assert {"r00", "r03"} <= set(found)
    assert groups(chosen("-n", 6, "--quota", "lang=en>=3", "--must-keep", "r00,r03"))["en"] >= 3


def test_pins_for_every_method_alike() -> None:
    Path("target.jsonl").write_bytes(lines_of(RECORDS[:3]))
    for options in ((), ("--by", "bytes:asc"), ("--method", "length"), ("--target", "target.jsonl")):
        found = chosen("-n", 5, "--must-keep", "r59,r44", "--must-drop", "r00", *options)
        assert {"r44", "r59"} <= set(found)
        assert "r00" not in found
        assert len(found) == 5


def test_all_dropped_but_some() -> None:
    drop = ",".join(record["id"] for record in RECORDS[:57])
    assert chosen("-n", 10, "--must-drop", drop) == ["r57", "r58", "r59"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--must-keep", "r01,r99"), "--must-keep: no usable record has the id 'r99'. Did you mean 'r"),
        (("--must-drop", "zzz,yyy"), "--must-drop: no usable record has the id 'yyy' and 1 more."),
        (("--must-keep", "bad"), "--must-keep: no usable record has the id 'bad'"),
        (("--must-keep", "r01,r02", "--must-drop", "r03,r02"), "got 'r02' in both (1 in all)"),
        (("--must-keep", "@none.txt"), "--must-keep @none.txt: expected a text file with an id a line:"),
        (("--must-keep", "@."), "--must-keep @.: expected a text file with an id a line:"),
        (("--must-drop", "@noise"), "--must-drop @noise: expected a text file with an id a line:"),
        (
            ("--must-keep", "r01,r02,r03,r04,r05,r06,r07"),
            "must-keep records need 7 rows: expected at most the budget of 6, 1 too many. Raise the budget or keep",
        ),
        (("--must-keep", "r00,r03", "--quota", "lang=de<=1"), "the must-keep records of the group are 2"),
    ],
)  # fmt: skip
def test_pins_that_cannot_hold(arguments: tuple[object, ...], words: str) -> None:
    Path("noise").write_bytes(b"\xff\xfe\x00")
    assert words in refused("-n", 6, *arguments)


def test_pinned_tokens_above_the_budget() -> None:
    said = refused("--tokens", 3, "--must-keep", "r04,r09")
    assert "must-keep records need" in said
    assert "tokens: expected at most the budget of 3" in said


def test_pins_without_ids_of_their_own() -> None:
    """Ids that tamis made are as good; copies are told apart by their number."""
    Path("pool.jsonl").write_bytes(lines_of([{"text": "same"}] * 3 + [{"text": f"other {i}"} for i in range(9)]))
    code, _, said = tamis_cli("select", "pool.jsonl", "-n", 12, "-o", "all.jsonl")
    assert code == 0, said
    ids = sorted(decisions(Path("all.jsonl")))
    copies = [name for name in ids if "-" in name]
    assert [name[-2:] for name in copies] == ["-2", "-3"]
    code, _, said = tamis_cli(
        "select", "pool.jsonl", "-n", 2, "--must-keep", copies[1], "--must-drop", copies[0], "-o", "some.jsonl"
    )
    assert code == 0, said
    rows = decisions(Path("some.jsonl"))
    assert rows[copies[1]]["kept"]
    assert not rows[copies[0]]["kept"]


# --- quotas


@pytest.mark.parametrize("budget", [("-n", 30), ("--fraction", "50%")])
@pytest.mark.parametrize(
    ("quotas", "holds"),
    [
        (("lang<=40%",), lambda n: max(n.values()) <= 12),
        (("lang=de<=10%", "lang=en>=15"), lambda n: n.get("de", 0) <= 3 and n["en"] >= 15),
        (("lang=cs>=20", "lang=de<=5"), lambda n: n["cs"] == 20 and n.get("de", 0) <= 5),
        (("lang=de>=10", "lang=de<=10"), lambda n: n["de"] == 10),
        (("lang=de<=0",), lambda n: "de" not in n),
    ],
)
def test_quotas_hold(budget: tuple[object, ...], quotas: tuple[str, ...], holds: Any) -> None:
    for seed in range(3):
        found = chosen(*budget, "--seed", seed, *(part for quota in quotas for part in ("--quota", quota)))
        assert len(found) == 30
        assert holds(groups(found)), groups(found)


def test_quotas_on_odd_values() -> None:
    """Values with signs and spaces, in quotes; null by its name; numbers by their text."""
    assert groups(chosen("-n", 20, "--quota", "source='big=one <2' >= 9"), "source")["big=one <2"] >= 9
    assert groups(chosen("-n", 20, "--quota", "size=null<=1"), "size").get(None, 0) <= 1
    assert groups(chosen("-n", 20, "--quota", "size=3>=12"), "size")[3] >= 12
    rows = decisions(Path("out.jsonl"))
    named = {row["group"] for name, row in rows.items() if len(name) == 3 and name != "bad"}
    assert named == {"size=1", "size=2", "size=3", "size=null"}


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        ("lang=de>=90%", "quota lang=de >= 90% (27 rows) cannot hold: 20 eligible records in the group, 7 short"),
        ("lang=xx>=4", "quota lang=xx >= 4 rows cannot hold: 0 eligible records in the group, 4 short"),
        ("lang<=10%", "the caps on 'lang' leave room for 9 of 30 rows, 21 short"),
        ("lang>=50%", "lang"),
        ("lng<=10%", "no record has a value in the field 'lng'. Did you mean 'lang'? Fields seen: id, text, lang"),
        ("tags<=4", "field 'tags': expected a text, number or truth value in every record, got an array or object"),
        ("lang", "quota 'lang': expected FIELD[=VALUE]<=AMOUNT or FIELD[=VALUE]>=AMOUNT"),
        ("lang=de", "got no <= or >="),
        ("lang<=some", "got the amount 'some'"),
        ("lang<=-4", "got the amount '-4'"),
        ("lang>=", "got the amount ''"),
        ("<=4", "quota '<=4': expected FIELD[=VALUE]<=AMOUNT"),
        ("", "quota ''"),
        ("lang<=120%", "quota"),
    ],
)
def test_quotas_that_cannot_hold(quota: str, words: str) -> None:
    assert words in refused("-n", 30, "--quota", quota)


def test_quotas_against_each_other() -> None:
    said = refused("-n", 30, "--quota", "lang=de>=10", "--quota", "lang=de<=5")
    assert "lang=de" in said
    said = refused("-n", 30, "--quota", "lang=de>=15", "--quota", "lang=en>=15", "--quota", "lang=cs>=15")
    assert "lang" in said
    assert "30" in said


def test_a_cap_on_nothing_is_told() -> None:
    code, _, said = tamis_cli(*SELECT, "-n", 5, "--quota", "lang=xx<=10%")
    assert code == 0
    assert "tamis: the quota lang=xx<=10% names a value that no eligible record has." in said


def test_budget_above_the_pool_under_quotas() -> None:
    """The budget is then all there is, and shares count of that: caps that leave no room for it cannot hold."""
    assert len(chosen("-n", 1000, "--quota", "lang<=40%", "--quota", "lang=de>=20")) == 60
    for path in Path().glob("*out*"):
        path.unlink()
    said = refused("-n", 1000, "--quota", "lang=de<=5%")
    assert "leave room for 43 of 60 rows, 17 short; the tightest is quota lang=de <= 5% (3 rows)" in said
