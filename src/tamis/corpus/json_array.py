"""A JSON array as a stream of elements: blocks of bytes in, spans of whole elements out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.kernels import json_array as phases
from tamis.kernels.json import new_state, split_array

__all__ = ["ArraySplitter", "Elements"]

_BOM = b"\xef\xbb\xbf"

_EXPECTED = {
    phases.BEFORE: "'[' at the beginning",
    phases.FIRST: "a value or ']'",
    phases.NEXT: "a value after ','",
    phases.AFTER: "',' or ']' after a value",
    phases.DONE: "nothing after the closing ']'",
}
_POSITION, _START = 3, 4


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements that lie whole in a buffer: element `i` is ``data[starts[i]:stops[i]]``.

    `first` is the 1-based number of the first of them in the array.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    first: int


class ArraySplitter:
    """Cuts one JSON array, fed in blocks of any size, into its top-level elements.

    Only strings and brackets are followed: an element may be broken JSON inside. Where bytes
    stand that no array has there (a missing comma, something between or after the elements),
    `error` tells it and no further element comes; those before it were handed over.

    Attributes
    ----------
    count : int
        Elements handed over.
    error : str or None
        What is wrong, with element number and byte in the file.
    """

    def __init__(self) -> None:
        self.count = 0
        self.error: str | None = None
        self._state = new_state()
        self._rest = np.empty(0, np.uint8)
        self._offset = 0  # where the rest stands in the file
        self._begun = False

    def feed(self, block: NDArray[np.uint8]) -> Elements:
        """Return the elements that end in `block` (uint8); empty after an error."""
        data = np.concatenate([self._rest, block])
        if not self._begun:
            if len(data) < len(_BOM) and _BOM.startswith(data.tobytes()):
                self._rest = data
                return Elements(data, np.empty(0, np.int64), np.empty(0, np.int64), 1)
            self._begun = True
            if data[: len(_BOM)].tobytes() == _BOM:
                self._state[_POSITION] = len(_BOM)
        starts, stops = self._split(data)
        first = self.count + 1
        self.count += len(starts)
        if self._state[5] and self.error is None:
            self.error = self._tell(data)
        self._keep(data)
        return Elements(data, starts, stops, first)

    def finish(self) -> str | None:
        """Return what is wrong with the array now that there are no more blocks, or None."""
        phase = int(self._state[0])
        if self.error is None and phase != phases.DONE:
            end = self._offset + len(self._rest)
            if phase in (phases.NESTED, phases.SCALAR):
                self.error = (
                    f"the JSON array ends inside element {self.count + 1}, which starts at "
                    f"byte {self._offset + int(self._state[_START]) + 1:,}; {self.count:,} whole elements "
                    "were read"
                )
            else:
                self.error = (
                    f"expected {_EXPECTED[phase]}, got the end of the file at byte {end + 1:,}; "
                    f"{self.count:,} whole elements of a JSON array were read"
                )
        return self.error

    def _split(self, data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        room = max(1024, len(data) // 128)
        while True:
            starts, stops = np.empty(room, np.int64), np.empty(room, np.int64)
            n = split_array(data, self._state, starts, stops)
            parts.append((starts[:n], stops[:n]))
            if n < room:
                return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])

    def _tell(self, data: NDArray[np.uint8]) -> str:
        phase, position = int(self._state[0]), int(self._state[_POSITION])
        got = data[position : position + 20].tobytes().decode("utf-8", "replace")
        return (
            f"expected {_EXPECTED[phase]}, got {got!r} at byte {self._offset + position + 1:,}; "
            f"{self.count:,} whole elements of a JSON array were read"
        )

    def _keep(self, data: NDArray[np.uint8]) -> None:
        """Keep what the next block may need: the element under way, or what was not looked at."""
        state = self._state
        under_way = state[0] in (phases.NESTED, phases.SCALAR)
        cut = int(state[_START] if under_way else state[_POSITION])
        self._rest = data[cut:].copy()
        self._offset += cut
        state[_POSITION] -= cut
        state[_START] -= cut
