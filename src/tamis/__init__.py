"""tamis chooses what a model learns from.

    >>> import tamis
    >>> with tamis.select("pool.jsonl", n=1000, target="wanted.jsonl") as chosen:  # doctest: +SKIP
    ...     chosen.write("chosen.jsonl")

`select` runs the main job, `check` puts what it chose beside random selections, `profile` measures sets,
`open` looks at a pool, `annotate` computes signals; `methods` and `signals` list what there is. Errors are in
`tamis.errors`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "annotate", "check", "methods", "open", "profile", "select", "signals"]

if TYPE_CHECKING:
    from tamis.compare.check import check
    from tamis.compare.profile import profile
    from tamis.run.api import annotate, methods, open, select, signals


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used: `tamis --help` must not wait for it."""
    if name == "check":
        from tamis.compare.check import check

        return check
    if name == "profile":
        from tamis.compare.profile import profile

        return profile
    if name in __all__:
        from tamis.run import api

        return getattr(api, name)
    raise AttributeError(f"module 'tamis' has no attribute '{name}'")


class _Room(ModuleType):
    """A room that has the name of a function (`select`, `signals`): called, it is that function."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.__wrapped__(*args, **options)

    @property
    def __wrapped__(self) -> Any:
        """The function; `help` and `inspect.signature` find it here."""
        from tamis.run import api

        return getattr(api, self.__name__.rpartition(".")[2])


class _Package(ModuleType):
    """The package. Importing a room makes it an attribute here, over the function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and type(value) is ModuleType:
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
