"""Every registered method against the one suite of promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from contract import CHECKS, Case

from tamis.errors import OptionError
from tamis.select import METHODS, get

CASES = (
    Case("auto"),
    Case("random"),
    Case("stratified", {"strata": "source"}),
    Case("top", {"by": "score"}),
    Case("top", {"by": "score:asc"}),
    Case("length"),
    Case("length", {"unit": "bytes", "order": "shortest"}),
    Case("dsir"),
    Case("dsir", {"top_k": True}),
    Case("odis", {"signals": "ratio,score,bytes:asc", "components": 2}),
    Case("kmq"),
    Case("kmq", {"quality": "tokens", "sizes": "equal", "clusters": 5}),
    Case("kmq", {"quality": "ratio", "weights": "softmax"}),
    Case("semdedup"),
    Case("semdedup", {"eps": 0.2, "keep": "easy"}),
    Case("facility"),
    Case("facility", {"metric": "euclidean"}),
    Case("facility", {"algorithm": "anew"}),
    Case("facility", {"algorithm": "parts", "memory": "32KB"}),
    Case("facility", {"algorithm": "stochastic"}),
    Case("kcenter"),
    Case("kcenter", {"metric": "euclidean", "outliers": 0.1}),
    Case("mmr"),
    Case("mmr", {"quality": "score", "balance": 0.8}),
    Case("ccs", {"by": "score"}),
    Case("ccs", {"by": "bytes", "cut": "ratio:asc", "beta": 0.2, "strata": 5, "clip": 0.05}),
    Case("d2", {"by": "tokens"}),
    Case("d2", {"by": "ratio:asc", "scale": "ranks", "forward": "product", "metric": "euclidean", "gamma_r": 0.3}),
    Case("deita", {"complexity": "tokens", "quality": "bytes"}),
    Case("deita", {"quality": "ratio", "tau": 1}),
    Case("ccnet", {"by": "ratio"}),
    Case("ccnet", {"by": "tokens", "keep": "middle,tail", "language": "source", "floor": 5, "order": "lowest"}),
    Case("dpp"),
    Case("dpp", {"kernel": "linear", "ridge": 0, "quality": "score", "scale": "raw"}),
    Case("dpp", {"kernel": "rbf", "quality": "tokens", "theta": 2}),
    Case("kdpp"),
    Case("kdpp", {"kernel": "linear", "directions": "leading", "quality": "ratio"}),
    Case("volume"),
    Case("volume", {"directions": 3, "kernel": "cosine"}),
    Case("rankfusion", {"signals": "ratio,score,bytes:asc"}),
    Case("rankfusion", {"signals": "score,tokens", "rule": "rrf", "weights": "2,1"}),
    Case("rankfusion", {"signals": "score,tokens:asc", "rule": "convex", "scale": "spread"}),
    Case("multiwinner", {"signals": "ratio,score,bytes:asc"}),
    Case("multiwinner", {"signals": "score,tokens", "rule": "sntv", "top": 20}),
    Case("multiwinner", {"signals": "score,tokens:asc", "rule": "cc", "best": 3}),
    Case("herding"),
    Case("herding", {"kernel": "rbf", "reference": 30}),
    Case("instag", {"tags": "tags"}),
    Case("instag", {"tags": "tags", "minimum": 4}),
    Case("importance", {"by": "tokens"}),
    Case("importance", {"by": "bytes", "mix": 0, "weights": False}),
    Case("rs2"),
    Case("rs2", {"round": 7}),
    Case("rs2", {"round": 3, "replacement": True}),
    Case("sensitivity"),
    Case("sensitivity", {"label": "score", "intercept": False, "mix": 0.2}),
    Case("sensitivity", {"loss": "logistic"}),
    Case("sensitivity", {"loss": "logistic", "bound": "lewis"}),
    Case("sensitivity", {"loss": "kmeans"}),
    Case("sensitivity", {"loss": "kmeans", "clusters": 4}),
    Case("autocoreset", {"clusters": 3}),
    Case("autocoreset", {"loss": "squares", "label": "score", "summary": "norm"}),
    Case("autocoreset", {"loss": "logistic", "label": "source", "summary": "mean", "draws": 10}),
    Case("mig"),
    Case("mig", {"tags": "tags", "quality": "tokens", "threshold": 0.6}),
    Case("mig", {"tags": "tags", "gain": "exact", "phi": "exponential", "norm": True}),
    Case("quadmix", {"signals": "ratio,score,bytes:asc"}),
    Case("quadmix", {"signals": "ratio", "domains": "source", "share": "records", "omega": 0.5, "copies": False}),
    Case("adapt", {"signals": "score,ratio:asc,bytes"}),
    Case("adapt", {"signals": "ratio,score", "clusters": 4, "budgets": "spread", "inside": "middle"}),
    Case("quad", {"influence": "score", "arms": 2, "gamma": 8}),
    Case("quad", {"influence": "ratio", "clusters": 6, "arms": 2, "gamma": 3, "alpha": 0.5}),
    Case("thinning"),
    Case("thinning", {"kernel": "cosine"}),
    Case("thinning", {"block": 10, "reference": 30, "swap": False}),
    Case("sieve"),
    Case("sieve", {"eps": 0.3, "reference": 30, "fill": True}),
    Case("like"),
    Case("like", {"algorithm": "anew", "metric": "euclidean", "eta": 0.2}),
    Case("like", {"form": "flvmi"}),
    Case("like", {"form": "flvmi", "algorithm": "parts", "memory": "32KB", "eta": 2}),
    Case("like", {"form": "gcmi"}),
    Case("like", {"form": "logdetmi"}),
    Case("like", {"form": "logdetmi", "algorithm": "parts", "eta": 0.8, "ridge": 0.5}),
    Case("unlike"),
    Case("unlike", {"algorithm": "anew", "metric": "euclidean", "nu": 0.5}),
    Case("unlike", {"algorithm": "stochastic"}),
    Case("unlike", {"form": "gccg"}),
    Case("unlike", {"form": "logdetcg", "nu": 0.7}),
    Case("semcomp"),
    Case("semcomp", {"spread": 0.5, "metric": "euclidean", "candidates": 2, "neighbours": 4}),
    Case("paser", {"damage": "bytes", "sample": 40, "neighbours": 4}),
    Case("paser", {"damage": "tokens", "clusters": 3, "sample": 60, "characters": "ngram_count"}),
    Case("cdas", {"by": "score", "limit": 100}),
    Case("cdas", {"by": "bytes:asc", "limit": 0, "clusters": 3}),
    Case("d3"),
    Case("d3", {"difficulty": "bytes", "dependability": "tokens", "metric": "euclidean"}),
    Case("d3", {"loss": "tokens", "entropy": "bytes", "vocabulary": 9000, "dependability": "score", "scale": "ranks"}),
    Case("graphcut"),
    Case("graphcut", {"metric": "signed", "relative": True}),
    Case("graphcut", {"metric": "euclidean", "penalty": 2}),
    Case("graphcut", {"sample": 30, "relative": True}),
    Case("graphcut", {"algorithm": "parts", "parts": 3, "sample": 40, "relative": True}),
    Case("graphcut", {"algorithm": "stochastic"}),
    Case("features"),
    Case("features", {"phi": "log", "parts": 2}),
    Case("features", {"of": "vectors", "phi": "saturating"}),
    Case("features", {"weights": "idf", "per_token": False}),
    Case("features", {"algorithm": "parts", "memory": "32KB"}),
    Case("features", {"algorithm": "stochastic", "of": "vectors"}),
    Case("features", {"algorithm": "stochastic", "phi": "log"}),
    Case("saturated"),
    Case("saturated", {"metric": "euclidean", "alpha": 0.2}),
    Case("saturated", {"algorithm": "parts", "memory": "32KB"}),
    Case("saturated", {"algorithm": "stochastic"}),
)


def test_every_method_has_a_case() -> None:
    assert {case.method for case in CASES} == set(METHODS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract(case: Case, check: Callable[[Case], None]) -> None:
    if case.options.get("top_k") and check.__name__ == "the_seed_decides":
        pytest.skip("top_k switches the noise off: the seed decides nothing")
    check(case)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_about_itself(method: str) -> None:
    cls = get(method)
    for told in ("title", "source", "cost", "promises", "use_when", "fails_when", "later"):
        assert str(getattr(cls, told, "")).strip(), f"{method} does not tell its {told}"


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"unknown method 'randon'\. Did you mean 'random'\?"):
        get("randon")
