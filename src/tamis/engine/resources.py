"""What the machine grants: threads and memory, its cgroup's limits included."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tamis.errors import OptionError

__all__ = ["available_memory", "format_size", "parse_size", "threads_available"]

_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def threads_available() -> int:
    """Return how many threads this process may run at once."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        count = os.cpu_count() or 1
    quota = _cgroup_cpu_quota()
    return max(1, min(count, quota)) if quota else max(1, count)


def available_memory() -> int:
    """Return the bytes of memory of the machine, or of its cgroup where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = Path(name).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total


def parse_size(text: str | int, option: str = "--memory") -> int:
    """Return the bytes that `text` ("4GB", "512M", "1.5 GiB", a number) stands for, as the value of `option`.

    Units count in powers of 1,024, so a ceiling is never lower than what the user wrote.
    """
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text, re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise OptionError(f"{option}: expected a size such as 4GB or 512MB, got '{text}'.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def format_size(count: float) -> str:
    """Return a number of bytes for people: `1.5 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "KB") else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def _cgroup_cpu_quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return max(1, round(int(quota) / int(period))) if quota.isdigit() else None
