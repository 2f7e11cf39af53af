"""The engine: runs one function over many fragments.

`map(function, tasks)` is the whole interface. A task is cheap to make and carries what the
function needs to load its fragment; results come back in the order of the tasks. `local`
runs threads (kernels and readers release the GIL); another engine may run the very same
functions elsewhere.
"""

from __future__ import annotations

from tamis.engine.local import Local
from tamis.engine.resources import available_memory, parse_size, threads_available

__all__ = ["Local", "available_memory", "parse_size", "threads_available"]
