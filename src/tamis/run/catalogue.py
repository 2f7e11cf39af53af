"""What there is: the methods and the signals, as rows of a table."""

from __future__ import annotations

from typing import Any

from tamis.select import METHODS
from tamis.select import get as get_method
from tamis.select.base import REQUIRED
from tamis.signals import SIGNALS
from tamis.signals import get as get_signal

__all__ = ["methods", "signals"]


_NEEDS = {"ratio": "text, a target", "perplexity": "text; a target, or the pool itself"}


def methods() -> list[dict[str, Any]]:
    """Return every method: name, title, source, needs, cost, promises, options, when it helps and fails."""
    rows = []
    for name in METHODS:
        cls = get_method(name)
        flags = cls.flags
        rows.append(
            {
                "name": name,
                "title": cls.title,
                "source": cls.source,
                "needs": "a target" if flags.needs_target else "--unlike" if flags.needs_unlike else _required(cls),
                "cost": cls.cost,
                "budget": "at most" if flags.at_most else "exact",
                "order": "matters" if flags.order_matters else "does not matter",
                "use_when": cls.use_when,
                "fails_when": cls.fails_when,
                "options": [
                    {
                        "name": p.name,
                        "type": p.type.__name__,
                        "default": None if p.default is REQUIRED else p.default,
                        "doc": p.doc,
                    }
                    for p in cls.parameters
                ],
            }
        )
    return rows


def _required(cls: Any) -> str:
    needed = [p.name for p in cls.parameters if p.default is REQUIRED]
    return ", ".join(f"--{name}" if name == "by" else f"-O {name}=" for name in needed) or "text"


def signals() -> list[dict[str, Any]]:
    """Return every signal: name, what it is, source, needs, cost, version."""
    rows = []
    for name in SIGNALS:
        cls = get_signal(name)
        rows.append(
            {
                "name": name,
                "title": cls.summary_line,
                "source": cls.source,
                "needs": _NEEDS.get(name, "text"),
                "cost": cls.cost,
                "version": cls.version,
                "numeric": cls.numeric,
            }
        )
    return rows
