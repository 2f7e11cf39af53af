"""Methods that choose: columns in, an order and a reason for every record out.

=============  ======================================================================
`auto`         the default: one of those below, by a short rule that it prints
`random`       uniform at random: the arm every other method must beat
`stratified`   random, with every group in proportion at every budget
`length`       the longest (or shortest) records
`rs2`          a fresh random subset for every epoch
`dsir`         like a target, by importance resampling on hashed n-grams
`like`         like a target and covering it, by the geometry of vectors
`unlike`       for the pool, away from examples, by the geometry of vectors
`semcomp`      what lies around a target, covered instead of nearest first
`top`          the highest (or lowest) of any signal
`odis`         the best along each of a few orthogonal directions of quality
`quadmix`      several scores merged per domain, drawn along a curve
`rankfusion`   the best by several signals together
`multiwinner`  a committee elected by several signals, with places for groups
`ccs`          every level of difficulty, in equal numbers
`d2`           hard records and different ones, by messages between neighbours
`deita`        the best by complexity times quality, no two nearly the same
`d3`           difficult, dependable and different: weighted farthest first
`ccnet`        head, middle or tail by perplexity
`instag`       the most tags first, each record adding one to its pass
`mig`          what adds the most to the coverage of a graph of tags
`kmq`          k-means clusters with quotas, drawn by quality
`cdas`         every kind in its share, the highest by a score first
`adapt`        skills in equal numbers, each by the score that tells most there
`paser`        what a pruned model lost, the most damage for its length first
`quad`         the most influential, asked about few, by a bandit over clusters
`semdedup`     no two that mean nearly the same
`facility`     every record of the pool near one that is chosen
`saturated`    every record covered by several that are chosen, up to a limit
`graphcut`     like many records, and unlike one another
`features`     much of every feature: words and phrases, or numbers of vectors
`kcenter`      no record of the pool far from all that are chosen
`mmr`          good, and unlike what is chosen already
`dpp`          the set of largest volume: good, and different together
`kdpp`         a random set that is spread out, likelier the larger its volume
`herding`      a set whose averages are those of the pool, one record after the other
`thinning`     a set whose averages are those of the pool, by halving and exchange
`sieve`        records that represent all that came by, in one pass
`importance`   in proportion to a signal, with weights
`sensitivity`  a weighted sample on which a loss is that of all
`autocoreset`  a weighted set for any model and loss
`volume`       records to label for a regression, with weights
=============  ======================================================================

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
    "length": "tamis.select.length:Length",
    "rs2": "tamis.select.rs2:Rs2",
    "dsir": "tamis.select.dsir:Dsir",
    "like": "tamis.select.like:Like",
    "unlike": "tamis.select.unlike:Unlike",
    "semcomp": "tamis.select.semcomp:Semcomp",
    "top": "tamis.select.top:Top",
    "odis": "tamis.select.odis:Odis",
    "quadmix": "tamis.select.quadmix:Quadmix",
    "rankfusion": "tamis.select.rankfusion:Rankfusion",
    "multiwinner": "tamis.select.multiwinner:Multiwinner",
    "ccs": "tamis.select.ccs:Ccs",
    "d2": "tamis.select.d2:D2",
    "deita": "tamis.select.deita:Deita",
    "d3": "tamis.select.d3:D3",
    "ccnet": "tamis.select.ccnet:Ccnet",
    "instag": "tamis.select.instag:Instag",
    "mig": "tamis.select.mig:Mig",
    "kmq": "tamis.select.kmq:Kmq",
    "cdas": "tamis.select.cdas:Cdas",
    "adapt": "tamis.select.adapt:Adapt",
    "paser": "tamis.select.paser:Paser",
    "quad": "tamis.select.quad:Quad",
    "semdedup": "tamis.select.semdedup:Semdedup",
    "facility": "tamis.select.facility:Facility",
    "saturated": "tamis.select.saturated:Saturated",
    "graphcut": "tamis.select.graphcut:Graphcut",
    "features": "tamis.select.features:Features",
    "kcenter": "tamis.select.kcenter:Kcenter",
    "mmr": "tamis.select.mmr:Mmr",
    "dpp": "tamis.select.dpp:Dpp",
    "kdpp": "tamis.select.kdpp:Kdpp",
    "herding": "tamis.select.herding:Herding",
    "thinning": "tamis.select.thinning:Thinning",
    "sieve": "tamis.select.sieve:SieveStreaming",
    "importance": "tamis.select.importance:Importance",
    "sensitivity": "tamis.select.sensitivity:Sensitivity",
    "autocoreset": "tamis.select.autocoreset:Autocoreset",
    "volume": "tamis.select.volume:Volume",
}
"""Name to "module:class", in the order in which they are listed."""


def get(name: str) -> type[Selector]:
    """Return the class of the method called `name`; OptionError with the nearest name if none is."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    module, _, cls = METHODS[name].partition(":")
    found: type[Selector] = getattr(importlib.import_module(module), cls)
    return found
