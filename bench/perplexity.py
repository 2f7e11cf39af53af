"""The language model on one core: how fast it learns and scores, how well, and what it takes.

    python bench/perplexity.py [--megabytes 64] [--runs 5]

Speeds are of CPU seconds, medians. With `lmplz` on the PATH and the package `kenlm` installed, KenLM
learns and scores the same pieces as words, unknown ones as six words, and the perplexities stand side by side.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from common import DATA, SCRATCH, abstracts, machine, median, table

from tamis.corpus.chunk import Text
from tamis.kernels.kneser_ney import UNIT, costs
from tamis.signals.language_model import LanguageModel, train
from tamis.signals.perplexity import PoolPerplexity, bits_per_byte
from tamis.signals.word_stream import Pieces, segment


def text_of(texts: list[str]) -> Text:
    """Return texts as an Arrow column."""
    return Text.of(pa.array(texts, pa.large_string()))


def seconds(step: Callable[[], object], runs: int) -> float:
    """Return the median CPU seconds of a step, after one run that does not count."""
    step()
    found = []
    for _ in range(runs):
        started = time.process_time()
        step()
        found.append(time.process_time() - started)
    return median(found)


def peak() -> float:
    """Return the peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pool(megabytes: float) -> tuple[list[str], list[str]]:
    """Return abstracts to learn from and every twentieth, left out, to score."""
    learned, held, size = [], [], 0
    for i, record in enumerate(abstracts()):
        text = f"{record['title']}. {record['abstract']}"
        (held if i % 20 == 0 else learned).append(text)
        size += len(text)
        if size > megabytes * 1e6:
            break
    return learned, held


def laws(limit: int) -> list[str]:
    """Return some German laws."""
    path = DATA / "corpus_gesetze_de" / "gesetze.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(limit), strict=False)]


def words(model: LanguageModel, texts: list[str]) -> list[list[int]]:
    """Return the symbols of each text."""
    known = {int(h): int(s) for h, s in model.vocabulary if h}
    found = []
    for text in texts:
        data = np.frombuffer(text.encode(), np.uint8)
        n = len(data)
        out = Pieces(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n, np.uint64))
        count = segment(data, 0, n, out)
        pairs = zip(out.hash[:count].tolist(), out.kind[:count].tolist(), strict=True)
        found.append([known.get(h, kind) for h, kind in pairs])
    return found


def kenlm(model: LanguageModel, learned: list[str], held: list[str]) -> None:
    """Print the perplexity of both models on the same words."""
    try:
        import kenlm as package
    except ImportError:
        package = None
    lmplz = shutil.which("lmplz")
    if package is None or lmplz is None:
        print("\nKenLM is not installed (package kenlm, program lmplz): no comparison")
        return
    SCRATCH.mkdir(parents=True, exist_ok=True)
    corpus, arpa = SCRATCH / "kenlm.txt", SCRATCH / "kenlm.arpa"
    lines = [" ".join(f"w{s}" for s in symbols) for symbols in words(model, learned)]
    Path(corpus).write_text("\n".join(lines) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [lmplz, "-o", "3", "-S", "2G", "--discount_fallback", "--text", str(corpus), "--arpa", str(arpa)]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    theirs = package.Model(str(arpa))
    sequences = words(model, held)
    tokens = sum(len(s) + 1 for s in sequences)
    asked = [" ".join(f"w{s}" for s in symbols) for symbols in sequences]
    started = time.process_time()
    bits = -sum(theirs.score(line) for line in asked) * np.log2(10)
    scored = time.process_time() - started
    begin = len(model.words.kind) - 1
    ours = sum(int(costs(model.words, np.array([begin, *s, 0], np.int32)).sum()) for s in sequences) / UNIT
    size = sum(len(t.encode()) for t in learned), sum(len(t.encode()) for t in held)
    rows = [
        ["KenLM", f"{2 ** (bits / tokens):.2f}", f"{size[0] / cpu / 1e6:.1f}", f"{size[1] / scored / 1e6:.1f}"],
        ["tamis", f"{2 ** (ours / tokens):.2f}", "above, from texts", "above, from texts"],
    ]
    header = ["same words, order 3", "perplexity", "learn MB/s (words ready)", "score MB/s (words ready)"]
    print("\n" + table(header, rows))


def out_of_fold(text: Text, size: int) -> None:
    """Print how fast and in what memory a pool is scored by itself; first, so that the peak is its own."""
    train([text_of(["warm up"])]).score(text_of(["warm up"]))
    before = peak()
    keys = np.random.default_rng(0).integers(0, 2**63, (len(text), 2)).astype(np.uint64)
    key = pa.StructArray.from_arrays([pa.array(keys[:, j].copy()) for j in range(2)], ["hi", "lo"])
    columns = {"text": text.array(), "key": key}
    signal = PoolPerplexity()
    started = time.process_time()
    state = signal.merge([signal.summary(columns)])
    middle = time.process_time()
    scores = np.asarray(signal.column(columns, state))
    ended = time.process_time()
    models = sum(m.nbytes for m in state if m is not None)
    print(
        f"out of fold, 2 folds: learn {size / (middle - started) / 1e6:.1f} MB/s, "
        f"score {size / (ended - middle) / 1e6:.1f} MB/s, mean {np.nanmean(scores):.3f} bits per byte, "
        f"both models {models / size:.2f} bytes a byte, peak memory {peak() - before:,.0f} MB over {before:,.0f} MB"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=64)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    learned, held = pool(options.megabytes)
    text, new = text_of(learned), text_of(held)
    size, runs = len(text.data), options.runs
    out_of_fold(text, size)
    rows = []
    for order in (2, 3, 4):
        spent = seconds(lambda n=order: train([text], order=n), runs)  # type: ignore[misc]
        model = train([text], order=order)
        scored = seconds(lambda m=model: m.score(new), runs)  # type: ignore[misc]
        bits = model.score(new).bits.sum() / len(new.data)
        rows.append([
            f"order {order}", f"{size / spent / 1e6:.1f}", f"{len(new.data) / scored / 1e6:.1f}", f"{bits:.3f}",
            f"{model.nbytes / size:.2f}",
        ])  # fmt: skip
    header = [f"{size / 1e6:.0f} MB of abstracts", "learn MB/s", "score MB/s", "bits per byte", "model bytes a byte"]
    print("\n" + table(header, rows))
    model = train([text])
    joined = "\n".join(held).encode()
    rows = [["gzip -9, all at once", "", f"{8 * len(zlib.compress(joined, 9)) / len(joined):.3f}"],
            ["xz -6, all at once", "", f"{8 * len(lzma.compress(joined)) / len(joined):.3f}"]]  # fmt: skip
    shuffled = [" ".join(np.random.default_rng(0).permutation(t.split()).tolist()) for t in held]
    noise = np.random.default_rng(0).integers(33, 127, (1000, 1000)).astype(np.uint8).view("S1000")[:, 0]
    others = {"new abstracts": held, "their words shuffled": shuffled, "German laws": laws(300),
              "random characters": [n.decode() for n in noise.tolist()]}  # fmt: skip
    for name, texts in others.items():
        column = text_of(texts)
        spent = seconds(lambda t=column: model.score(t), runs)  # type: ignore[misc]
        bits = np.nanmean(bits_per_byte(model, column))
        rows.append([name, f"{len(column.data) / spent / 1e6:.1f}", f"{bits:.3f}"])
    print("\n" + table(["order 3", "score MB/s", "bits per byte, mean over texts"], rows))
    kenlm(model, learned, held)


if __name__ == "__main__":
    sys.exit(main())
