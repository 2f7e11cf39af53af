"""The length of a record's text in bytes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa

from tamis.corpus.buffers import as_arrow
from tamis.corpus.chunk import Text
from tamis.signals.base import RecordSignal

__all__ = ["Bytes"]


class Bytes(RecordSignal):
    """Bytes of the rendered text in UTF-8; 0 for a record without text."""

    name: ClassVar[str] = "bytes"
    summary_line: ClassVar[str] = "length of the text in bytes (UTF-8)"
    cost: ClassVar[str] = "O(records)"

    def column(self, text: Text) -> pa.Array:
        """Return an int64 for each of the `n` texts."""
        return as_arrow(np.diff(text.offsets))
