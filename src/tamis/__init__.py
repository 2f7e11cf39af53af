"""tamis chooses what a model learns from.

    >>> import tamis
    >>> with tamis.select("pool.jsonl", n=1000, target="wanted.jsonl") as chosen:  # doctest: +SKIP
    ...     chosen.write("chosen.jsonl")

`select` runs the main job, `open` looks at a pool, `annotate` computes signals; `methods` and
`signals` list what there is. Errors are in `tamis.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "annotate", "methods", "open", "select", "signals"]

if TYPE_CHECKING:
    from tamis.run.api import annotate, methods, open, select, signals


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used: `tamis --help` must not wait for it."""
    if name in __all__:
        from tamis.run import api

        return getattr(api, name)
    raise AttributeError(f"module 'tamis' has no attribute '{name}'")
