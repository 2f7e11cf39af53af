"""The rules on one core: how fast, beside the filters of datatrove, and which rule fails how many real records.

    python bench/rules.py [--megabytes 8] [--runs 5] [--peer-records 1000] [--shares]

Speeds are of bytes of text over CPU seconds, medians. All sets are on. With `datatrove` and `spacy` installed its four
filters judge the first records of each set, each the same text, so that it splits a text into words once; the
shares of equal decisions stand beside. With `--shares`, a second table: the share of records that fail each rule.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import random
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from common import DATA, machine, median, table

from tamis.corpus.buffers import as_numpy
from tamis.corpus.chunk import Text
from tamis.signals.rule_sets import RULES
from tamis.signals.rules import Rules, first_failure

SETS = ("gopher_quality", "gopher_repetition", "c4", "fineweb")
FILTERS = ("GopherQualityFilter", "GopherRepetitionFilter", "C4QualityFilter", "FineWebQualityFilter")


def texts() -> Iterator[tuple[str, list[str]]]:
    """Yield (name, texts) of each set of real data, in an order that chance decided once."""

    def read(path: str, field: str) -> list[str]:
        opened = (lzma if path.endswith(".xz") else gzip).open(DATA / path, "rt", encoding="utf-8")
        with opened as lines:
            return [json.loads(line)[field] for line in lines]

    with gzip.open(DATA / "alpaca_52k" / "alpaca_data.json.gz", "rt", encoding="utf-8") as file:
        alpaca = ["\n".join(filter(None, row.values())) for row in json.load(file)]
    found = {
        "corpus_arxiv (stat)": read("corpus_arxiv/arxiv_stat.jsonl.xz", "abstract"),
        "alpaca_52k": alpaca,
        "cls_20newsgroups": read("cls_20newsgroups/20news_bydate.jsonl.gz", "text"),
        "corpus_gesetze_de": read("corpus_gesetze_de/gesetze.jsonl.xz", "text"),
        "corpus_code_thealgorithms": read("corpus_code_thealgorithms/code.jsonl.gz", "text"),
    }
    for name, rows in found.items():
        random.Random(0).shuffle(rows)
        yield name, rows


def text_of(rows: list[str]) -> Text:
    """Return texts as an Arrow column."""
    return Text.of(pa.array(rows, pa.large_string()))


def cut(rows: list[str], megabytes: float) -> list[str]:
    """Return the first texts, of so many megabytes together."""
    sizes = np.cumsum([len(row.encode()) for row in rows])
    return rows[: int(np.searchsorted(sizes, megabytes * 1e6)) + 1]


def ours(rows: list[str], runs: int) -> float:
    """Return megabytes a CPU second."""
    signal, text = Rules(), text_of(rows)
    signal.column(text)
    found = []
    for _ in range(runs):
        started = time.process_time()
        signal.column(text)
        found.append(time.process_time() - started)
    return float(text.offsets[-1]) / 1e6 / median(found)


def judges(language: str) -> list[Callable[[str], bool]] | None:
    """Return the peer's filters, each a function of a text; None where it is not installed."""
    try:
        import spacy  # noqa: F401
        from datatrove.data import Document
        from datatrove.pipeline import filters
    except ImportError:
        return None
    made = [getattr(filters, name)(language=language) for name in FILTERS]
    return [lambda text, one=one: one.filter(Document(text=text, id="")) is True for one in made]


def theirs(rows: list[str], filters: list[Callable[[str], bool]]) -> tuple[float, list[float]]:
    """Return megabytes a CPU second, and for each filter the share of texts we decide alike."""
    for judge in filters:
        judge(rows[0])
    started = time.process_time()
    kept = np.array([[judge(row) for judge in filters] for row in rows])
    seconds = time.process_time() - started
    text = text_of(rows)
    mask = as_numpy(Rules().column(text))
    passes = [first_failure(mask, Rules((name,)))[0] < 0 for name in SETS]
    agree = [float(np.mean(kept[:, i] == passes[i])) for i in range(len(SETS))]
    return float(text.offsets[-1]) / 1e6 / seconds, agree


def shares(pools: dict[str, list[str]]) -> str:
    """Return the share of records that fail each rule, and of lines that C4's line rules drop, as a table."""
    columns = []
    for rows in pools.values():
        text, signal = text_of(rows), Rules()
        mask, found = as_numpy(signal.column(text)), signal.measures(text)
        column = []
        for bit, (_, rule) in enumerate(RULES.items()):
            failing = (mask >> np.uint64(bit)) & np.uint64(1)
            share = float(found[rule.measure].mean() if rule.fails == "line" else failing.mean())
            column.append(f"{share:.1%}" if share >= 0.0005 or not share else "<0.1%")
        columns.append([*column, f"{np.mean(mask == 0):.1%}"])
    names = [*RULES, "passes all"]
    return table(["rule", *pools], [[name, *(column[i] for column in columns)] for i, name in enumerate(names)])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-records", type=int, default=1000)
    parser.add_argument("--shares", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pools = dict(texts())
    print(machine())
    rows = []
    for name, pool in pools.items():
        filters = judges("de" if name.endswith("_de") else "en")
        speed = ours(cut(pool, options.megabytes), options.runs)
        row = [name, f"{speed:.0f}"]
        if filters is not None:
            few = cut(pool[: options.peer_records], 2)
            other, agree = theirs(few, filters)
            row += [f"{other:.2f}", f"{speed / other:.0f}", f"{len(few):,}", *(f"{share:.2%}" for share in agree)]
        rows.append(row)
    header = ["texts", "tamis MB/s"]
    if len(rows[0]) > 2:
        header += ["datatrove MB/s", "times", "records judged by both", *(f"alike: {name}" for name in SETS)]
    print(table(header, rows))
    if options.shares:
        print(f"\n{shares(pools)}")


if __name__ == "__main__":
    main()
