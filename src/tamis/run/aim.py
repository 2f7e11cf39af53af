"""Examples for methods that look at vectors: those of `--target` and `--unlike`, made as the pool's are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus
from tamis.errors import OptionError
from tamis.run.available import check_rejected
from tamis.run.choose import vectors_of
from tamis.run.inputs import Inputs
from tamis.run.options import Job
from tamis.run.progress import Progress
from tamis.select.base import Selector
from tamis.select.given.aimed import Aimed
from tamis.signals.base import Signal
from tamis.signals.compute import column_key, compute

__all__ = ["check_examples", "told"]


def check_examples(job: Job, method: Selector) -> None:
    """Check, before anything is read, that the method reads the examples and that they can have vectors.

    Raises
    ------
    OptionError
        `--unlike` for a method that reads none, or vectors given for the pool alone.
    """
    aimed = isinstance(method, Aimed)
    if job.unlike and "unlike" not in getattr(method, "reads", ()):
        raise OptionError(
            f"method '{job.method}' reads no --unlike: unlike does, and like with -O form=flvmi. "
            "(To leave out what holds text of a file: --against.)"
        )
    given = isinstance(job.encoder, np.ndarray) or (
        isinstance(job.encoder, str | Path) and str(job.encoder).endswith(".npy")
    )
    if aimed and given:
        name = "an array" if isinstance(job.encoder, np.ndarray) else str(job.encoder)
        raise OptionError(
            f"method '{job.method}' compares the pool's vectors with those of the examples, and --encoder is {name}, "
            "which has none for these. Give what makes both: a model, a function, or field:NAME with vectors in both."
        )


def told(
    job: Job,
    method: Selector,
    inputs: Inputs,
    targets: Sequence[Corpus],
    unlike: Sequence[Corpus],
    progress: Progress,
) -> Selector:
    """Return the method, told the vectors of its examples where it reads them; others as they are.

    Raises
    ------
    InputError
        Examples that cannot be read, or none with a vector.
    """
    if not isinstance(method, Aimed):
        return method
    inputs.want("vectors")
    signal = inputs.signals["vectors"]
    with progress.step("target"):
        return method.told(
            [_vectors(job, one, signal) for one in targets], [_vectors(job, one, signal) for one in unlike]
        )


def _vectors(job: Job, examples: Corpus, signal: Signal) -> NDArray[np.floating]:
    """Return the vectors of the records that can be used."""
    compute(examples, [signal], strict=job.strict, tolerant=job.max_rejected >= 1)
    check_rejected(examples, job.max_rejected)
    return vectors_of(examples, column_key(examples, signal), np.flatnonzero(examples.rows.status == 0))
