"""From finished selections to reports: what they say is true, costs little, and is the same every time."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reports import HOSTILE, Page, fragments_of, lines_of, write_pool

import tamis
from tamis.errors import OutputError
from tamis.report import ReportData, render
from tamis.run import report_chance, report_texts
from tamis.run.report import gather, write_report
from tamis.run.report_records import compared, shown

WORDS = "grain sieve river stone paper light tensor harbour copper violet meadow engine signal window carbon".split()  # noqa: SIM905


def records(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return records of words of their own group, of which the group "long" has longer ones."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        group = ("short", "long", "other")[i % 3]
        at = 5 * (i % 3)
        text = " ".join(rng.choices(WORDS[at : at + 5], k=rng.randint(5, 20) * (6 if group == "long" else 1)))
        made.append({"id": f"r{i}", "text": f"{text} {i}", "kind": group, "value": i})
    return made


@pytest.fixture
def pool() -> Path:
    return write_pool(Path("pool.jsonl"), records(600))


def report(source: Any, **options: Any) -> ReportData:
    plain = {} if "by" in options else {"method": "dsir" if "target" in options else "random"}
    with tamis.select(source, **plain | options) as chosen:
        return gather(chosen)


def test_report_of_a_biased_selection(pool: Path) -> None:
    """The longest hundred are all of one group: length, groups and the counts say so, and chance does not."""
    found = report(pool, n=100, by="value", where="kind = 'long'", must_keep="r0", id="id")
    assert [(stage.title, stage.out, stage.left) for stage in found.stages] == [
        ("Read", 0, 600), ("Condition (--where)", 399, 201), ("Chosen", 101, 100)
    ]  # fmt: skip
    assert found.base == "the 201 eligible records"
    assert [(drop.stage, drop.count) for drop in found.drops] == [("Condition (--where)", 399), ("Not chosen", 101)]
    assert all(example.text.text for example in found.drops[0].examples)
    titles = [group.title for group in found.records]
    assert titles == ["First chosen", "Just above the line", "Just below the line", "Last of all"]
    assert found.records[0].examples[0].id == "r0"
    assert [example.id for example in found.records[0].examples[1:]] == ["r598", "r595", "r592"]
    assert [example.id for example in found.records[2].examples] == ["r301", "r298", "r295", "r292"]
    assert dict(found.records[2].examples[0].facts)["why:"] == "ranked below the budget"
    assert found.records[3].examples[-1].id == "r1"


def test_figures_beside_chance(pool: Path) -> None:
    """A third of the records is long; choosing those shows in the median length, and in the words."""
    found = report(pool, n=150, method="length")
    figures = {figure.name: figure for figure in found.figures}
    length = figures["Median length"]
    assert (length.place.below, length.place.of) == (20, 20)
    assert len(length.random) == 20
    groups = {row.name: row for row in found.groups[0].rows}
    assert found.groups[0].field == "kind"
    assert groups["long"].chosen == 1
    assert groups["long"].pool == pytest.approx(1 / 3)
    assert groups["long"].low < 1 / 3 < groups["long"].high < 0.6
    kinds = figures["Effective number of groups (kind)"]
    assert (kinds.chosen, kinds.place.above) == (pytest.approx(1), 20)
    assert kinds.pool == pytest.approx(3)
    assert figures["Vendi score"].place.above == 20
    assert found.map is not None
    assert len(found.map.chosen) == len(found.map.random) == 150


def test_a_random_selection_stands_among_its_like(pool: Path) -> None:
    """Of a few measures, next to none lies outside; those of the true order do too (seeds, not luck)."""
    outside = measures = 0
    for seed in range(6):
        found = report(pool, n=60, seed=100 * seed)
        measures += len(found.figures)
        outside += sum(figure.place.outside for figure in found.figures)
        assert "seeds" in found.draws
    assert measures == 36
    assert outside <= 12  # expected 3.4; figures of one selection go together


def test_whole_selections_where_columns_tell(pool: Path) -> None:
    """A quota field and a score are known of every record: shares and quantiles are exact."""
    found = report(pool, n=90, by="value", quota="kind<=50%")
    rows = {row.name: row for row in found.groups[0].rows}
    with tamis.select(pool, n=90, by="value", quota="kind<=50%") as chosen:
        kinds = [record["kind"] for record in chosen.to_dicts()]
        scores = chosen.scores
    assert {name: row.chosen_count for name, row in rows.items()} == {k: kinds.count(k) for k in set(kinds)}
    score = next(spread for spread in found.histograms if spread.name == "Score")
    np.testing.assert_allclose(score.chosen_at, np.quantile(scores, [0.05, 0.25, 0.5, 0.75, 0.95]))
    np.testing.assert_allclose(score.pool_at, np.quantile(np.arange(600), [0.05, 0.25, 0.5, 0.75, 0.95]))
    assert score.chosen.sum() == pytest.approx(1)
    assert (score.low <= score.high).all()


def test_random_selections_keep_a_token_budget(pool: Path) -> None:
    found = report(pool, tokens=2000)
    assert "2,000 tokens" in found.draws
    with tamis.select(pool, tokens=2000, method="random") as chosen:
        chance = report_chance.draw_chance(chosen)
        tokens = chosen.choice.decided.signals["tokens"][chance.base]
        used = [int(tokens[rows].sum()) for rows in chance.random]
    assert all(1500 < total <= 2000 for total in used)
    assert len({tuple(rows) for rows in chance.random}) == 20


def test_near_duplicates_side_by_side(pool: Path) -> None:
    """Pairs that differ in one word: it is marked, and the report tells the recall that was measured."""
    many = records(120)
    for i in range(0, 40, 2):
        many[i]["text"] = " ".join(f"{WORDS[(i * j) % 15]}{i}x{j}" for j in range(60)) + " here first"
        many[i + 1]["text"] = many[i]["text"].replace("first", "second")
    found = report(write_pool(Path("near.jsonl"), many), n=30, dedup=0.8)
    assert found.dedup is not None
    facts = dict(found.dedup.facts)
    assert facts["Left out"].startswith("20 records")
    assert "100.0% (95% interval" in facts["Measured recall"]
    assert len(found.dedup.pairs) == 6
    for pair in found.dedup.pairs:
        assert 0.8 <= pair.similarity < 1
        marked = [part.strip() for one in (pair.gone, pair.stays) for part, differs in one.text.pieces if differs]
        assert sorted(marked) == ["first", "second"]


def test_when_all_eligible_records_are_chosen(pool: Path) -> None:
    """What the filters did is then compared with random records of all that could be read."""
    found = report(pool, fraction=1.0, where="kind <> 'long'")
    assert found.base.startswith("the 600 records that could be read")
    length = next(figure for figure in found.figures if figure.name == "Median length")
    assert length.place.above == 20
    everything = report(pool, fraction=1.0)
    assert everything.map is None
    assert everything.gaps


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ([{"text": "one"}], {"n": 1}),
        ([{"text": "one"}, {"text": "two words"}, {"text": "three"}], {"n": 1}),
        ([{"text": "..."}] * 30, {"n": 7}),
        ([{"text": "same words"}] * 30, {"n": 7}),
        ([{"text": f"word{i} " * 9} for i in range(30)], {"tokens": 1}),
        ([{"text": f"t{i}", "kind": None if i % 2 else "a"} for i in range(40)], {"n": 20, "quota": "kind<=60%"}),
        ([{"text": f"t{i}", "v": float("nan") if i % 2 else i} for i in range(40)], {"n": 20, "by": "v"}),
    ],
)
def test_small_and_odd_pools(made: list[dict[str, Any]], options: dict[str, Any]) -> None:
    """No pool is too small or too dull for a page."""
    Path("odd.jsonl").write_text("".join(json.dumps(record) + "\n" for record in made))
    html = render(report("odd.jsonl", **options))
    assert not Page(html).wrong
    assert not re.search(r"\bnan\b", Page(html).text.lower().replace("(nan)", ""))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a.csv", "a.parquet", "a.arrow"])
def test_every_format_shows_its_texts(name: str) -> None:
    made = [{"text": f"{WORDS[i % 15]} {'№ ü 日本 ' * (i % 3)}{i}", "kind": "ab"[i % 2]} for i in range(60)]
    found = report(write_pool(Path(name), made), n=20)
    texts = {record["text"] for record in made}
    told = [example.text for group in found.records for example in group.examples]
    assert len(told) == 16
    assert all(one.text in texts and one.nbytes == len(one.text.encode()) for one in told)


def test_records_in_memory_and_files_as_groups() -> None:
    found = report(records(80), n=20)
    assert len(found.records[0].examples) == 4
    for i in range(3):
        Path(f"part{i}.jsonl").write_bytes(lines_of(records(50, i)))
    several = report(["part0.jsonl", "part1.jsonl", "part2.jsonl"], n=60)
    assert several.groups[0].field == "file"
    assert sum(row.chosen_count for row in several.groups[0].rows) == 60
    assert [file.chosen for file in several.files] == [
        row.chosen_count for row in sorted(several.groups[0].rows, key=lambda r: r.name)
    ]
    assert several.records[0].examples[0].place.startswith("part")


def test_records_set_aside_are_shown_raw() -> None:
    raw = b'{"text": "fine"}\n' * 8 + b'{"text": "cut <script>\n' + b'{"other": 1}\n' + b'{"text": "bad \xff"}\n'
    Path("bad.jsonl").write_bytes(raw)
    found = report("bad.jsonl", n=4, max_rejected="50%")
    drops = {drop.reason: drop for drop in found.drops if drop.stage == "Could not be used"}
    assert {name: drop.count for name, drop in drops.items()} == {
        "broken JSON": 1, "a field is missing": 1, "invalid UTF-8": 1
    }  # fmt: skip
    assert drops["broken JSON"].examples[0].text.text == '{"text": "cut <script>'
    assert "\\xff" in drops["invalid UTF-8"].examples[0].text.text
    assert found.files[0].rejected == 3


def test_hostile_records_end_to_end() -> None:
    made = [
        {"text": f"{text} {i}".encode("utf-8", "replace").decode(), "kind": HOSTILE[i % 3][:60]}
        for i, text in enumerate(HOSTILE * 4)
    ]
    pool = Path("<b>\u202e'\".jsonl")
    pool.write_bytes(lines_of(made))
    html = render(report(pool, n=30, dedup=0.5, quota="kind<=90%"))
    page = Page(html)
    assert not page.wrong
    assert not page.all("script")
    assert not page.all("img")
    assert not page.all("b")
    assert "1,000,00" in page.text  # the length of the megabyte line
    assert len(html) < 300_000


@pytest.mark.parametrize("seed", [0, 1])
def test_same_bytes_at_any_threads_and_fragments(pool: Path, seed: int) -> None:
    pages = set()
    for threads, size in ((1, None), (2, 4_000), (3, 1_500)):
        with (
            fragments_of(size),
            tamis.select(pool, n=200, by="value", quota="kind<=60%", dedup=0.7, seed=seed, threads=threads) as chosen,
        ):
            write_report(chosen, Path("out.report.html"))
            pages.add(Path("out.report.html").read_bytes())
    assert len(pages) == 1
    assert len(pages.pop()) < 300_000


def test_a_large_pool_is_read_in_part(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit samples come from stretches, the same whatever the fragments, and the report says so."""
    monkeypatch.setattr(report_texts, "GONE_THROUGH", 10_000)
    monkeypatch.setattr(report_texts.stretches, "__defaults__", (10_000,))
    monkeypatch.setattr(report_texts, "_STRETCHES", 40)
    monkeypatch.setattr(report_chance, "POOL", 100)
    found = []
    for size in (None, 3_000):
        with fragments_of(size):
            found.append(report(pool, n=200))
    assert render(found[0]) == render(found[1])
    assert any("stretches of the input" in figure.basis for figure in found[0].figures)
    assert any("Mean of " in figure.basis for figure in found[0].figures)


def test_disk_that_refuses(pool: Path) -> None:
    with tamis.select(pool, n=10, method="random") as chosen, pytest.raises(OutputError, match="cannot be written"):
        write_report(chosen, Path("nowhere/out.report.html"))


def test_target_distance(pool: Path) -> None:
    """Records of one group are the target: what dsir chooses is nearer to it than chance."""
    target = write_pool(Path("target.jsonl"), [r for r in records(600, 5) if r["kind"] == "other"][:60])
    found = report(pool, n=100, target=target)
    distance = next(figure for figure in found.figures if figure.name == "Distance from the target")
    assert distance.place.above == 20
    assert distance.basis.startswith("100 records")


# --- texts


def test_shown_and_compared() -> None:
    assert shown("ab", 2).cut is False
    long = shown("é" * 9_000, 18_000)
    assert (len(long.text), long.cut) == (500, True)
    same = "word " * 200
    first, second = compared((same + "left end", 1008), (same + "right end", 1009))
    assert first.skipped == second.skipped > 800
    assert [part for part, differs in first.pieces if differs] == ["left"]
    assert [part for part, differs in second.pieces if differs] == ["right"]
    assert "".join(part for part, _ in first.pieces) == (same + "left end")[first.skipped :]
