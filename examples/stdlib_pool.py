"""A pool of real records that every machine has: the Python standard library.

Writes a JSON Lines file with one record for each function, method and class of the running
interpreter's standard library, tests left out (about 19,000 of them in Python 3.11):

    python examples/stdlib_pool.py -o pool.jsonl --target target.jsonl

Fields of a record:

    source     the top-level module, such as `json`
    name       the qualified name, such as `json.decoder.JSONDecoder.decode`
    kind       `function`, `method` or `class`
    docstring  as `inspect.getdoc` shows it; empty where there is none
    text       its source code, decorators and docstring included, dedented
    path       the file, relative to the library
    line       the 1-based line on which `text` begins

With `--target`, the records of the modules in `--target-modules` go to a file of their own and
are left out of the pool: a handful of modules that read and write structured text, so that a
method which looks for "more like these" has something visible to find. Records come in order
of path and line, so the same library gives the same bytes. Files that cannot be decoded or
parsed are named on standard error and counted.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

__all__ = ["TARGET_MODULES", "definitions", "files", "main", "records"]

TARGET_MODULES = ("configparser", "csv", "html", "json", "plistlib", "tomllib", "xml")
"""The modules that make the target unless `--target-modules` says otherwise: text formats."""

NOT_LIBRARY = frozenset({"__pycache__", "dist-packages", "idle_test", "lib-dynload", "site-packages", "test", "tests"})
"""Folders that hold tests, other people's packages or no source."""

Record = dict[str, str | int]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def files(library: Path) -> Iterator[Path]:
    """Yield the library's source files, tests left out, in order of their path below `library`."""
    found: list[Path] = []
    for folder, below, names in os.walk(library):
        below[:] = [name for name in below if name not in NOT_LIBRARY]
        found.extend(Path(folder, name) for name in names if name.endswith(".py"))
    yield from sorted(found, key=lambda path: path.relative_to(library).parts)


def definitions(tree: ast.Module, module: str) -> Iterator[tuple[Definition, str, str]]:
    """Yield `(node, qualified name, kind)` of every definition in a parsed `module`, outer ones first.

    Names follow `__qualname__`: what a function defines inside itself stands below `<locals>`.
    """
    waiting: list[tuple[ast.AST, str, bool]] = [(tree, module, False)]
    while waiting:
        node, prefix, in_class = waiting.pop()
        inner: list[tuple[ast.AST, str, bool]] = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield child, f"{prefix}.{child.name}", "class"
                inner.append((child, f"{prefix}.{child.name}", True))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, f"{prefix}.{child.name}", "method" if in_class else "function"
                inner.append((child, f"{prefix}.{child.name}.<locals>", False))
            elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                inner.append((child, prefix, in_class))  # a definition under `if`, `try`, `with` ...
        waiting.extend(reversed(inner))


def records(path: Path, library: Path) -> list[Record]:
    """Return the records of one source file, by line.

    Raises SyntaxError, UnicodeDecodeError or ValueError where the file is not valid Python.
    """
    with tokenize.open(path) as stream:  # honours the coding cookie, as the interpreter does
        code = stream.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in old modules are no concern here
        tree = ast.parse(code, filename=str(path))
    lines = code.split("\n")  # not splitlines(): form feeds do not end a line of Python
    below = path.relative_to(library)
    parts = below.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    rows: list[Record] = []
    for node, name, kind in definitions(tree, module):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        rows.append(
            {
                "source": parts[0],
                "name": name,
                "kind": kind,
                "docstring": _encodable(ast.get_docstring(node) or ""),
                "text": _dedented(lines[first - 1 : node.end_lineno], node.col_offset),
                "path": below.as_posix(),
                "line": first,
            }
        )
    return sorted(rows, key=lambda row: row["line"])


def _dedented(lines: Sequence[str], columns: int) -> str:
    """Take the definition's own indentation off its lines; flush-left string contents stay as they are."""
    margin = lines[0][:columns]
    return "\n".join(line.removeprefix(margin) for line in lines).rstrip() + "\n"


def _encodable(text: str) -> str:
    """Spell out lone surrogates, which a docstring may hold but UTF-8 may not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def collect(library: Path) -> tuple[list[Record], int]:
    """Return all records of `library` and the number of files that could not be read, named on stderr."""
    rows: list[Record] = []
    unreadable = 0
    for path in files(library):
        try:
            rows.extend(records(path, library))
        except (SyntaxError, ValueError, OSError) as error:  # UnicodeDecodeError is a ValueError
            print(f"left out {path}: {error}", file=sys.stderr)
            unreadable += 1
    return rows, unreadable


def write(path: Path, rows: Iterable[Record]) -> None:
    """Write `rows` as JSON Lines under another name, then rename: never half a file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Write a pool of records from the Python standard library: "
        "one for each function, method and class, with its source and docstring."
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("pool.jsonl"), help="the pool (%(default)s)")
    parser.add_argument("--target", type=Path, help="write the records of the target modules here, not to the pool")
    parser.add_argument(
        "--target-modules",
        metavar="NAMES",
        help=f"top-level modules that make the target (default: {','.join(TARGET_MODULES)})",
    )
    parser.add_argument(
        "--library",
        type=Path,
        default=Path(sysconfig.get_path("stdlib")),
        help="the folder to read (default: the running interpreter's library)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pool, and the target where one is asked for; return 0, or exit 2 on a wrong option."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.target_modules and not options.target:
        parser.error("--target-modules says what goes to the target: add --target FILE")
    if options.target and options.target.resolve() == options.output.resolve():
        parser.error(f"pool and target are to be two files, got {options.output} for both")
    rows, unreadable = collect(options.library)
    if not rows:
        parser.error(f"expected Python source with definitions below {options.library}, found none")

    wanted: set[str] = set()
    if options.target:
        names = options.target_modules.split(",") if options.target_modules else TARGET_MODULES
        wanted = {name.strip() for name in names if name.strip()}
        known = {str(row["source"]) for row in rows}
        for name in sorted(wanted - known):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            parser.error(f"--target-modules: no module '{name}' with definitions in {options.library}.{hint}")

    pool = [row for row in rows if row["source"] not in wanted]
    write(options.output, pool)
    print(f"{options.output}: {len(pool):,} records of {len({row['source'] for row in pool})} modules")
    if options.target:
        write(options.target, [row for row in rows if row["source"] in wanted])
        print(f"{options.target}: {len(rows) - len(pool):,} records of {', '.join(sorted(wanted))}")
    if unreadable:
        print(f"{unreadable} files left out: not valid Python", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
