"""What the tests of reports share: data to render, hostile texts, a reader of HTML, a browser."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.measure.chance import Place
from tamis.report import ReportData
from tamis.report.data import (
    Dedup,
    Drop,
    Example,
    Figure,
    File,
    GroupRow,
    Groups,
    Histogram,
    Pair,
    PoolMap,
    Records,
    Shown,
    Stage,
    Text,
)
from tamis.run.session import Session

__all__ = ["HOSTILE", "Page", "browse", "browser", "data", "fragments_of", "lines_of", "write_pool"]

#: Texts that a page must show as texts. The first ones set the title of the document if they run.
HOSTILE = [
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "'><svg onload=document.title='pwned'>",
    "</title></style></textarea></script><script>document.title='pwned'</script>",
    "</desc></svg><iframe srcdoc=\"<script>parent.document.title='pwned'</script>\">",
    "<meta http-equiv=refresh content='0;url=javascript:document.title=1'><base href='https://example.org/'>",
    "&lt;b&gt; &amp; &#60;script&#62; ]]> <!-- ",
    "\u202eright to left\u202c \u2066isolated\u2069 zero\u200bwidth\u200d \ufeffbom \u00ad soft",
    "nul \x00 bell \x07 escape \x1b[31m c1 \x9b delete \x7f \u2028 separator",
    "half a pair \ud800 and \udfff; tag \U000e0041; private \ue000",
    "شكرا \u202e abc עברית हिन्दी क्\u200dष 👩\u200d👩\u200d👧",
    "Z̷̢̛a͢l҉g" + "\u0301" * 200 + "o",
    "x" * 1_000_000,
    "a\r\nb\rc\td",
]


def data(words: str = "plain", *, figures: int = 2, bins: int = 6) -> ReportData:
    """Return a report of made-up numbers with `words` wherever a user's words can stand."""
    rng = np.random.default_rng(0)
    text = Shown(words[:500], len(words.encode("utf-8", "replace")), cut=len(words) > 500)
    piece = Text(((words[:200], False), (words[200:400], True)), 4_000, skipped=7, cut=True)
    record = Example(words, f"{words}, line 3", (("score", "1.5"), (words, words)), text)
    shares = rng.dirichlet(np.ones(bins), size=4)
    spread = Histogram(
        words, "bytes", words, words, np.geomspace(10, 10_000, bins + 1), True, *shares[:2],
        np.minimum(shares[2], shares[3]), np.maximum(shares[2], shares[3]),
        ("5%", "median"), (12.0, 400.0), (30.0, 800.0), ((11.0, 14.0), (380.0, 420.0)), 3,
    )  # fmt: skip
    made = tuple(
        Figure(f"{words} {i}", words, words, 2.0 * i + 1, (1.0, 1.5, 2.0), Place(0 if not i else 3, 0, 3), 1.2)
        for i in range(figures)
    )
    groups = GroupRow(words, 0.9, 0.5, 0.8, 0.95, 50), GroupRow("29 others", 0.1, 0.5, 0.05, 0.2, 50)
    places = rng.uniform(size=(3, 20, 2))
    return ReportData(
        title=words,
        version="0",
        method=words,
        source=words,
        facts=((words, words), ("records read", "1,000")),
        options=((words, words),),
        base=words,
        draws=words,
        stages=(Stage("Read", 0, 1000), Stage(words, 100, 900), Stage("Chosen", 800, 100)),
        files=tuple(File(f"{words}{i}", "jsonl", words, 500, 3, 50) for i in range(2)),
        drops=(Drop(words, words, 90, (record,)), Drop(words, f"{words}2", 10)),
        figures=made,
        groups=(Groups(words, words, 30, 29, groups),),
        histograms=(spread,),
        map=PoolMap(words, *places, ((words,), (), (words, "b"), ()), (0.05, 0.02)),
        dedup=Dedup(((words, words),), (Pair(0.9, Example(words, words, (), piece), record),)),
        records=(Records(words, words, (record,)),),
        notes=(words,),
        gaps=(words,),
    )  # fmt: skip


class Page(HTMLParser):
    """A page taken apart: its elements, ids, links, visible text; tags that do not match are in `wrong`."""

    VOID = frozenset(("meta", "link", "img", "br", "hr", "input", "base"))

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def browser() -> str:
    """Return the path of a Chromium; skips the calling test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium in PATH: apt-get install chromium")


def browse(page: Path, profile: Path, *options: str, dark: bool = False) -> str:
    """Open a page in a fresh headless browser; return what it printed (with `--dump-dom`, the document)."""
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=2000", *options, page.resolve().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, timeout=180, check=False, env=os.environ | {"HOME": str(profile)}
    )
    if done.returncode:
        pytest.skip(f"the browser does not start here: {done.stderr.decode('utf-8', 'replace')[-300:]}")
    return done.stdout.decode("utf-8", "replace")


def lines_of(records: Sequence[dict[str, Any]]) -> bytes:
    """Return records as JSONL."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def write_pool(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    """Write records in the format that the name says; return the path."""
    table = pa.Table.from_pylist(list(records))
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=7)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(records), indent=2))
    elif path.suffix == ".txt":
        path.write_text("".join(record["text"] + "\n" for record in records))
    elif path.suffix == ".csv":
        text = io.StringIO()
        writer_ = csv.DictWriter(text, records[0].keys())
        writer_.writeheader()
        writer_.writerows(records)
        path.write_text(text.getvalue())
    else:
        path.write_bytes(lines_of(records))
    return path


@contextlib.contextmanager
def fragments_of(size: int | None) -> Iterator[None]:
    """Cut files into fragments of `size` bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "_fragment_bytes", lambda _: size)
        yield
