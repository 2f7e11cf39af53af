"""Methods that choose: columns in, an order and a reason for every record out.

============  ==================================================================
`auto`        the default: one of those below, by a short rule that it prints
`random`      uniform at random: the arm every other method must beat
`stratified`  random, with every group in proportion at every budget
`top`         the highest (or lowest) of any signal
`length`      the longest (or shortest) records
`dsir`        like a target, by importance resampling on hashed n-grams
`odis`        the best along each of a few orthogonal directions of quality
`kmq`         k-means clusters with quotas, drawn by quality
`semdedup`    no two that mean nearly the same
`facility`    every record of the pool near one that is chosen
`kcenter`     no record of the pool far from all that are chosen
`mmr`         good, and unlike what is chosen already
`ccs`         every level of difficulty, in equal numbers
`d2`          hard records and different ones, by messages between neighbours
`deita`       the best by complexity times quality, no two nearly the same
`ccnet`       head, middle or tail by perplexity
`dpp`         the set of largest volume: good, and different together
`kdpp`        a random set that is spread out, likelier the larger its volume
`volume`      records to label for a regression, with weights
`graphcut`    like many records, and unlike one another
`features`    much of every feature: words and phrases, or numbers of vectors
`saturated`   every record covered by several that are chosen, up to a limit
============  ==================================================================

`get(name)` returns a method's class; `METHODS` maps names, in that order, to where they live,
so that listing them loads none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tamis.errors import unknown

if TYPE_CHECKING:
    from tamis.select.base import Selector

__all__ = ["METHODS", "get"]

METHODS: dict[str, str] = {
    "auto": "tamis.select.auto:Auto",
    "random": "tamis.select.random:Random",
    "stratified": "tamis.select.stratified:Stratified",
    "top": "tamis.select.top:Top",
    "length": "tamis.select.length:Length",
    "dsir": "tamis.select.dsir:Dsir",
    "odis": "tamis.select.odis:Odis",
    "kmq": "tamis.select.kmq:Kmq",
    "semdedup": "tamis.select.semdedup:Semdedup",
    "facility": "tamis.select.facility:Facility",
    "kcenter": "tamis.select.kcenter:Kcenter",
    "mmr": "tamis.select.mmr:Mmr",
    "ccs": "tamis.select.ccs:Ccs",
    "d2": "tamis.select.d2:D2",
    "deita": "tamis.select.deita:Deita",
    "ccnet": "tamis.select.ccnet:Ccnet",
    "dpp": "tamis.select.dpp:Dpp",
    "kdpp": "tamis.select.kdpp:Kdpp",
    "volume": "tamis.select.volume:Volume",
    "graphcut": "tamis.select.graphcut:Graphcut",
    "features": "tamis.select.features:Features",
    "saturated": "tamis.select.saturated:Saturated",
}
"""Name to "module:class", in the order in which they are listed."""


def get(name: str) -> type[Selector]:
    """Return the class of the method called `name`; OptionError with the nearest name if none is."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    module, _, cls = METHODS[name].partition(":")
    found: type[Selector] = getattr(importlib.import_module(module), cls)
    return found
