"""A signal and which way it counts, as users write it: `SIGNAL`, `SIGNAL:asc` or `SIGNAL:desc`."""

from __future__ import annotations

from tamis.errors import OptionError

__all__ = ["directed"]


def directed(text: str, method: str, option: str) -> tuple[str, bool]:
    """Return the signal's name, and whether less of it is more (`:asc`).

    `field:NAME` is a field that has a signal's name, with or without a direction behind it.

    Raises
    ------
    OptionError
        A direction that is neither; it names method and option.
    """
    signal, _, way = text.rpartition(":")
    if signal in ("", "field"):
        signal, way = text, "desc"
    if way not in ("asc", "desc"):
        raise OptionError(
            f"method '{method}', option '{option}': expected SIGNAL, SIGNAL:asc or SIGNAL:desc, got '{text}'."
        )
    return signal, way == "asc"
