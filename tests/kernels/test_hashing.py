"""Hashes against their references, counted randomness against its distribution."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from tamis.kernels.hashing import gumbels, hash_spans, mix64, murmur128, salt, sha256_mod, uniforms

KEYS = np.random.default_rng(7).integers(0, 2**64, (200_000, 2), np.uint64)


def _bytes(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def _murmur(text: bytes, seed: int = 0) -> tuple[int, int]:
    high, low = murmur128(_bytes(text), 0, len(text), np.uint64(seed))
    return int(high), int(low)


@pytest.mark.parametrize(
    ("text", "seed", "digest"),
    [
        (b"", 0, "00000000000000000000000000000000"),
        (b"", 1, "4610abe56eff5cb551622daa78f83583"),
        (b"hello", 0, "cbd8a7b341bd9b025b1e906a48ae1d19"),
        (b"hello, world", 0, "342fac623a5ebc8e4cdcbc079642414d"),
        (b"The quick brown fox jumps over the lazy dog.", 0, "cd99481f9ee902c9695da1a38987b6e7"),
    ],
)
def test_murmur_known_vectors(text: bytes, seed: int, digest: str) -> None:
    assert "{:016x}{:016x}".format(*_murmur(text, seed)) == digest


@pytest.mark.peers
@given(text=st.binary(max_size=200), before=st.binary(max_size=9), seed=st.integers(0, 2**32 - 1))
def test_murmur_equals_mmh3_wherever_the_span_lies(text: bytes, before: bytes, seed: int) -> None:
    mmh3 = pytest.importorskip("mmh3")
    data = _bytes(before + text + b"x")
    got = murmur128(data, len(before), len(before) + len(text), np.uint64(seed))
    assert (int(got[0]), int(got[1])) == mmh3.hash64(text, seed, signed=False)


@pytest.mark.parametrize("length", [*range(40), 63, 64, 65])
def test_murmur_reads_nothing_outside_the_span(length: int) -> None:
    text = bytes(range(1, length + 1))
    for around in (b"", b"\x00" * 16, b"\xff" * 16):
        data = _bytes(around + text + around)
        got = murmur128(data, len(around), len(around) + length, np.uint64(3))
        assert (int(got[0]), int(got[1])) == _murmur(text, 3)


def test_hash_spans_are_the_hashes_of_the_spans() -> None:
    data = _bytes(b"one two three")
    starts, stops = np.array([0, 4, 8, 3]), np.array([3, 7, 13, 3])
    got = hash_spans(data, starts, stops, np.uint64(5))
    assert [tuple(map(int, row)) for row in got] == [_murmur(t, 5) for t in (b"one", b"two", b"three", b"")]


def test_kernels_can_be_called_from_kernels() -> None:
    @njit
    def both(data: np.ndarray) -> tuple[np.uint64, int]:
        return mix64(murmur128(data, 0, len(data), np.uint64(0))[0]), sha256_mod(data, 0, len(data), 97)

    mixed, bucket = both(_bytes(b"abc"))
    assert int(mixed) == int(mix64(np.uint64(_murmur(b"abc")[0])))
    assert bucket == int(hashlib.sha256(b"abc").hexdigest(), 16) % 97


def test_mix64_is_splitmix64() -> None:
    # The first outputs of splitmix64 seeded with 1234567, as its author publishes them.
    golden, state, got = 0x9E3779B97F4A7C15, 1234567, []
    for _ in range(3):
        got.append(int(mix64(np.uint64(state))))
        state = (state + golden) % 2**64
    assert got == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(text=st.binary(max_size=300), modulus=st.sampled_from([1, 2, 10_000, 65_536, 2**31 - 1, 2**32 - 1]))
def test_sha256_mod_equals_hashlib(text: bytes, modulus: int) -> None:
    expected = int(hashlib.sha256(text).hexdigest(), 16) % modulus
    assert sha256_mod(_bytes(b"ab" + text + b"c"), 2, 2 + len(text), modulus) == expected


@pytest.mark.parametrize("length", [54, 55, 56, 57, 63, 64, 65, 119, 120, 128])
def test_sha256_mod_at_the_edges_of_a_block(length: int) -> None:
    text = b"q" * length
    assert sha256_mod(_bytes(text), 0, length, 10_000) == int(hashlib.sha256(text).hexdigest(), 16) % 10_000


@pytest.mark.parametrize(("text", "bucket"), [(b"alice", 6720), (b"alice went", 114)])
def test_sha256_buckets_of_the_reference_package(text: bytes, bucket: int) -> None:
    assert sha256_mod(_bytes(text), 0, len(text), 10_000) == bucket


def test_salt_depends_on_seed_and_purpose() -> None:
    salts = {int(salt(seed, purpose)) for seed in (-1, 0, 1, 2**70) for purpose in ("", "0", "random", "dsir")}
    assert len(salts) == 16
    assert salt(3, "x") == salt(3, "x")


def test_uniforms_lie_strictly_inside_for_any_bits() -> None:
    edges = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    keys = np.stack(np.meshgrid(edges, edges), -1).reshape(-1, 2)
    for value in (0, 2**64 - 1):
        u = uniforms(keys, np.uint64(value))
        assert ((u > 0) & (u < 1)).all()
    # The two ends of the last step: all bits clear, all 52 bits set.
    assert (0 + 0.5) * 2.0**-52 > 0
    assert (float(2**52 - 1) + 0.5) * 2.0**-52 < 1
    assert np.isfinite(gumbels(KEYS, salt(0, "g"))).all()


@pytest.mark.parametrize("keys", ["random", "counting", "high only", "low only"])
def test_uniforms_are_uniform_also_on_keys_that_are_not(keys: str) -> None:
    """Chi-square over 256 cells and each bit of 200,000 keys; bounds at about 5 standard deviations."""
    n = len(KEYS)
    count = np.arange(n, dtype=np.uint64)
    nothing = np.zeros(n, np.uint64)
    table = {
        "random": KEYS,
        "counting": np.stack([count, count], 1),
        "high only": np.stack([count, nothing], 1),
        "low only": np.stack([nothing, count], 1),
    }
    u = uniforms(table[keys], salt(1, "uniformity"))
    cells = np.bincount((u * 256).astype(int), minlength=256)
    chi2 = ((cells - n / 256) ** 2 / (n / 256)).sum()
    assert 255 - 5 * math.sqrt(510) < chi2 < 255 + 5 * math.sqrt(510)
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / math.sqrt(n)
    mean_bits = ((u * 2**20).astype(np.int64)[:, None] >> np.arange(20) & 1).mean(0)
    assert (abs(mean_bits - 0.5) < 5 * 0.5 / math.sqrt(n)).all()


def test_streams_of_other_purposes_and_seeds_are_unrelated() -> None:
    a = uniforms(KEYS, salt(0, "a"))
    for other in (uniforms(KEYS, salt(0, "b")), uniforms(KEYS, salt(1, "a"))):
        assert abs(np.corrcoef(a, other)[0, 1]) < 5 / math.sqrt(len(KEYS))


def test_a_number_depends_on_its_key_alone() -> None:
    order = np.random.default_rng(0).permutation(len(KEYS))
    seeded = salt(4, "order")
    np.testing.assert_array_equal(uniforms(KEYS, seeded)[order], uniforms(KEYS[order], seeded))
    np.testing.assert_array_equal(gumbels(KEYS, seeded)[order], gumbels(KEYS[order], seeded))


def test_gumbels_are_the_double_log_and_have_its_mean() -> None:
    u, g = uniforms(KEYS, salt(2, "g")), gumbels(KEYS, salt(2, "g"))
    np.testing.assert_allclose(g, -np.log(-np.log(u)), rtol=1e-12)
    assert abs(g.mean() - 0.5772156649) < 5 * math.pi / math.sqrt(6 * len(KEYS))
    assert abs(g.var() - math.pi**2 / 6) < 0.05
