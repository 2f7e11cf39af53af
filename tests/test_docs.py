"""The documentation: every verb, method and signal has its page, links resolve, commands and code hold."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from data import REPOSITORY
from tamis.cli import VERBS
from tamis.run.catalogue import table
from tamis.select import METHODS
from tamis.select import get as get_method
from tamis.signals import SIGNALS

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_DATA_FILE = re.compile(r"[\"'][^\"'\n]*\.(jsonl|json|parquet|csv|txt|npy)[^\"'\n]*[\"']")
#: Words of a shell between one command and the next, or its files.
_ENDS = {"|", "&&", "||", ";", "<", ">", "2>", "&"}


def name(page: Path) -> str:
    """Return a page as messages name it."""
    return str(page.relative_to(REPOSITORY))


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of a page in one language."""
    return [body for found, body in _BLOCK.findall(text) if found == language]


def links(text: str) -> list[str]:
    """Return where a page's links point, code left aside."""
    return _LINK.findall(re.sub(r"`[^`\n]*\(`", "", _BLOCK.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each `tamis` command after a prompt, `tamis` itself left out."""
    for body in blocks(text, "console"):
        for line in re.findall(r"^\$ ((?:.*\\\n)*.*)$", body, re.MULTILINE):
            yield from commands_of(line.replace("\\\n", " "))


def commands_of(line: str) -> Iterator[list[str]]:
    """Yield the words of each `tamis` command of a shell line."""
    found: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        if word in _ENDS:
            found.append([])
        else:
            found[-1].append(word)
    yield from (words[1:] for words in found if words and words[0] in ("tamis", ".venv/bin/tamis"))


def wrong(words: list[str]) -> str | None:
    """Return what is wrong with a command: no such verb or option, or a line that does not parse."""
    if not words or words[0].startswith("-"):
        return None if words and words[0] in ("--help", "-h", "--version") else "no verb"
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        return f"no verb '{verb}'"
    command = importlib.import_module(f"tamis.cli.{verb}").command
    if any("..." in word or word.startswith(("[", "(")) for word in rest):  # a synopsis: its options exist
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        told = [option for word in rest for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", word)]
        missing = [option for option in told if option not in known]
        return f"no option {', '.join(missing)} of '{verb}'" if missing else None
    try:
        command.make_context(verb, list(rest))  # parses; runs nothing
    except click.ClickException as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_that_names_its_options(verb: str) -> None:
    """A page a verb; each of its options stands there, a short one (`-n`) by itself."""
    page = DOCS / "verbs" / f"{verb}.md"
    assert page.is_file(), f"{verb}: write {name(page)}"
    text = page.read_text(encoding="utf-8")
    command = importlib.import_module(f"tamis.cli.{verb}").command
    options = [max(p.opts, key=len) for p in command.params if isinstance(p, click.Option)]
    missing = [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", text)]
    if verb in ("dedup", "annotate") and "select.md" in text:  # shared ones are told there
        shared = importlib.import_module("tamis.cli.select").command
        missing = [o for o in missing if o not in {opt for p in shared.params for opt in p.opts}]
    assert not missing, f"{name(page)} does not tell {', '.join(missing)}"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_page_that_names_its_options(method: str) -> None:
    """A page a method, with its source, cost and every option."""
    page = DOCS / "methods" / f"{method}.md"
    assert page.is_file(), f"{method}: write {name(page)}"
    text = page.read_text(encoding="utf-8")
    parameters = [parameter.name for parameter in get_method(method).parameters]
    missing = [p for p in parameters if f"-O {p}" not in text]
    assert not missing, f"{name(page)} does not tell -O {', -O '.join(missing)}"
    for part in ("**What it is for.**", "**When it fails.**", "**Cost.**", "## Definition", "## Options"):
        assert part in text, f"{name(page)} lacks {part}"


def test_the_table_of_methods_is_that_of_the_code() -> None:
    """`make table` writes it anew."""
    assert (DOCS / "methods.md").read_text(encoding="utf-8").partition("| method |")[2] == table().partition(
        "| method |"
    )[2]


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_has_a_page(signal: str) -> None:
    """A page of its own, or a heading on the page of its kind."""
    own = DOCS / "signals" / f"{signal}.md"
    headings = [
        line
        for page in sorted((DOCS / "signals").glob("*.md"))
        for line in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert own.is_file() or any(re.search(rf"\b{signal}\b", line) for line in headings), f"write {name(own)}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    """Files that links name are there, and so are the headings."""
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in links(text):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = page if not target else (page.parent / target).resolve()
        if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
            broken.append(link)
    assert not broken, f"{name(page)} links to {', '.join(broken)}"


def test_every_page_is_in_the_index() -> None:
    """`docs/README.md` lists all pages."""
    told = {(DOCS / link.partition("#")[0]).resolve() for link in links((DOCS / "README.md").read_text("utf-8"))}
    missing = [name(page) for page in sorted(DOCS.rglob("*.md")) if page.resolve() not in told]
    assert missing in ([], ["docs/README.md"])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_parse(page: Path) -> None:
    """Every `tamis` command of a console block names an existing verb and existing options."""
    found = [(words, wrong(words)) for words in commands(page.read_text(encoding="utf-8"))]
    bad = [f"tamis {shlex.join(words)}: {why}" for words, why in found if why]
    assert not bad, f"{name(page)}: " + "; ".join(bad)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_holds(page: Path) -> None:
    """Python blocks compile; those that name no data file run, and print what their comments say."""
    for code in blocks(page.read_text(encoding="utf-8"), "python"):
        compiled = compile(code, name(page), "exec")
        if _DATA_FILE.search(code):
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compiled, {"__name__": "docs"})
        expected = re.findall(r"print\(.*\)  # (.*)$", code, re.MULTILINE)
        if expected:
            assert printed.getvalue().splitlines() == expected, name(page)


# --- the checks themselves


def test_checks_find_what_they_are_for() -> None:
    """Wrong verbs, options, missing arguments and headings are found; right ones pass."""
    assert wrong(["select", "pool.jsonl", "-n", "10", "-o", "x.jsonl"]) is None
    assert wrong(["select", "POOL...", "(-n", "N", "[--seed", "0]"]) is None
    assert wrong(["slect"]) == "no verb 'slect'"
    assert "--sed" in (wrong(["select", "pool.jsonl", "--sed", "1"]) or "")
    assert "--sed" in (wrong(["select", "POOL...", "[--sed", "1]"]) or "")
    assert "-n" in (wrong(["select", "pool.jsonl", "-n", "many"]) or "")
    assert wrong(["why", "x.jsonl"]) is not None
    text = "```console\n$ tamis select a \\\n  -n 1 | head  # tamis why\n$ cat x && tamis clean\nread 1\n```\n"
    assert list(commands(text)) == [["select", "a", "-n", "1"], ["clean"]]
    assert anchors("# A *b* `c-d`\n## What's it, then?\n") == {"a-b-c-d", "whats-it-then"}
    assert links("[a](b.md#c) and ![d](e.png)\n```text\n[x](y)\n```\n") == ["b.md#c", "e.png"]
