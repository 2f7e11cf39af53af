"""DSIR: the draw's probabilities, its shares, its order, and parity with the reference package."""

from __future__ import annotations

import itertools
import json
import lzma
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import real
from tamis.corpus.chunk import Text
from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import gumbels, salt
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.interleave import interleave
from tamis.select.dsir import Dsir, dsir, resample


def _keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (n, 2), np.uint64)


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def _run(method: Dsir, pool: list[str], targets: list[list[str]], k: int, seed: int) -> tuple[list[int], np.ndarray]:
    """Do what a run does with the method: count, weigh, select. Return picks and weights in pool order."""
    features = method.features()
    method, signals = method.against([method.count([features.column(_text(t))]) for t in targets])
    columns = {"ngrams": features.column(_text(pool))}
    values = {"order": np.arange(len(pool))}
    for name, signal in signals.items():
        values[name] = np.asarray(signal.column(columns, signal.merge([signal.summary(columns)])))
    assert set(method.needs()) <= set(values)
    built, back = Pool.build(_keys(len(pool)), values)
    nothing = np.zeros(len(pool), bool)
    chosen = method.select(built, Constraints(Budget("rows", k), keep=nothing, drop=nothing), seed)
    ratios = [name for name in method.needs() if name.startswith("ratio")]
    return back[chosen.rows].tolist(), np.stack([values[name] for name in ratios], -1)


def test_two_of_three_are_drawn_with_the_known_probabilities() -> None:
    """Weights .5, .3, .2, two drawn without replacement: the first is in with probability
    .5 + .3 * .5/.7 + .2 * .5/.8 = .8393, the others .6750 and .4857. 20,000 seeds: 4 deviations are .015."""
    weights, keys, runs = np.log([0.5, 0.3, 0.2]), _keys(3, 1), 20_000
    seen = np.zeros(3)
    for seed in range(runs):
        noisy = weights + gumbels(keys, salt(seed, "dsir:0"))
        seen[np.argsort(-noisy)[:2]] += 1
    np.testing.assert_allclose(seen / runs, [0.8393, 0.6750, 0.4857], atol=0.015)
    for seed in range(50):
        noisy = weights + gumbels(keys, salt(seed, "dsir:0"))
        assert resample(weights, keys, 2, seed=seed).tolist() == np.argsort(-noisy)[:2].tolist()


def test_one_seed_over_many_keys_draws_in_proportion() -> None:
    """1,000 of 100,000 records, half of them e times likelier: about 731 of the likelier half."""
    n = 100_000
    weights = np.repeat([0.0, 1.0], n // 2)
    likelier = (resample(weights, _keys(n), 1000, seed=3) >= n // 2).sum()
    assert abs(likelier - 1000 * np.e / (1 + np.e)) < 4 * np.sqrt(1000 * 0.731 * 0.269)


def test_top_k_has_no_noise_and_ties_fall_to_the_smaller_key() -> None:
    keys = np.array([[3, 0], [1, 0], [2, 0], [0, 0]], np.uint64)
    assert resample(np.array([1.0, 5.0, 5.0, 2.0]), keys, 3, seed=1, top_k=True).tolist() == [1, 2, 3]
    assert resample(np.zeros(4), keys, 4, top_k=True).tolist() == [3, 1, 2, 0]


@given(seed=st.integers(0, 2**40), data=st.data(), n=st.integers(1, 30))
def test_the_order_of_the_pool_does_not_matter(seed: int, data: st.DataObject, n: int) -> None:
    keys, weights = _keys(n), np.random.default_rng(n).normal(size=n)
    moved = np.array(data.draw(st.permutations(range(n))))
    plain = resample(weights, keys, n, seed=seed)
    shuffled = resample(weights[moved], keys[moved], n, seed=seed)
    assert moved[shuffled].tolist() == plain.tolist()
    assert resample(weights, keys, max(1, n // 2), seed=seed).tolist() == plain[: max(1, n // 2)].tolist()


def test_the_array_function_finds_the_planted_kind() -> None:
    """Of 200 texts on cooking and 200 on sailing, of very unequal lengths, 50 for a sailing target."""
    rng = np.random.default_rng(11)
    kinds = [
        ["simmer", "the", "onion", "in", "butter", "and", "stir"],
        ["reef", "the", "sail", "and", "trim", "the", "jib", "to", "windward"],
    ]
    pool = [" ".join(rng.choice(kinds[i % 2], int(rng.integers(5, 300)))) for i in range(400)]
    target = [" ".join(rng.choice(kinds[1], 100)) for _ in range(10)]
    for top_k in (False, True):
        rows = dsir(pool, target, 50, seed=5, top_k=top_k)
        assert (rows % 2 == 1).mean() >= 0.95
        assert len(set(rows.tolist())) == 50
    assert dsir(pool, target, 50, seed=5).tolist() == dsir(pool, target, 50, seed=5).tolist()
    assert dsir(pool, target, 50, seed=5).tolist() != dsir(pool, target, 50, seed=6).tolist()
    assert len(dsir(pool, target, 1000)) == 400


def test_bad_input_is_answered() -> None:
    with pytest.raises(BudgetError, match="at least 1"):
        resample(np.zeros(2), _keys(2), 0)
    with pytest.raises(InputError, match="got nan at record"):
        resample(np.array([0.0, np.nan]), _keys(2), 1)
    with pytest.raises(InputError, match="expected 2 values"):
        resample(np.zeros(3), _keys(2), 1)
    with pytest.raises(InputError, match="a target without text"):
        dsir(["a"], ["", " "], 1)
    with pytest.raises(InputError, match="at least one target"):
        Dsir().against([])
    with pytest.raises(OptionError, match="Did you mean 'top_k'"):
        Dsir(topk=True)
    with pytest.raises(OptionError, match="separate=true"):
        Dsir(proportions="1,2")
    for wrong in ("1", "1,x", "0,0", "-1,2", "nan,1"):
        with pytest.raises(OptionError, match="2 numbers >= 0"):
            Dsir(separate=True, proportions=wrong).against([np.ones(10_000, np.int64)] * 2)
    with pytest.raises(OptionError, match="needs the column 'ratio'"):
        Dsir().rank(Pool(np.zeros((1, 2), np.uint64)), 0)


def test_what_it_needs_and_what_computes_it() -> None:
    counts = [np.full(10_000, c, np.int64) for c in (1, 3)]
    pooled, signals = Dsir().against(counts)
    assert pooled.needs() == ("ratio",) == tuple(signals)
    assert signals["ratio"].target.tolist() == [4] * 10_000
    separate, signals = Dsir(separate=True).against(counts)
    assert separate.needs() == ("ratio:0", "ratio:1") == tuple(signals)
    assert separate.proportions == "10000,30000"
    exact, signals = Dsir(compat=True).against(counts)
    assert exact.needs() == ("ratio", "ngram_count", "order")
    assert set(signals) == {"ratio", "ngram_count"}
    assert signals["ratio"].fit == 10**9
    assert exact.flags.order_matters
    assert not Dsir.flags.order_matters
    assert repr(exact).startswith("Dsir(")


@given(
    n=st.integers(1, 40),
    k=st.integers(1, 45),
    shares=st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any),
    seed=st.integers(0, 9),
)
def test_separate_targets_get_the_shares_of_the_reference(n: int, k: int, shares: list[int], seed: int) -> None:
    """int(k p_i) each, the remainder to the last, each from what those before it left; every prefix mixed."""
    t = len(shares)
    weights = np.random.default_rng(n).normal(size=(t, n))
    pool = Pool(np.sort(_keys(n), axis=0), {f"ratio:{j}": weights[j] for j in range(t)})
    method = Dsir(separate=True, proportions=shares, targets=t, top_k=True)
    chosen = method.select(pool, Constraints(Budget("rows", k)), seed)
    p = np.array(shares) / sum(shares)
    wanted = [int(min(k, n) * q) for q in p]
    wanted[-1] += min(k, n) - sum(wanted)
    left, expected = np.ones(n, bool), []
    for j, count in enumerate(wanted):
        best = [i for i in np.argsort(-weights[j], kind="stable") if left[i]][:count]
        left[best] = False
        expected += best
    assert sorted(chosen.rows.tolist()) == sorted(int(i) for i in expected)
    ranking = method.rank(pool, seed)
    assert sorted(ranking.order.tolist()) == list(range(n))


def test_a_token_budget_is_shared_in_tokens() -> None:
    """Two targets, 3 to 1, wanting different halves of the pool, the second half 5 times as long."""
    n = 2000
    first = np.arange(n) < n // 2
    weights = np.where(first, 100.0, -100.0)
    cost = np.where(first, 10, 50).astype(np.int64)
    pool = Pool(np.sort(_keys(n), axis=0), {"ratio:0": weights, "ratio:1": -weights})
    method = Dsir(separate=True, proportions="3,1", targets=2)
    chosen = method.select(pool, Constraints(Budget("tokens", 8000), cost=cost), 0)
    spent = cost[chosen.rows]
    assert spent[first[chosen.rows]].sum() == pytest.approx(6000, abs=60)
    assert spent.sum() == 8000


def test_interleaving_by_hand() -> None:
    """Shares 3 to 1 over 0 1 2 3 4 and 2 0 4: behind by (0, 0) takes 0, by (-.25, .25) takes 2 from
    the second, by (.5, -.5) takes 1, (.25, -.25) takes 3, (0, 0) takes 4."""
    orders = [np.arange(5), np.array([2, 0, 4])]
    rows, whose = interleave(orders, np.array([0.75, 0.25]), np.ones(5))
    assert rows.tolist() == [0, 2, 1, 3, 4]
    assert whose.tolist() == [0, 1, 0, 0, 0]


@given(shares=st.lists(st.integers(1, 9), min_size=1, max_size=4), n=st.integers(1, 60), seed=st.integers(0, 99))
def test_every_prefix_holds_the_shares(shares: list[int], n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.array(shares) / sum(shares)
    orders = [rng.permutation(n) for _ in shares]
    rows, whose = interleave(orders, p, np.ones(n))
    assert sorted(rows.tolist()) == list(range(n))
    taken = np.cumsum(whose[:, None] == np.arange(len(p)), axis=0)
    assert (abs(taken - np.arange(1, n + 1)[:, None] * p) < 1.6).all()
    for j, order in enumerate(orders):  # each target in its own order
        place = np.argsort(order)
        assert (np.diff(place[rows[whose == j]]) > 0).all()


def test_an_order_of_no_share_comes_last() -> None:
    rows, whose = interleave([np.array([0, 1]), np.array([2, 3])], np.array([0.0, 1.0]), np.ones(4))
    assert rows.tolist() == [2, 3, 0, 1]
    assert whose.tolist() == [1, 1, 0, 0]


def test_compat_sets_short_records_aside_and_follows_the_input() -> None:
    """Tokens are recovered from n-grams: (199 + 1) // 2 = 100 stays, (197 + 1) // 2 = 99 goes."""
    columns = {
        "ratio": np.zeros(4),
        "ngram_count": np.array([199, 197, 500, 0]),
        "order": np.array([2, 1, 0, 3]),
    }
    pool = Pool(np.sort(_keys(4), axis=0), columns)
    ranking = Dsir(compat=True).rank(pool, 8)
    noise = np.random.RandomState(8).gumbel(size=2)  # for input rows 0 and 2: pool records 2 and 0
    assert ranking.order.tolist() == ([2, 0] if noise[0] > noise[1] else [0, 2])
    assert ranking.score.tolist() == [noise[1], 0.0, noise[0], 0.0]
    assert ranking.asides == ("dsir: shorter than 100 tokens",)
    assert Dsir(compat=True, min_length=0).rank(pool, 8).order.tolist() != []


# Parity ---------------------------------------------------------------------------------------------


def _reference(
    folder: Path, pool: list[str], targets: list[list[str]], k: int, seed: int, **options: object
) -> tuple[list[int], np.ndarray]:
    """Run the reference package on one process; return its picks and log weights."""
    pytest.importorskip("data_selection")
    from data_selection import HashedNgramDSIR, hashed_ngram_dsir

    # NLTK from 3.10 on compiles this pattern with the package `regex`, whose \w differs from `re`'s
    # on combining marks and on digits such as superscripts; the reference was made with `re`.
    hashed_ngram_dsir.wpt._regexp = re.compile(r"\w+|[^\w\s]+", re.UNICODE | re.MULTILINE | re.DOTALL)

    def write(name: str, texts: list[str]) -> str:
        (folder / name).write_text("".join(json.dumps({"text": t, "i": i}) + "\n" for i, t in enumerate(texts)))
        return str(folder / name)

    paths = [write(f"target{j}.jsonl", t) for j, t in enumerate(targets)]
    top_k, fit = bool(options.pop("top_k", False)), options.pop("fit", "auto")
    reference = HashedNgramDSIR([write("raw.jsonl", pool)], paths, str(folder / "cache"), num_proc=1, **options)
    reference.fit_importance_estimator(num_tokens_to_fit=fit)
    reference.compute_importance_weights()
    weights = np.load(folder / "cache" / "log_importance_weights" / "0.npy")
    np.random.seed(seed)  # the generator the reference draws from
    reference.resample(str(folder / "out"), k, cache_dir=str(folder / "resampled"), top_k=top_k)
    lines = next((folder / "out").rglob("0.jsonl")).read_text().splitlines()
    return [json.loads(line)["i"] for line in lines], weights.reshape(len(pool), -1)


def _compare(folder: Path, pool: list[str], targets: list[list[str]], k: int, seed: int, **options: object) -> None:
    ours = {"compat": True, "top_k": options.get("top_k", False), "separate": len(targets) > 1}
    if "fit" in options:
        ours["fit"] = options["fit"]
    if "min_example_length" in options:
        ours["min_length"] = options["min_example_length"]
    if "target_proportions" in options:
        ours["proportions"] = options["target_proportions"]
    rows, weights = _run(Dsir(**ours), pool, targets, k, seed)
    picks, expected = _reference(folder, pool, targets, k, seed, separate_targets=len(targets) > 1, **options)
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-9)
    assert sorted(rows) == picks


_ODD_WORDS = """The cat SAT on a_b 3.14 ok ... don't - naïve ÉTÉ x² ½ 日本語 — e\u0301 İstanbul Straße \u2028
Ω \u00a0 \ufb01n \U0001f600 \x1c"""


def _generated(n: int, seed: int) -> list[str]:
    """Texts of 0 to 180 words with capitals, punctuation and much beyond ASCII."""
    rng = np.random.default_rng(seed)
    words = re.split("[ \n]", _ODD_WORDS)
    weights = rng.dirichlet(np.ones(len(words)))
    return [" ".join(rng.choice(words, rng.integers(0, 180), p=weights)) for _ in range(n)]


@pytest.mark.peers
@pytest.mark.parametrize("top_k", [False, True])
def test_parity_on_generated_texts(tmp_path: Path, top_k: bool) -> None:
    _compare(tmp_path, _generated(150, 1), [_generated(20, 2)], 30, 17, top_k=top_k)


@pytest.mark.peers
def test_parity_with_separate_targets(tmp_path: Path) -> None:
    _compare(tmp_path, _generated(150, 3), [_generated(9, 4), _generated(20, 5), _generated(3, 6)], 31, 3)


@pytest.mark.peers
def test_parity_with_given_proportions_one_of_them_nothing(tmp_path: Path) -> None:
    targets = [_generated(9, 4), _generated(20, 5), _generated(3, 6)]
    _compare(tmp_path, _generated(120, 3), targets, 20, 5, target_proportions=[1.0, 0.0, 2.0])


@pytest.mark.peers
def test_parity_with_a_limited_fit_and_all_lengths(tmp_path: Path) -> None:
    _compare(tmp_path, _generated(80, 7), [_generated(9, 8)], 20, 1, fit=2500, min_example_length=0)


def _abstracts(file: str, n: int) -> list[str]:
    with lzma.open(real("corpus_arxiv") / file, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["abstract"] for line in itertools.islice(lines, n)]


@pytest.mark.peers
def test_parity_on_real_abstracts(tmp_path: Path) -> None:
    pool = _abstracts("arxiv_cs_0.jsonl.xz", 250) + _abstracts("arxiv_qbio.jsonl.xz", 250)
    _compare(tmp_path, pool, [_abstracts("arxiv_stat.jsonl.xz", 60)], 100, 2024)


def test_length_decides_less_on_real_abstracts() -> None:
    """The best tenth for another field: by plain sums far from the pool's mean length, by chunks nearer."""
    pool, target = _abstracts("arxiv_cs_0.jsonl.xz", 2000), _abstracts("arxiv_stat.jsonl.xz", 300)
    length = np.array([len(t) for t in pool])
    by_sum, by_chunk = (dsir(pool, target, 200, chunk=c, top_k=True) for c in (0, 128))
    off = [abs(np.log(length[rows].mean() / length.mean())) for rows in (by_sum, by_chunk)]
    assert off[1] < off[0]
