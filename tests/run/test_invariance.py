"""The same input gives the same bytes; the same records give the same choice, however they lie in files.

Bytes: at any thread count, fragment size and state of the store. Ids, scores and reasons: for rows
in any order, over any number of files, plain or compressed.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import (
    COMPRESSED,
    decisions,
    fragments_of,
    lines_of,
    make_records,
    manifest,
    select,
    tamis_cli,
    tiny_tokenizer,
    write_pool,
)

import tamis
from tamis.errors import OptionError

TARGET = [{"text": "river stone paper light"}, {"text": "grain sieve harbour copper tensor"}]
RECORDS = make_records(150)

#: Every method, and the constraints that might make it look at the order of the rows.
JOBS: dict[str, dict[str, Any]] = {
    "random": {"n": 40},
    "random-fraction": {"fraction": 0.21, "seed": 5},
    "random-tokens": {"tokens": 700},
    "random-quotas": {"n": 41, "quota": ["lang=de<=20%", "good=true>=60%"]},
    "random-where": {"fraction": "30%", "where": "n >= 20 and lang <> 'fr'", "quota": "lang<=50%"},
    "random-tokens-quotas": {"tokens": 600, "quota": ["lang=en>=50%", "lang=de<=20%"]},
    "stratified": {"n": 37, "method": "stratified", "strata": "lang"},
    "top": {"n": 25, "by": "bytes"},
    "top-ties": {"n": 50, "by": "good"},
    "top-field": {"n": 25, "by": "n:asc", "where": "good"},
    "length": {"tokens": 900, "method": "length", "order": "shortest", "quota": "good=true<=50%"},
    "dsir": {"n": 45, "target": TARGET},
    "dsir-top": {"fraction": 0.3, "target": TARGET, "top_k": True, "where": "ratio > 0"},
    "dedup": {"fraction": 1.0, "dedup": 0.3, "dedup_by": "bytes"},
    "dedup-where": {"n": 30, "dedup": 0.2, "where": "good", "quota": "lang<=50%"},
    "dsir-tokens": {"tokens": 800, "target": TARGET, "quota": "lang<=40%"},
}


def run(pool: Any, output: str = "out.jsonl", /, **options: Any) -> Path:
    """Select and write with a tokenizer that loads at once."""
    if any(word in json.dumps(options) for word in ("token", "length")):
        options["tokenizer"] = tiny_tokenizer()
    return select(pool, output, **options)


def bytes_of(output: Path) -> dict[str, bytes]:
    """Return the files of a run but for its manifest."""
    stem = output.name.partition(".")[0]
    return {p.name: p.read_bytes() for p in output.parent.glob(f"{stem}[.-]*") if "manifest" not in p.name}


# --- the same bytes


@pytest.mark.parametrize("name", ["random-quotas", "random-tokens", "stratified", "top-ties", "dsir", "dsir-tokens"])
def test_same_bytes_at_any_threads_fragments_and_stores(name: str) -> None:
    """Threads 1, 2, 4; fragments in which lines straddle; a store that is cold, warm, or of the usual fragments."""
    Path("pool").mkdir()
    write_pool(Path("pool/a.jsonl"), "jsonl", [*RECORDS[:70], {"bad": 1}, *RECORDS[70:90], RECORDS[3]])
    write_pool(Path("pool/b.jsonl.gz"), "jsonl", [*RECORDS[90:120], RECORDS[3]])
    write_pool(Path("pool/c.json"), "pretty", RECORDS[120:])
    options = JOBS[name]
    wanted = bytes_of(run("pool", threads=1, **options))
    assert len(wanted) == 3
    told = manifest(Path("out.jsonl"))
    for threads, size in ((2, None), (4, 997), (2, 120), (1, 3000), (4, 997)):
        with fragments_of(size):
            assert bytes_of(run("pool", threads=threads, store="store", **options)) == wanted, (threads, size)
        again = manifest(Path("out.jsonl"))
        assert {k: v for k, v in again.items() if k != "run"} == {k: v for k, v in told.items() if k != "run"}


@pytest.mark.parametrize("kind", ["parquet", "csv", "stream", "pretty"])
def test_same_bytes_of_other_formats_at_any_fragment_size(kind: str) -> None:
    path = write_pool(Path("pool." + kind.replace("pretty", "json").replace("stream", "arrow")), kind, RECORDS)
    wanted = bytes_of(run(path, "one.parquet", n=30, quota="lang<=40%"))
    for size in (300, 2000, 20_000):
        with fragments_of(size):
            assert bytes_of(run(path, "one.parquet", n=30, quota="lang<=40%", threads=2)) == wanted


def test_same_bytes_of_objects() -> None:
    """Records in memory: the manifest too says the same, as it has a hash of what they hold."""
    for pool in (RECORDS, pa.Table.from_pylist(RECORDS)):
        wanted = bytes_of(run(pool, n=30))
        told = manifest(Path("out.jsonl"))
        with fragments_of(500):
            assert bytes_of(run(pool, n=30)) == wanted
        assert manifest(Path("out.jsonl"))["inputs"] == told["inputs"]
    changed = [*RECORDS[:-1], {"text": "other"}]
    run(changed, n=30)
    assert manifest(Path("out.jsonl"))["inputs"] != told["inputs"]


def test_a_warm_store_serves_other_jobs() -> None:
    """What one job left in a store changes nothing in the next, whatever it asks for."""
    write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    for name, options in JOBS.items():
        warm = bytes_of(run("pool.jsonl", store="store", threads=2, **options))
        assert warm == bytes_of(run("pool.jsonl", **options)), name
    write_pool(Path("pool.jsonl"), "jsonl", RECORDS[::-1])
    assert bytes_of(run("pool.jsonl", store="store", n=9)) == bytes_of(run("pool.jsonl", n=9)), "changed meanwhile"
    assert bytes_of(run("pool.jsonl", store="store", n=9, text="lang")) == bytes_of(run("pool.jsonl", n=9, text="lang"))


# --- the same choice


def resharded(records: list[dict[str, Any]], seed: int, folder: Path) -> Path:
    """Write records in another order over several files, plain and compressed; return their folder."""
    shuffle = random.Random(seed)
    rows = records.copy()
    shuffle.shuffle(rows)
    cuts = sorted(shuffle.sample(range(len(rows) + 1), shuffle.randrange(4)))
    folder.mkdir()
    for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        path = folder / f"{shuffle.random():.6f}-{number}.jsonl{shuffle.choice(list(COMPRESSED))}"
        write_pool(path, "jsonl", rows[start:stop])
    return folder


@pytest.mark.parametrize("name", list(JOBS))
def test_rows_in_any_order_over_any_files(name: str) -> None:
    """Each id keeps its fate, score, rank and reason; identical copies are told apart by their number alone."""
    records = [*RECORDS, RECORDS[7], RECORDS[7], RECORDS[20], {"text": "   "}, {"text": "   "}, {"no": "text"}]
    options = {**JOBS[name], "text": "text"}
    wanted = decisions(run(write_pool(Path("pool.jsonl"), "jsonl", records), **options))
    assert len(wanted) == len(records)
    kept = sorted(Path("out.jsonl").read_bytes().splitlines())
    for seed in range(3):
        pool = resharded(records, seed, Path(f"pool{seed}"))
        with fragments_of((None, 700, 150)[seed]):
            assert decisions(run(pool, threads=1 + seed, **options)) == wanted
        assert sorted(Path("out.jsonl").read_bytes().splitlines()) == kept


@pytest.mark.parametrize("name", ["random-quotas", "dsir", "top-ties"])
def test_rows_of_tables_in_any_order(name: str) -> None:
    wanted = decisions(run(pa.Table.from_pylist(RECORDS), **JOBS[name]))
    rows = RECORDS.copy()
    random.Random(1).shuffle(rows)
    files = [write_pool(Path("a.parquet"), "parquet", rows[:40]), write_pool(Path("b.arrow"), "stream", rows[40:])]
    assert decisions(run(files, **JOBS[name])) == wanted


def test_user_ids_decide_alone() -> None:
    """With an id field, chance hangs on the id: neither other fields nor the format matter."""
    wanted = {key: row["kept"] for key, row in decisions(run(RECORDS, n=40, id="id")).items()}
    assert set(wanted) == {record["id"] for record in RECORDS}
    other = write_pool(Path("pool.csv"), "csv", [{"id": r["id"], "text": "x"} for r in RECORDS[::-1]])
    assert {key: row["kept"] for key, row in decisions(run(other, n=40, id="id")).items()} == wanted


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30),
    budget=st.integers(1, 12),
    seed=st.integers(0, 3),
)
def test_copies_are_numbered_and_interchangeable(names: list[str], budget: int, seed: int) -> None:
    """Copies are ID, ID-2, ID-3 in input order; permuted, as many copies of each are chosen, under the same ids."""
    records = [{"text": f"record {name}"} for name in names]
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for rows in (records, records[::-1]):
            with tamis.select(rows, n=budget, seed=seed, store=f"{folder}/store", method="random") as chosen:
                everyone = chosen.identities.strings(np.arange(len(rows))).to_pylist()
                for name in set(names):
                    own = [
                        i
                        for i, r in zip(
                            chosen.identities.strings(__import__("numpy").arange(len(rows))).to_pylist(),
                            rows,
                            strict=True,
                        )
                        if r["text"] == f"record {name}"
                    ]
                    assert own == [own[0], *(f"{own[0]}-{k}" for k in range(2, len(own) + 1))]
                found.append((set(everyone), set(chosen.ids.to_pylist())))
        assert found[0] == found[1]


# --- lossless

HOSTILE_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
HOSTILE = st.dictionaries(st.text(max_size=5).filter(lambda name: name != "text"), HOSTILE_VALUE, max_size=4).flatmap(
    lambda record: st.text(min_size=1, max_size=30).map(lambda text: {**record, "text": "t" + text})
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    records=st.lists(st.tuples(HOSTILE, st.booleans(), st.sampled_from(["", " ", "\t"])), min_size=1, max_size=8),
    size=st.sampled_from([None, 20, 333]),
    suffix=st.sampled_from(["", ".gz", ".zst"]),
)
def test_json_lines_keep_their_bytes(records: list[Any], size: int | None, suffix: str) -> None:
    """Any JSON object with a text, escaped or not, spaced or not, comes out as the bytes it came in."""
    lines = [
        json.dumps(record, ensure_ascii=ascii, separators=(f",{space}", f"{space}:")).encode("utf-8", "surrogatepass")
        for record, ascii, space in records
    ]
    with tempfile.TemporaryDirectory() as folder, fragments_of(size):
        pool = Path(folder, f"pool.jsonl{suffix}")
        pool.write_bytes(COMPRESSED[suffix](b"\n".join(lines) + b"\n"))
        output = select(pool, f"{folder}/out.jsonl", n=10**6, store=f"{folder}/store")
        assert output.read_bytes() == b"".join(line + b"\n" for line in lines)
        assert manifest(output)["counts"]["rejected"] == 0
        with tamis.open(pool) as opened:
            assert list(opened.records()) == [json.loads(line) for line in lines]
            assert list(opened.texts()) == [record["text"] for record, _, _ in records]


def test_parquet_keeps_values_and_schema() -> None:
    """Types, nulls, nesting, dictionaries, time zones and metadata of the columns."""
    table = pa.table(
        {
            "text": pa.array([f"text {i}" for i in range(50)], pa.large_string()),
            "small": pa.array([None if i % 7 == 0 else i - 25 for i in range(50)], pa.int8()),
            "half": pa.array([i / 3 for i in range(50)], pa.float32()),
            "when": pa.array(range(50), pa.timestamp("us", "Europe/Paris")),
            "word": pa.array([f"w{i % 4}" for i in range(50)]).dictionary_encode(),
            "nested": pa.array([[{"a": i, "b": None}] * (i % 3) for i in range(50)]),
            "blob": pa.array([bytes([i, 255]) for i in range(50)], pa.binary()),
            "money": pa.array(list(range(50)), pa.decimal128(9, 2)),
        }
    )
    pq.write_table(table, "pool.parquet", row_group_size=11)
    table = pq.read_table("pool.parquet")  # Parquet has a name of its own for the elements of lists
    for size in (None, 300):
        with fragments_of(size):
            output = select("pool.parquet", "out.parquet", n=50, threads=2)
        found = pq.read_table(output)
        assert found.schema.equals(table.schema, check_metadata=True)
        assert found.equals(table)
    part = pq.read_table(select("pool.parquet", "out.parquet", n=9))
    rows = [row for row in table.to_pylist() if row in part.to_pylist()]
    assert part.to_pylist() == rows, "in input order"


def test_across_formats() -> None:
    """JSON lines to Parquet: one type a column, raw JSON where types clash. Parquet to lines: as documented."""
    lines = [b'{"text":"a","v":1,"w":[1]}', b'{"text":"b","v":"x","w":[]}', b'{"text":"c","n":1.5}']
    Path("pool.jsonl").write_bytes(b"\n".join(lines))
    found = pq.read_table(select("pool.jsonl", "out.parquet", n=3))
    assert found.to_pylist() == [
        {"text": "a", "v": "1", "w": [1], "n": None},
        {"text": "b", "v": '"x"', "w": [], "n": None},
        {"text": "c", "v": None, "w": None, "n": 1.5},
    ]
    back = select("out.parquet", "back.jsonl", n=3)
    assert [json.loads(line)["v"] for line in back.read_bytes().splitlines()] == ["1", '"x"', None]
    csv = write_pool(Path("pool.csv"), "csv", RECORDS[:5])
    assert [json.loads(line)["n"] for line in select(csv, "csv.jsonl", n=5).read_bytes().splitlines()] == list("01234")
    mixed = select(["pool.jsonl", "pool.csv"], "mixed.parquet", n=99)
    assert pq.read_table(mixed).num_rows == 8


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".parquet.gz", ".parquet.zst"])
@pytest.mark.parametrize("shards", [1, 3])
def test_outputs(suffix: str, shards: int) -> None:
    """Every suffix, one file or several, holds the chosen records in input order."""
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    code, out, err = tamis_cli("select", pool, "-n", 20, "-o", "out" + suffix, "--shards", shards, "--json")
    assert code == 0, err
    paths = json.loads(out)["outputs"]["records"]
    assert len(paths) == shards
    with tamis.select(pool, n=20, method="random") as chosen:
        wanted = chosen.to_dicts()
    found: list[Any] = []
    for path in paths:
        with tamis.open(path) as part:
            found += list(part.records())
            assert len(part) in (20, 6, 7)
    assert found == wanted
    assert [r["n"] for r in found] == sorted(r["n"] for r in found)
    rows = decisions(Path("out" + suffix), place=True)
    assert len(rows) == 150
    assert sum(row["kept"] for row in rows.values()) == 20
    assert sorted(row["rank"] for row in rows.values() if row["kept"]) == list(range(20))
    assert list(rows) == sorted(rows), "by id"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_annotate_option(kind: str, suffix: str) -> None:
    """Each record gets a member `tamis`: id, score, weight, rank, reason and the signals; all else stays."""
    records = [{**record, "tamis_not": 1} for record in RECORDS[:30]]
    pool = write_pool(Path("pool." + kind), kind, records)
    output = select(pool, "out" + suffix, n=12, by="bytes", how={"annotate": True})
    with tamis.open(output) as opened:
        found = list(opened.records())
    told = decisions(output)
    assert len(found) == 12
    for record in found:
        extra = record.pop("tamis")
        row = told[extra["id"]]
        assert row["kept"]
        assert {name: extra[name] for name in ("score", "weight", "rank", "reason", "bytes")} == {
            name: row[name] for name in ("score", "weight", "rank", "reason", "bytes")
        }
    assert found == [record for record in records if record in found]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_ids_only(suffix: str) -> None:
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    assert tamis_cli("select", pool, "-n", 8, "--ids-only", "-o", "out" + suffix)[0] == 0
    rows = pq.read_table("out.parquet").to_pylist() if suffix == ".parquet" else [
        json.loads(line) for line in Path("out.jsonl").read_bytes().splitlines()
    ]  # fmt: skip
    with tamis.select(pool, n=8, method="random") as chosen:
        assert rows == [{"id": name} for name in chosen.ids.to_pylist()]


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_budget_that_nothing_fits(kind: str, output: str) -> None:
    """Every record costs more than the tokens there are: nothing is chosen, and everything written."""
    pool = write_pool(Path("pool." + kind), kind, RECORDS[:5])
    path = run(pool, output, tokens=1)
    assert manifest(path)["counts"]["chosen"] == 0
    assert len(decisions(path)) == 5
    with tamis.select(pool, tokens=1, tokenizer=tiny_tokenizer(), method="random") as chosen:
        assert chosen.to_dicts() == []
        assert chosen.to_arrow().num_rows == 0
    if output == "out.parquet" and kind == "parquet":
        assert pq.read_schema(output).names == list(RECORDS[0])


# --- details of the contract


def test_token_budget_counts_the_whole_rendered_text() -> None:
    """Role tags, system turn and all parts are counted: the signal is of the text that `open` shows."""
    from tokenizers import Tokenizer

    chats = [
        {
            "system": "Be kind.",
            "messages": [{"role": "user", "content": f"word {i}"}, {"role": "assistant", "content": "yes"}],
        }
        for i in range(6)
    ]
    counter = Tokenizer.from_file(tiny_tokenizer())
    with tamis.open(chats) as opened:
        texts = list(opened.texts())
    assert texts[0] == "system: Be kind.\nuser: word 0\nassistant: yes"
    costs = [len(counter.encode(text).ids) for text in texts]
    path = run(chats, tokens=sum(costs[:3]))
    assert manifest(path)["counts"]["tokens_eligible"] == sum(costs)
    assert manifest(path)["counts"]["tokens_chosen"] == sum(costs[:3])
    assert sorted(row["tokens"] for row in decisions(path).values()) == sorted(costs)


@pytest.mark.parametrize("size", [None, 60])
def test_types_of_fields_are_those_of_the_whole_pool(size: int | None) -> None:
    """Whole numbers in one fragment and texts in another are texts in both, whatever the fragments."""
    mixed = [
        {"text": f"record number {i}", "v": i if i < 20 else str(i), "f": i if i < 20 else i + 0.5} for i in range(40)
    ]
    with fragments_of(size):
        with tamis.select(mixed, n=99, where="v = '7' or v = '33'", method="random") as chosen:
            assert [record["v"] for record in chosen.to_dicts()] == [7, "33"]
        with tamis.select(mixed, n=99, where="f between 18 and 21", method="random") as chosen:
            assert [record["f"] for record in chosen.to_dicts()] == [18, 19, 20.5]
        with tamis.select(mixed, n=5, by="f") as chosen:
            assert [record["f"] for record in chosen.to_dicts()] == [35.5, 36.5, 37.5, 38.5, 39.5]
        with pytest.raises(OptionError, match=r"'v' is no signal, and as a field: .* got texts"):
            tamis.select(mixed, n=5, by="v")
        nested = [*mixed, {"text": "nested", "v": [1]}]
        with pytest.raises(OptionError, match=r"got an array or object in .*, line 41"):
            tamis.select(nested, n=5, where="v = '7'", method="random")
        with pytest.raises(OptionError, match="no record has a value in the field 'u'"):
            tamis.select(mixed, n=5, where="u = 1", method="random")


def test_where_with_null_truth_and_hostile_numbers() -> None:
    """Null and absent are false either way; truth values are truth values; `1e400` and -0 are numbers."""
    lines = [
        b'"v":true',
        b'"v":false',
        b'"v":null',
        b'"w":1',
        b'"v":true,"w":-0',
        b'"w":1e400',
        b'"w":9007199254740993',
    ]
    Path("pool.jsonl").write_bytes(b"".join(b'{"text":"r%d",%s}\n' % pair for pair in enumerate(lines)))

    def held(where: str) -> list[str]:
        with tamis.select("pool.jsonl", n=99, where=where, method="random") as chosen:
            return [record["text"] for record in chosen.to_dicts()]

    assert held("v") == ["r0", "r4"]
    assert held("not v") == ["r1"]
    assert held("v is null") == ["r2", "r3", "r5", "r6"]
    assert held("w > 0") == ["r3", "r5", "r6"]
    assert held("w = 0") == ["r4"]
    assert held("bytes > 1 and v") == ["r0", "r4"]


def test_field_prefix_means_the_field() -> None:
    """A field that has a signal's name is reached by `field:NAME`, everywhere names are typed."""
    records = [{"text": "x" * (1 + i), "bytes": 100 - i, "tokens": "t" if i % 2 else "u"} for i in range(20)]
    with tamis.select(records, n=1, by="bytes") as chosen:
        assert chosen.to_dicts()[0]["bytes"] == 81
    with tamis.select(records, n=1, by="field:bytes") as chosen:
        assert chosen.to_dicts()[0]["bytes"] == 100
    with tamis.select(records, n=1, by="field:bytes:asc") as chosen:
        assert chosen.to_dicts()[0]["bytes"] == 81
    with tamis.select(records, n=99, where='"field:bytes" > 98 and bytes < 2', method="random") as chosen:
        assert [r["bytes"] for r in chosen.to_dicts()] == [100]
    with tamis.select(records, n=10, quota="tokens=u>=10", method="random") as chosen:
        assert {r["tokens"] for r in chosen.to_dicts()} == {"u"}
    with tamis.select(records, n=4, method="stratified", strata="tokens") as chosen:
        assert sorted(r["tokens"] for r in chosen.to_dicts()) == ["t", "t", "u", "u"]


def test_quotas_on_nulls_truth_values_and_numbers() -> None:
    """Groups are the JSON text of a value: null and absent one group, `1` and `"1"` another, `true` a third."""
    values: list[Any] = [None, True, 1, "1", 1.5, "null"]
    records: list[dict[str, Any]] = [{"text": f"r{i}", "v": values[i % 6]} for i in range(60)] + [{"text": "absent"}]
    path = select(records, "out.jsonl", n=20, quota=["v=true>=10", "v=1<=4", "v=null<=7", "v=1.5<=0"])
    found = [json.loads(line).get("v") for line in path.read_bytes().splitlines()]
    assert sum(v is True for v in found) >= 10
    assert sum(v in (1, "1") and v is not True for v in found) <= 4
    assert sum(v in (None, "null") for v in found) <= 7
    assert 1.5 not in found
    groups = {row["group"] for row in decisions(path).values()}
    assert groups == {"v=null", "v=true", "v=1", "v=1.5"}


def test_pins_pass_where_and_count() -> None:
    """Kept ids pass the filter and count against the budget; dropped ones are out; both are told by hand."""
    options: dict[str, Any] = {"n": 5, "id": "id", "where": "n < 50"}
    path = select(RECORDS, "out.jsonl", must_keep=["r0149", "r0001"], must_drop=["r0002"], **options)
    rows = decisions(path)
    assert sum(row["kept"] for row in rows.values()) == 5
    assert (rows["r0149"]["stage"], rows["r0149"]["kept"]) == ("pin", True)
    assert (rows["r0002"]["stage"], rows["r0002"]["kept"]) == ("pin", False)
    assert rows["r0100"]["stage"] == "where"
    code, _, err = tamis_cli("select", write_pool(Path("p.jsonl"), "jsonl", RECORDS), "--id", "id", "-n", 5,
                             "--must-keep", "r0149,r00", "-o", "o.jsonl")  # fmt: skip
    assert code == 2
    assert "no usable record has the id 'r00'" in err


def test_compressed_input_makes_the_same_choice() -> None:
    Path("pool.jsonl").write_bytes(lines_of(RECORDS))
    Path("pool.jsonl.gz").write_bytes(gzip.compress(lines_of(RECORDS)))
    for name in ("dsir", "random-tokens"):
        one, other = (run(pool, f"{i}.jsonl", **JOBS[name]) for i, pool in enumerate(("pool.jsonl", "pool.jsonl.gz")))
        assert one.read_bytes() == other.read_bytes()
        assert decisions(one) == decisions(other)
