"""Difficulty from a model's loss and its own doubt (UPD): a high loss counts where the model was sure.

Source: D3 (2025), as summaries tell it. They leave open where beta stands: its place here is ours, and so is
`standard`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tamis.errors import InputError, OptionError
from tamis.select.given.usable import check_usable

__all__ = ["upd"]

_Floats = NDArray[np.float64]


def upd(loss: Any, entropy: Any, vocabulary: int, beta: float = 1.0, standard: bool = False) -> _Floats:
    """Return the difficulty of `n` records: `sigmoid(loss) * max(1 - (entropy / log vocabulary)^beta, 0)`.

    `loss` is the mean token loss of the answer, `entropy` the mean entropy of the predictions there, both in nats: a
    high loss counts where the model was sure. The sigmoid of a loss is at least 0.5, so entropy does most of the work;
    `standard` takes mean and spread of the losses out first, and both count. NaN stays NaN.

    Raises
    ------
    InputError
        Unequal lengths, a loss (unless `standard`) or an entropy below 0.
    OptionError
        A vocabulary below 2, a beta that is not above 0.
    """
    if vocabulary < 2 or not beta > 0:
        raise OptionError(f"upd: expected a vocabulary of at least 2 and beta above 0, got {vocabulary} and {beta}.")
    lost, spread = np.asarray(loss, np.float64), np.asarray(entropy, np.float64)
    if lost.ndim != 1 or lost.shape != spread.shape:
        raise InputError(f"upd: expected n losses and n entropies, got shapes {lost.shape} and {spread.shape}.")
    for what, values in (("loss", lost), ("entropy", spread)):
        check_usable(values, values < 0, f"upd, {what}", "numbers of at least 0")
    if standard:
        known = np.sort(lost[~np.isnan(lost)])
        apart = float(known.std()) if len(known) else 0.0
        lost = (lost - (known.mean() if len(known) else 0.0)) / (apart if apart > 1e-12 else 1.0)
    return np.asarray(expit(lost) * np.maximum(1 - (spread / np.log(vocabulary)) ** beta, 0.0), np.float64)
