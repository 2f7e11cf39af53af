"""What a method can be told: a declarative table, and one way to read and refuse values.

Values come from Python (already typed) or from the command line (text, `-O key=value`); both
pass the same checks, so the same mistake gets the same words everywhere.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tamis.errors import OptionError, unknown

__all__ = ["REQUIRED", "Function", "Parameter", "resolve"]

REQUIRED: Final = object()
"""The default of a parameter that has none."""


class Function:
    """The type of a parameter that is a function: no command line can give it, no manifest brings it back."""


_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Function: "a function, which only Python can give",
}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option of a method.

    Attributes
    ----------
    name : str
        As written in Python and after `-O`.
    type : type
        `int`, `float`, `bool`, `str` or `Function`.
    default : Any
        The value when it is not given; `REQUIRED` when it must be; None means "not set".
    doc : str
        One line for `tamis methods`, units included.
    choices : tuple of str
        The only values allowed, if any.
    low, high : float or None
        Bounds of a number, both inclusive.

    """

    name: str
    type: type
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def expected(self) -> str:
        """Return what a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        bounds = [f"{sign} {edge:g}" for sign, edge in ((">=", self.low), ("<=", self.high)) if edge is not None]
        return " ".join([_WORDS[self.type], " and ".join(bounds)]).strip()

    def read(self, value: Any, method: str) -> Any:
        """Return `value` as this parameter's type.

        Raises
        ------
        OptionError
            Of the wrong type, not a choice, outside the bounds, NaN or infinite.

        """
        if value is None and self.default is None:
            return None
        try:
            found = self._convert(value)
            fits = (not self.choices or found in self.choices) and self._within(found)
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise OptionError(f"method '{method}', option '{self.name}': expected {self.expected()}, got {value!r}.")
        return found

    def _convert(self, value: Any) -> Any:
        text = value.strip() if isinstance(value, str) else None
        if self.type is str:
            if not isinstance(value, str) or not text:
                raise TypeError
            return value
        if self.type is Function:
            if not callable(value):
                raise TypeError
            return value
        if self.type is bool:
            return _as_bool(value, text)
        if isinstance(value, bool) or not (text is not None or isinstance(value, numbers.Real)):
            raise TypeError
        if self.type is int:
            if text is None and value != int(value):
                raise ValueError
            return int(value)
        found = float(value)
        if not math.isfinite(found):
            raise ValueError
        return found

    def _within(self, value: Any) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def _as_bool(value: Any, text: str | None) -> bool:
    if text is None:
        if not isinstance(value, bool):
            raise TypeError
        return value
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError


def resolve(method: str, table: Iterable[Parameter], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter in `table`, from `options` and the defaults.

    Raises
    ------
    OptionError
        An option the method does not have (with the nearest name), one that is missing, one
        whose value does not fit.

    """
    known = {p.name: p for p in table}
    for name in options:
        if name not in known and not known:
            raise OptionError(f"method '{method}' takes no options, got '{name}'.")
        if name not in known:
            raise unknown(f"option of method '{method}'", name, known)
    values = {}
    for name, parameter in known.items():
        if name in options:
            values[name] = parameter.read(options[name], method)
        elif parameter.default is REQUIRED:
            raise OptionError(
                f"method '{method}' needs the option '{name}': expected {parameter.expected()} "
                f"({parameter.doc}), got nothing."
            )
        else:
            values[name] = parameter.default
    return values
