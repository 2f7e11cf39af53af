"""Data sets that people publish: they open as they are, hold what their notes say, and can be chosen from."""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import decisions, manifest, select, tamis_cli

import tamis
from data import real
from tamis.errors import InputError

#: File, how its text is found, records, shape.
SETS: list[tuple[str, dict[str, Any], int, str]] = [
    ("alpaca_52k/alpaca_data.json.gz", {}, 52_002, "alpaca"),
    ("bbh/bbh.jsonl.gz", {}, 6_511, "prompt"),
    ("cls_20newsgroups/20news_bydate.jsonl.gz", {}, 18_846, "text"),
    ("cls_banking77/train.csv", {}, 10_003, "text"),
    ("cls_sst2/train.tsv.gz", {}, 67_349, "text"),
    ("corpus_arxiv/arxiv_stat.jsonl.xz", {"text": "{title}. {abstract}", "id": "id"}, 19_663, "template"),
    ("corpus_gesetze_de/gesetze.jsonl.xz", {}, 4_986, "text"),
    ("gpteacher/toolformer-dedupe-only-dataset.json.gz", {}, 7_673, "alpaca"),
    ("gpteacher/codegen-instruct.json.gz", {}, 4_535, "alpaca"),
    ("gsm8k/train.jsonl.gz", {}, 7_473, "prompt"),
    ("retrieval_scifact/corpus.jsonl.gz", {"id": "_id"}, 5_183, "text"),
    ("scitldr/train.jsonl.gz", {"text": "{title}"}, 1_992, "template"),
    ("t0_p3_55k/t0_per_template.jsonl.gz", {}, 55_185, "prompt"),
]


@pytest.mark.parametrize(("name", "options", "count", "shape"), SETS, ids=[one[0].split(".")[0] for one in SETS])
def test_opens_and_selects(name: str, options: dict[str, Any], count: int, shape: str) -> None:
    """As many records as its notes say, none set aside; 1 % of it can be chosen and written, all accounted for."""
    output = select(real(name), "out.jsonl", fraction=0.01, **options)
    told = manifest(output)
    assert told["counts"]["records"] == count
    assert told["counts"]["rejected"] == 0
    assert told["counts"]["chosen"] == len(output.read_bytes().splitlines()) == round(count / 100)
    assert shape in ("template", told["inputs"][0]["shape"])
    assert len(decisions(output)) == count


@pytest.mark.parametrize(
    ("name", "opener"),
    [("cls_20newsgroups/20news_bydate.jsonl.gz", gzip.open), ("corpus_arxiv/arxiv_qbio.jsonl.xz", lzma.open)],
)
def test_lossless(name: str, opener: Callable[..., Any]) -> None:
    """All of it chosen: the very bytes of the file; some of it: lines of the file, in its order."""
    with opener(real(name)) as file:
        data = file.read()
    assert select(real(name), "all.jsonl", n=10**6).read_bytes() == data
    part = select(real(name), "part.jsonl", n=500, threads=2).read_bytes().splitlines()
    places = {line: number for number, line in enumerate(data.splitlines())}
    numbers = [places[line] for line in part]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 500


def test_texts_are_what_the_fields_say() -> None:
    """Alpaca: instruction, input if any, output. arXiv by template: title, abstract."""
    with gzip.open(real("alpaca_52k/alpaca_data.json.gz")) as file:
        records = json.load(file)
    with tamis.open(real("alpaca_52k/alpaca_data.json.gz")) as pool:
        for record, text in zip(records, pool.texts(), strict=True):
            assert text == "\n".join(
                record[name] for name in ("instruction", "input", "output") if record[name] or name != "input"
            )
        assert len(set(pool.ids.to_pylist())) == 52_002
    with lzma.open(real("corpus_arxiv/arxiv_stat.jsonl.xz")) as file:
        papers = [json.loads(line) for line in file]
    with tamis.open(real("corpus_arxiv/arxiv_stat.jsonl.xz"), text="{title}. {abstract}", id="id") as pool:
        assert list(pool.texts()) == [f"{paper['title']}. {paper['abstract']}" for paper in papers]
        assert pool.ids.to_pylist() == [paper["id"] for paper in papers]


def test_templates_of_prompts_keep_their_quota() -> None:
    """283 templates: none above 1 % of the choice."""
    path = select(real("t0_p3_55k/t0_per_template.jsonl.gz"), "out.jsonl", n=2000, quota="template<=1%", threads=2)
    counts = Counter(json.loads(line)["template"] for line in path.read_bytes().splitlines())
    assert sum(counts.values()) == 2000
    assert max(counts.values()) <= 20


def test_a_target_draws_its_own_kind() -> None:
    """Abstracts of biology as the target: importance resampling takes more of them from a mixed pool than chance."""
    pool = [real("corpus_arxiv/arxiv_stat.jsonl.xz"), real("corpus_arxiv/arxiv_qbio.jsonl.xz")]
    target = Path("target.jsonl")
    with lzma.open(pool[1]) as file:
        target.write_bytes(b"".join(line for number, line in enumerate(file) if number % 40 == 0))
    options: dict[str, Any] = {"n": 1000, "text": "{title}. {abstract}"}
    found = decisions(select(pool, "aimed.jsonl", target=target, **options), place=True)
    chance = decisions(select(pool, "random.jsonl", **options), place=True)

    def share(rows: dict[str, Any]) -> float:
        return sum("qbio" in row["file"] for row in rows.values() if row["kept"]) / 1000

    assert share(found) > 0.7
    assert 0.4 < share(chance) < 0.56


def test_folder_of_published_files() -> None:
    """A folder with its notes and licence beside the data: those are passed over, and said so."""
    folder = real("gpteacher")
    code, out, err = tamis_cli("select", folder, "-n", 10, "-o", "out.jsonl", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["counts"]["records"] == 7_673 + 5_959 + 4_709 + 3_487 + 2_396 + 4_535 + 1_923
    assert any("README.md" in note for note in told["notes"])


def test_what_cannot_be_told_is_asked_for() -> None:
    """Records of no known shape: the message names the fields, and one that holds much text."""
    with pytest.raises(InputError, match=r"Fields seen: source, .* --text 'title'"):
        tamis.open(real("scitldr/train.jsonl.gz"))
    with pytest.raises(InputError, match="got an object over several lines"):
        tamis.open(real("cls_clinc150/data_full.json.gz"))
