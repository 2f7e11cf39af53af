"""What there is: the methods and the signals, as rows of a table."""

from __future__ import annotations

from typing import Any

from tamis.errors import OptionError
from tamis.select import METHODS
from tamis.select import get as get_method
from tamis.select.base import REQUIRED, Parameter, Selector
from tamis.signals import SIGNALS
from tamis.signals import get as get_signal

__all__ = ["methods", "signals", "table"]


_STAND_IN = "1"  # a signal, a field or a number, for an option that must be given

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
                "needs": _needed(cls),
                "cost": cls.cost,
                "streams": "yes" if flags.streams else "no",
                "promises": cls.promises,
                "budget": "at most" if flags.at_most else "exact",
                "order": "matters" if flags.order_matters else "does not matter",
                "use_when": cls.use_when,
                "fails_when": cls.fails_when,
                "later": cls.later,
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


def _needed(cls: type[Selector]) -> str:
    """Return what a method must be given beside a pool: options, vectors, a target; else "text"."""
    required = [p for p in cls.parameters if p.default is REQUIRED]
    told = [_asked(p) for p in required]
    stand_ins = {p.name: p.choices[0] if p.choices else p.type(_STAND_IN) for p in required}
    method = _made(cls, stand_ins)
    if method is None:  # it needs one of several
        several = [p for p in cls.parameters if p.default is None and p.type is str]
        alone = {p: made for p in several if (made := _made(cls, {**stand_ins, p.name: _STAND_IN}))}
        told.append(" or ".join(map(_asked, alone)))
        method = next(iter(alone.values()))
    if "vectors" in method.needs():
        told.append("vectors")
    return (
        ", ".join(
            [
                *told,
                *(["a target"] if cls.flags.needs_target else []),
                *(["--unlike"] if cls.flags.needs_unlike else []),
            ]
        )
        or "text"
    )


def _made(cls: type[Selector], options: dict[str, Any]) -> Selector | None:
    try:
        return cls(**options)
    except OptionError:
        return None


def _asked(parameter: Parameter) -> str:
    return "--by" if parameter.name == "by" else f"-O {parameter.name}="


def table() -> str:
    """Return all methods as one Markdown table, as `docs/methods.md` shows it."""
    rows = methods()
    lines = ["| method | what | source | needs | cost | streams | promises | use when | fails when | later work |"]
    lines.append("|" + "---|" * 10)
    for row in rows:
        cells = [f"[`{row['name']}`](methods/{row['name']}.md)"]
        names = ("title", "source", "needs", "cost", "streams", "promises", "use_when", "fails_when", "later")
        cells += [str(row[name]).replace("|", "\\|") for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


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
