"""The house rules that a tool can check: who may import whom, and the bar for every file.

No list of exceptions: a file that breaks a rule is mended, or the rule is changed for all.
"""

from __future__ import annotations

import ast
import io
import re
import runpy
import shutil
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

import tamis.select
import tamis.signals
from data import REPOSITORY

HOUSE = REPOSITORY / "src" / "tamis"

# From the ground up. A room imports itself and rooms on lower floors; those on one floor are strangers.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("kernels",),
    ("engine",),
    ("corpus",),
    ("vectors",),
    ("signals",),
    ("search",),
    ("select", "measure", "problems"),
    ("batch", "weight", "schedule", "value"),
    ("report",),
    ("run",),
    ("compare",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

LONGEST_FUNCTION = 60
MEDIAN_FILE = 200
MEDIAN_METHOD, LONGEST_METHOD = 120, 170  # lines of code

Found = Iterator[tuple[int, str]]
"""Lines (1-based) and what is wrong there."""


def room(path: Path) -> str:
    """Return the room a file stands in; empty for the package's own `__init__`."""
    first = path.parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    """Yield `(line, dotted name)` of every import of tamis's own, those in functions included."""
    package = ["tamis", *path.parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "tamis":
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            if module == ["tamis"]:
                yield from ((node.lineno, f"tamis.{alias.name}") for alias in node.names)
            elif module[0] == "tamis":
                yield node.lineno, ".".join(module)


def upward(tree: ast.Module, path: Path) -> Found:
    """An import of a room that does not lie below, or a room that nobody gave a floor."""
    here = room(path)
    if here and here not in FLOOR:
        yield 1, f"room '{here}' has no floor: give it one in tests/test_house.py and CONTRIBUTING.md"
        return
    for line, name in imported(tree, path):
        there = name.partition(".")[2].partition(".")[0]
        if there == "__version__" or there == here:
            continue
        if there not in FLOOR:
            yield line, f"'{name}' is no room"
        elif (FLOOR[there] > FLOOR["compare"]) if not here else (FLOOR[there] >= FLOOR[here]):
            yield line, f"'{here or 'tamis'}' imports '{name}', which does not lie below it"


def knowing(tree: ast.Module, path: Path) -> Found:
    """A shared part of `select` that imports a method: methods are made of parts, not the other way round."""
    if path.parts[0] == "select" and len(path.parts) == 3:
        methods = {module.partition(":")[0] for module in tamis.select.METHODS.values()}
        yield from ((line, f"'{name}' is a method") for line, name in imported(tree, path) if name in methods)


def printing(tree: ast.Module, path: Path) -> Found:
    """A print outside the command line."""
    for node in ast.walk(tree) if room(path) != "cli" else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno, "print(): only the command line speaks"


def asserting(tree: ast.Module, path: Path) -> Found:
    """An assert: it vanishes under -O and tells the user nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "assert: raise a class of tamis.errors, with expected and got"


def code_lines(source: str, tree: ast.AST) -> set[int]:
    """Return the lines that hold code: not blank, not comments alone, not docstrings."""
    blank = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in blank:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return lines


def long_functions(tree: ast.Module, path: Path, source: str) -> Found:
    """A function of more code than fits a screen; its docstring and comments do not count."""
    code = code_lines(source, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = len(code & set(range(node.lineno, node.end_lineno + 1)))
            if length > LONGEST_FUNCTION:
                yield node.lineno, f"{node.name} is {length} code lines long, over {LONGEST_FUNCTION}"


def exports(tree: ast.Module) -> list[str] | None:
    """Return `__all__`, or None where a module has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                return [str(ast.literal_eval(item)) for item in node.value.elts]
    return None


def undocumented(tree: ast.Module, path: Path, source: str) -> Found:
    """A module, or a name it exports, that nobody described.

    Functions, classes and their public methods have docstrings; a constant or alias has a string
    below it, or a comment above or behind it. A method that overrides may leave it to its base.
    """
    lines = source.splitlines()
    if tree.body and not ast.get_docstring(tree):
        yield 1, "the module has no docstring"
    public = exports(tree)
    for node, after in zip_longest(tree.body, tree.body[1:]):
        for name in _defined(node):
            if name.startswith("_") or (public is not None and name not in public):
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign):
                below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                above = lines[node.lineno - 2].lstrip().startswith("#") if node.lineno > 1 else False
                if not (below or above or re.search(r"\s#\s", lines[node.end_lineno - 1])):
                    yield node.lineno, f"{name} is not described: a string below it, or a comment"
            elif not ast.get_docstring(node):
                yield node.lineno, f"{name} has no docstring"
            if isinstance(node, ast.ClassDef) and not node.bases:
                for part in node.body:
                    bare = isinstance(part, ast.FunctionDef) and not ast.get_docstring(part)
                    if bare and not part.name.startswith("_"):
                        yield part.lineno, f"{name}.{part.name} has no docstring"


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        parts = [part for target in node.targets for part in getattr(target, "elts", [target])]
        return [part.id for part in parts if isinstance(part, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def unexported(tree: ast.Module, path: Path) -> Found:
    """A name in `__all__` that the module does not have, or no `__all__` where it has public names."""
    public = exports(tree)
    if public is None:
        if names := [name for node in tree.body for name in _defined(node) if not name.startswith("_")]:
            yield 1, f"no __all__, but public names: {', '.join(names)}"
        return
    there: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            there.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.stmt):
            there.update(_defined(node))
    for name in public:
        if name not in there and "__getattr__" not in there:
            yield 1, f"__all__ names '{name}', which is not there"


# --- the house as it stands


def house() -> list[tuple[Path, str, ast.Module]]:
    """Return `(path below the package, source, tree)` of every file."""
    paths = sorted(HOUSE.rglob("*.py"))
    sources = [path.read_text(encoding="utf-8") for path in paths]
    return [(p.relative_to(HOUSE), s, ast.parse(s)) for p, s in zip(paths, sources, strict=True)]


def broken(found: Iterator[tuple[Path, int, str]]) -> str:
    """Return what was found, one a line, as editors and terminals link it."""
    return "\n".join(f"src/tamis/{path}:{line}: {what}" for path, line, what in found)


@pytest.mark.parametrize("rule", [upward, knowing, printing, asserting, unexported])
def test_rule_of_the_tree(rule) -> None:
    """No file breaks a rule that its syntax tree shows."""
    found = broken((path, *one) for path, _, tree in house() for one in rule(tree, path))
    assert not found, found


@pytest.mark.parametrize("rule", [long_functions, undocumented])
def test_rule_of_the_source(rule) -> None:
    """No file breaks a rule that needs its comments and lines too."""
    found = broken((path, *one) for path, source, tree in house() for one in rule(tree, path, source))
    assert not found, found


def test_median_file_is_short() -> None:
    """Half the files that hold code are below the bar."""
    lengths = [len(source.splitlines()) for _, source, tree in house() if tree.body]
    assert statistics.median(lengths) < MEDIAN_FILE


def test_methods_hold_their_idea_and_little_else() -> None:
    """Most methods are below the bar in lines of code, and none is far above."""
    files = {HOUSE.parent.joinpath(*module.partition(":")[0].split(".")) for module in tamis.select.METHODS.values()}
    sources = [file.with_suffix(".py").read_text(encoding="utf-8") for file in sorted(files)]
    lengths = [len(code_lines(source, ast.parse(source))) for source in sources]
    assert statistics.median(lengths) < MEDIAN_METHOD
    assert max(lengths) < LONGEST_METHOD


# --- the rules themselves: each finds what it is for, and only that


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("kernels/a.py", "from tamis.errors import UserError", 0),
        ("kernels/a.py", "import tamis.corpus.chunk", 1),
        ("engine/a.py", "def f():\n    from tamis.signals import get", 1),
        ("corpus/deep/a.py", "from ..store import Store", 0),
        ("corpus/deep/a.py", "from ...signals import base", 1),
        ("corpus/a.py", "from . import chunk", 0),
        ("corpus/a.py", "from .. import run", 1),
        ("select/a.py", "from tamis import signals, kernels", 0),
        ("select/a.py", "from tamis import open", 1),
        ("select/a.py", "from tamis.measure import spread", 1),
        ("run/a.py", "from tamis import __version__", 0),
        ("run/a.py", "if TYPE_CHECKING:\n    from tamis.cli import main", 1),
        ("cli/a.py", "import tamis.run, tamis.select.dsir, tamistry, click", 0),
        ("errors.py", "import tamis.errors", 0),
        ("errors.py", "from tamis.kernels import simd", 1),
        ("__init__.py", "from tamis.run import select", 0),
        ("__init__.py", "from tamis.cli import main", 1),
        ("attic/a.py", "", 1),
    ],
)
def test_import_rule(path: str, source: str, wrong: int) -> None:
    """Imports downwards pass, all others are found, however they are written."""
    assert len(list(upward(ast.parse(source), Path(path)))) == wrong


def test_parts_know_no_method() -> None:
    """A part may import the base and other parts, a method may import a method."""
    source = "from tamis.select.base import Pool\nfrom tamis.select.facility import Facility\n"
    assert [line for line, _ in knowing(ast.parse(source), Path("select/gain/a.py"))] == [2]
    assert list(knowing(ast.parse(source), Path("select/a.py"))) == []


def test_print_and_assert_rules() -> None:
    """Calls are found wherever they are; the words in strings and names are not."""
    tree = ast.parse("def f():\n    '''print() or assert'''\n    pprint(1)\n    print(1)\n    assert f, 'print(2)'\n")
    assert [line for line, _ in printing(tree, Path("run/a.py"))] == [4]
    assert list(printing(tree, Path("cli/a.py"))) == []
    assert [line for line, _ in asserting(tree, Path("cli/a.py"))] == [5]


def test_length_rule_counts_code_alone() -> None:
    """60 lines of code pass amid docstring, comments and blanks; one more does not."""
    body = ['    """Say.\n\n    More.\n    """', "    # why", ""] + ["    x = 1"] * (LONGEST_FUNCTION - 1)
    fits = "\n".join(["def f():", *body]) + "\n"
    assert list(long_functions(ast.parse(fits), Path("a.py"), fits)) == []
    ((line, what),) = long_functions(ast.parse(fits + "    y = '''\n'''\n"), Path("a.py"), fits + "    y = '''\n'''\n")
    assert line == 1
    assert f"{LONGEST_FUNCTION + 2} code lines" in what


def test_documentation_rules() -> None:
    """Each way of describing a name counts, and each lack of one is found."""
    source = (
        '"""Module."""\n__all__ = ["A", "B", "C", "D", "E", "f", "G", "H", "missing"]\n'
        'A = 1\n"""Said below."""\n# Said above.\nB = 2\nC = 3  # said behind\nD = 4\n'
        "class E:\n    '''Said.'''\n    def g(self): return 1\n    def _h(self): return 1\n"
        "def f(): return 1\ndef private(): return 1\nG, H = 1, 2\n"
    )
    tree = ast.parse(source)
    found = list(undocumented(tree, Path("a.py"), source))
    assert [line for line, _ in found] == [8, 11, 13, 15, 15]
    assert [what for _, what in unexported(tree, Path("a.py"))] == ["__all__ names 'missing', which is not there"]
    assert len(list(unexported(ast.parse("x = 1"), Path("a.py")))) == 1
    assert list(undocumented(ast.parse(""), Path("a.py"), "")) == []


# --- what is written around it


def test_contributing_names_every_room() -> None:
    """The table of rooms tells the same floors as the rule."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = {int(floor): rooms for floor, rooms in re.findall(r"^\| (\d+) \| (.*?) \|", page, re.MULTILINE)}
    assert {floor: tuple(re.findall(r"`(\w+)`", rooms)) for floor, rooms in told.items()} == dict(enumerate(FLOORS, 1))


def test_contributing_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The method and the signal of the walk-through load where they say, and pass the tests beside them."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    for name, code in blocks.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(code, encoding="utf-8")
    for package in (tamis.select, tamis.signals):
        extra = Path("src", *package.__name__.split(".")).absolute()
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(extra)])
    ran = 0
    try:
        for name in (name for name in blocks if name.startswith("tests/")):
            for test in [value for key, value in runpy.run_path(name).items() if key.startswith("test_")]:
                test()
                ran += 1
    finally:
        for module in ("tamis.select.near", "tamis.signals.lines"):
            sys.modules.pop(module, None)
    assert ran == 4


@pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")
def test_make_help_tells_every_target() -> None:
    """`make help`, and `make` alone, print each target with what it does."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    said = [
        subprocess.run(["make", *some], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        for some in (["help"], [])
    ]
    assert said[0] == said[1]
    told = dict(re.findall(r"^  make (\w+) +(\S.*)$", said[0], re.MULTILINE))
    assert sorted(told) == sorted(targets.split())
