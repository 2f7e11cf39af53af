"""What the pages of quadmix, cdas and d3 claim to have measured, measured again.

    .venv/bin/python docs/evidence/mixes.py [quadmix] [clusters]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`). The proxies of `quadmix` are unigram models trained
on each choice: real ones, but no language models that anyone would use. "Cover" is the mean cosine of all records of
the pool to the chosen record nearest to each.
"""

from __future__ import annotations

import json
import lzma
import sys
from typing import Any

import numpy as np
from scores import columns

from tamis.kernels.hashing import mix64
from tamis.select import METHODS, get
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.quadmix import Quadmix
from tamis.select.steps.quadmix_search import draw, proxies, search, theta_text
from tamis.vectors.kmeans import kmeans
from vectors import DATA, cover, say

FILES = {"cs": "cs_0", "econ": "eess_econ_qfin", "math": "math", "physics": "physics", "qbio": "qbio", "stat": "stat"}
WORDS, EACH = 1 << 15, 4000


def words_of(text: str) -> np.ndarray:
    """Return the hashed words of a text."""
    return np.array([int(mix64(np.uint64(hash_of(word)))) % WORDS for word in text.lower().split()], np.int64)


def hash_of(word: str) -> int:
    """Return 64 bits of a word, the same in every run."""
    value = 14695981039346656037
    for byte in word.encode():
        value = ((value ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return value


def abstracts() -> tuple[list[np.ndarray], np.ndarray]:
    """Return the words of `EACH` abstracts a domain, spread over its file, and their domains."""
    texts, domains = [], []
    for domain, name in FILES.items():
        with lzma.open(DATA / "corpus_arxiv" / f"arxiv_{name}.jsonl.xz", "rt") as file:
            records = [json.loads(line)["abstract"] for line in file]
        step = len(records) / EACH
        texts += [words_of(records[int(i * step)]) for i in range(EACH)]
        domains += [domain] * EACH
    return texts, np.array(domains, object)


def unigrams(texts: list[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Return the log probabilities of words, from the texts of weight above 0, with 0.1 added to each count."""
    rows = np.flatnonzero(weight)
    words = np.concatenate([texts[i] for i in rows])
    counts = np.bincount(words, np.repeat(weight[rows], [len(texts[i]) for i in rows]), minlength=WORDS) + 0.1
    return np.log(counts / counts.sum())


def loss_of(model: np.ndarray, texts: list[np.ndarray]) -> float:
    """Return the mean loss a word, in nats."""
    return -float(model[np.concatenate(texts)].mean())


def quadmix() -> None:
    """Search parameters with 600 unigram proxies for abstracts of q-bio, and compare what is chosen, on others."""
    texts, domains = abstracts()
    target = np.flatnonzero(domains == "qbio")
    tuned, tested = target[: EACH // 4], target[EACH // 4 : EACH // 2]
    inside = np.setdiff1d(np.arange(len(texts)), np.concatenate([tuned, tested]))
    some = [texts[i] for i in tuned[::4]]  # a small sample of the target makes a score; the rest tunes
    tuning, testing = [texts[i] for i in np.setdiff1d(tuned, tuned[::4])], [texts[i] for i in tested]
    pool_texts, pool_domains = [texts[i] for i in inside], domains[inside]
    like, general = unigrams(some, np.ones(len(some))), unigrams(pool_texts, np.ones(len(pool_texts)))
    columns: dict[str, Any] = {
        "like": np.array([float((like[t] - general[t]).mean()) if len(t) else np.nan for t in pool_texts]),
        "plain": np.array([float(general[t].mean()) if len(t) else np.nan for t in pool_texts]),
        "length": np.array([len(t) for t in pool_texts], np.float64),
        "tokens": np.array([len(t) for t in pool_texts], np.int64),
        "domain": Groups.of(pool_domains),
    }
    keys = np.array([[int(mix64(np.uint64(i))), i] for i in range(len(inside))], np.uint64)
    pool, order = Pool.build(keys, columns)
    pool_texts = [pool_texts[i] for i in order]
    names = sorted(FILES)
    cost = pool.numbers("tokens", "mixes")
    limits = Constraints(Budget("tokens", 200_000), cost)

    def chosen(method: Any, seed: int) -> np.ndarray:
        return np.asarray(method.select(pool, limits, seed).weight)

    def told(method: Any) -> str:
        weights = [chosen(method, seed) for seed in range(5)]
        losses = [loss_of(unigrams(pool_texts, weight), testing) for weight in weights]
        codes, rows = columns["domain"].codes[order], weights[0] > 0
        share = np.bincount(codes[rows], cost[rows], minlength=len(names)) / cost[rows].sum()
        return f"{np.mean(losses):.3f} ({min(losses):.3f} to {max(losses):.3f}), q-bio {share[names.index('qbio')]:.0%}"

    def method_of(theta: np.ndarray) -> Quadmix:
        return Quadmix(signals="like,plain,length", domains="domain", theta=theta_text(theta, names))

    theta = draw(600, 3, len(names))
    losses = proxies(theta, lambda one: loss_of(unigrams(pool_texts, chosen(method_of(one), 0)), tuning))
    say(f"proxies: loss {losses.min():.3f} to {losses.max():.3f}, mean {losses.mean():.3f}")
    for name, options in {"random": {}, "top": {"by": "like"}, "stratified": {"strata": "domain"}}.items():
        say(f"{name}: {told(get(name)(**options))}")
    for signals in ("like", "like,plain,length"):
        say(f"quadmix, {signals}, not searched: {told(Quadmix(signals=signals, domains='domain'))}")
        say(f"quadmix, {signals}, one domain: {told(Quadmix(signals=signals))}")
    say(f"quadmix, the best proxy: {told(method_of(theta[int(losses.argmin())]))}")
    for regressor in ("ridge", "lightgbm"):
        found = search(theta, losses, regressor=regressor)
        truth = loss_of(unigrams(pool_texts, chosen(method_of(found.theta), 0)), tuning)
        say(
            f"quadmix, {regressor}: correlation {found.correlation:.2f} of {found.held_out} held out, best predicted"
            f" {found.best_predicted[0]:.3f}, their mean {found.predicted:.3f}, in truth {truth:.3f};"
            f" {told(method_of(found.theta))}"
        )


def clusters() -> None:
    """Compare how hard choices of alpaca are, and how well they cover it, by perplexity in place of the IFD."""
    pool = columns()
    x, hard = pool.vectors("vectors", "mixes"), pool.numbers("perplexity", "mixes")
    limit = float(np.quantile(hard, 0.99))  # in place of IFD >= 1: the hardest hundredth
    groups = kmeans(x, 10, spherical=True, keys=pool.keys).labels
    by = {"by": "perplexity"}
    arms: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("random", "random", {}),
        ("top", "top", by),
        *((f"cdas, {count} clusters", "cdas", {**by, "limit": limit, "clusters": count}) for count in (10, 100)),
        ("d3", "d3", {"difficulty": "perplexity", "scale": "ranks"}),
        ("kcenter", "kcenter", {}),
    )
    for k in (520, 5200):
        for told, name, options in arms:
            if name not in METHODS or (k > 520 and name in ("d3", "kcenter")):
                continue
            made = get(name)(**options)
            found = []
            for seed in range(3 if made.flags.random else 1):
                rows = made.select(pool, Constraints(Budget("rows", k)), seed).rows
                share = np.bincount(groups[rows], minlength=10) / k
                found.append([np.median(hard[rows]), share.max(), share.min(), cover(x, rows)])
            middle = np.mean(found, axis=0)
            ends = " to ".join(f"{end:.3f}" for end in (min(f[3] for f in found), max(f[3] for f in found)))
            say(
                f"{k:,} {told}: perplexity {middle[0]:.2f}, largest kind {middle[1]:.1%}, smallest {middle[2]:.1%},"
                f" cover {middle[3]:.3f} ({ends})"
            )


JOBS = {"quadmix": quadmix, "clusters": clusters}

if __name__ == "__main__":
    for job in sys.argv[1:] or JOBS:
        JOBS[job]()
