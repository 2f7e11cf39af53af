"""What can go wrong, as a tree.

    TamisError              ours: exit code 1
    └── UserError           the user's to mend: exit code 2
        ├── InputError      a file, a record, a field
        │   └── RecordError a value of one record, by its place
        ├── OptionError     an option, a method, a signal, an expression
        ├── BudgetError     a budget, quota or pin that cannot hold
        ├── OutputError     where the outputs should go
        └── StoreError      the store: held by another run, of another version

Every message says what was expected, what was found, where, and what to do next.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

__all__ = [
    "DISK_FULL",
    "BudgetError",
    "InputError",
    "OptionError",
    "OutputError",
    "RecordError",
    "StoreError",
    "TamisError",
    "UserError",
    "missing_extra",
    "nearest",
    "unknown",
]


#: What the system answers when there is no room: no space, a quota, a limit on the size of files.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TamisError(Exception):
    """Something tamis itself got wrong."""

    exit_code = 1


class UserError(TamisError):
    """Something the user can mend."""

    exit_code = 2


class InputError(UserError):
    """A file, a record or a field that cannot be used."""


class RecordError(InputError):
    """A value of a record that cannot be used; who knows where the record came from tells it by `told`.

    Attributes
    ----------
    what, then : str
        What was expected and what was found; what to do next.
    record : int
        Its place among the records that were looked at.
    """

    def __init__(self, what: str, record: int, then: str = "") -> None:
        super().__init__(f"{what} at record {record}.{then and ' ' + then}")
        self.what, self.record, self.then = what, record, then

    def told(self, where: str) -> InputError:
        """Return the error with words for where the record is, such as "in pool.jsonl, line 3"."""
        return InputError(f"{self.what} {where}.{self.then and ' ' + self.then}")


class OptionError(UserError):
    """An option, a method, a signal or an expression that does not exist or does not fit."""


class BudgetError(UserError):
    """A budget, a quota or a pin that cannot hold."""


class OutputError(UserError):
    """An output that exists already or cannot be written."""


class StoreError(UserError):
    """A store that another run holds, or that another version of tamis wrote."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest of `choices`, or an empty string."""
    close = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: str, choices: Iterable[str]) -> OptionError:
    """Return the error for an unknown `what` called `name`, with the nearest of `choices`."""
    known = sorted(choices)
    return OptionError(f"unknown {what} '{name}'.{nearest(name, known)} Known: {', '.join(known)}.")


def missing_extra(package: str, extra: str, why: str) -> UserError:
    """Return the error for an optional `package` that is not installed, with the pip line."""
    return UserError(f"{why} needs the package '{package}', which is not installed: pip install 'tamis[{extra}]'")
