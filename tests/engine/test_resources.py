"""What the machine grants, and sizes as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.engine import available_memory, parse_size, resources, threads_available
from tamis.engine.resources import format_size
from tamis.errors import OptionError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4GB", 4 << 30), ("4 gib", 4 << 30), ("512M", 512 << 20), ("1.5k", 1536), (" 7 ", 7), (99, 99),
        ("2T", 2 << 40), ("10 B", 10), ("0.5mb", 1 << 19),
    ],
)  # fmt: skip
def test_parse_size(text: str | int, wanted: int) -> None:
    assert parse_size(text) == wanted


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4 XB", "1,5GB", "0", "four", "1e9"])
def test_parse_size_of_none(text: str) -> None:
    with pytest.raises(OptionError, match="expected a size such as 4GB"):
        parse_size(text)


@given(st.integers(0, 2**50))
def test_format_size_is_near_what_it_stands_for(count: int) -> None:
    shown = format_size(count)
    back = parse_size(shown) if not shown.startswith(("0 ", "0.0")) else 0
    assert abs(back - count) <= max(0.06 * count, 512)


def test_the_machine() -> None:
    assert threads_available() >= 1
    assert available_memory() > 64 << 20


@pytest.mark.parametrize(
    ("name", "content", "most"),
    [("cpu.max", "100000 100000\n", 1), ("cpu.max", "max 100000\n", 10**6), ("cpu.max", "20000 100000\n", 1)],
)
def test_threads_of_a_cgroup(name: str, content: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _cgroup(monkeypatch, name, content)
    assert 1 <= threads_available() <= most


@pytest.mark.parametrize(("content", "most"), [("134217728\n", 128 << 20), ("max\n", 2**60), ("words", 2**60)])
def test_memory_of_a_cgroup(content: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _cgroup(monkeypatch, "memory.max", content)
    assert 0 < available_memory() <= most


def _cgroup(monkeypatch: pytest.MonkeyPatch, name: str, content: str) -> None:
    """Let a file of the cgroup say `content`, and no other say anything."""
    Path(name).write_text(content)

    class Elsewhere:
        def __new__(cls, given: str) -> Path:  # type: ignore[misc]
            return Path(Path(given).name if Path(given).name == name else "gone")

    monkeypatch.setattr(resources, "Path", Elsewhere)
