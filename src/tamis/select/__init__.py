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
`rankfusion`  the best by several signals together
`multiwinner` a committee elected by several signals, with places for groups
`herding`     a set whose averages are those of the pool, one record after the other
`instag`      the most tags first, each record adding one to its pass
`importance`  in proportion to a signal, with weights
`rs2`         a fresh random subset for every epoch
`sensitivity` a weighted sample on which a loss is that of all
`autocoreset` a weighted set for any model and loss
`cdas`        every kind in its share, the highest by a score first
`d3`          difficult, dependable and different: weighted farthest first
`mig`         what adds the most to the coverage of a graph of tags
`quadmix`     several scores merged per domain, drawn along a curve
`adapt`       skills in equal numbers, each by the score that tells most there
`quad`        the most influential, asked about few, by a bandit over clusters
`thinning`    a set whose averages are those of the pool, by halving and exchange
`sieve`       records that represent all that came by, in one pass
`like`        like a target and covering it, by the geometry of vectors
`unlike`      for the pool, away from examples, by the geometry of vectors
`semcomp`     what lies around a target, covered instead of nearest first
`paser`       what a pruned model lost, the most damage for its length first
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
    "rankfusion": "tamis.select.rankfusion:Rankfusion",
    "multiwinner": "tamis.select.multiwinner:Multiwinner",
    "herding": "tamis.select.herding:Herding",
    "instag": "tamis.select.instag:Instag",
    "importance": "tamis.select.importance:Importance",
    "rs2": "tamis.select.rs2:Rs2",
    "sensitivity": "tamis.select.sensitivity:Sensitivity",
    "autocoreset": "tamis.select.autocoreset:Autocoreset",
    "cdas": "tamis.select.cdas:Cdas",
    "d3": "tamis.select.d3:D3",
    "mig": "tamis.select.mig:Mig",
    "quadmix": "tamis.select.quadmix:Quadmix",
    "adapt": "tamis.select.adapt:Adapt",
    "quad": "tamis.select.quad:Quad",
    "thinning": "tamis.select.thinning:Thinning",
    "sieve": "tamis.select.sieve:SieveStreaming",
    "like": "tamis.select.like:Like",
    "unlike": "tamis.select.unlike:Unlike",
    "semcomp": "tamis.select.semcomp:Semcomp",
    "paser": "tamis.select.paser:Paser",
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
