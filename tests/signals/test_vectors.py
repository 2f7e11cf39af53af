"""Vectors: wordllama's own to float16, however texts were cut and whoever remembered what."""

from __future__ import annotations

import json
import lzma
import pickle
import sys
import threading
import types
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_tokenizers import hostile
from tokenizers import Tokenizer

from data import real
from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError, TamisError, UserError
from tamis.signals import static, static_walk
from tamis.signals.bpe import compiled
from tamis.signals.static import StaticMeans
from tamis.signals.tokenizers import build
from tamis.signals.tokenizers import load as load_tokenizer
from tamis.signals.vectors import Vectors, column_of, encoder, rows_of
from tamis.vectors.encoders import encoder as other_encoder
from tamis.vectors.wordllama import TokenRows, load

FAST = "pieces of texts, each tokenised once"


def text_of(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    return rows_of(column)


@cache
def fast() -> StaticMeans:
    return StaticMeans(load(), load_tokenizer())


@cache
def whole() -> StaticMeans:
    return StaticMeans(load(), load_tokenizer(), pieces=False)


@cache
def wordllama():  # type: ignore[no-untyped-def]
    """wordllama itself, with its own package folder as cache: where its loader finds the wheel's files."""
    import wordllama as package

    folder = Path(package.__file__).parent
    return package.WordLlama.load(cache_dir=folder, disable_download=True)


def test_worked_by_hand() -> None:
    """The text is the tokens "\u2581Hello" "," "\u2581world" "!": the mean of four rows of the file."""
    vocabulary = json.loads(load_tokenizer().json)["model"]["vocab"]
    tokens = [vocabulary[token] for token in ("\u2581Hello", ",", "\u2581world", "!")]
    expected = load().numbers(tokens).mean(axis=0)
    found = Vectors().column(text_of(["Hello, world!", ""]))
    assert found.type == pa.list_(pa.float16(), 256)
    assert (matrix(found)[0] == expected.astype(np.float16)).all()
    assert not matrix(found)[1].any()


@pytest.mark.filterwarnings("ignore")
def test_equals_wordllama_to_float16() -> None:
    """Both sums are of the same rows: they differ by the rounding of wordllama's additions in float32."""
    texts = ["Hello, world!", "a", "  two  spaces ", "line\nbreak\ttab", "<s> x </s>"]
    texts += [
        "na\u00efve \u4f60\u597d \U0001f600",
        " ".join(["word"] * 300),
        "x" * 2000,
        "def f(x):\n    return x ** 2\n",
    ]
    expected = wordllama().embed(texts)
    found = fast().means(text_of(texts))
    assert np.allclose(found, expected, rtol=1e-5, atol=2e-6)
    ulp = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float64)
    assert (np.abs(found.astype(np.float16).astype(np.float64) - expected.astype(np.float16)) <= ulp).all()


@given(st.lists(hostile(), max_size=12))
@example(["<s>", "a <s> b", "x</s>y <unk>", " \u2581 ", "\u2581", " "])
@example(["a" * 3000, "word " * 400 + "b" * 700, "\n" * 600 + " c", "q" * 1024, "r" * 1025])
@example(["\u4f60" * 500 + " \u597d", "a <" * 30 + "<s>", "<" * 70])
def test_pieces_equal_whole_texts(texts: list[str]) -> None:
    """Bit for bit: sums are exact, so only the tokens count."""
    assert fast().note == FAST
    assert (fast().means(text_of(texts)) == whole().means(text_of(texts))).all()


def test_real_texts_equal_whole_texts() -> None:
    with lzma.open(sorted(real("corpus_arxiv").glob("*.jsonl.xz"))[0], "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["abstract"] for _, line in zip(range(1500), lines, strict=False)]
    text = text_of(texts)
    assert (fast().means(text) == whole().means(text)).all()
    assert (fast().means(text) == fast().means(text)).all()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30) | hostile(), min_size=1, max_size=6), st.data())
@settings(max_examples=50)
def test_a_text_depends_on_itself_alone(texts: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    found = fast().means(text_of(texts))
    again = fast().means(text_of([texts[i] for i in order]))
    assert (again == found[list(order)]).all()


def test_small_buffers_and_tables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way out of the walk is taken: full buffers, pieces that are not remembered, tiny blocks."""
    words = [f"w{i} <{i} q{i * 7919}\u2028 {'z' * (i % 90)} </s" for i in range(400)]
    texts = [" ".join(words[i : i + 9]) for i in range(0, 400, 4)] + ["<s>", "u" * 3000 + " " + "v" * 2000] * 3
    expected = whole().means(text_of(texts))
    for name, size in (("_FRESH", 5), ("_LOOSE", 1), ("_ENDS", 80), ("_PENDING", 80)):
        monkeypatch.setattr(static_walk, name, size)
    monkeypatch.setattr(static, "_BLOCK", 7)
    monkeypatch.setattr(static, "_LENGTH", 50)
    small = StaticMeans(load(), load_tokenizer(), limit=40)
    for _ in range(2):
        assert (small.means(text_of(texts)) == expected).all()


def test_threads_share_what_they_learn() -> None:
    texts = [f"alpha{i % 97} beta{i % 89} gamma {i}" for i in range(3000)]
    expected = whole().means(text_of(texts))
    shared, wrong = StaticMeans(load(), load_tokenizer()), []

    def work(start: int) -> None:
        for begin in range(start, 3000, 600):
            found = shared.means(text_of(texts[begin : begin + 200]))
            wrong.extend(np.flatnonzero((found != expected[begin : begin + 200]).any(axis=1)))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 600, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_totals_beyond_32_bits_are_exact() -> None:
    """The row of a frequent token 100,000 times: its mean is the row."""
    text = text_of(["the " * 100_000 + "the"])
    vocabulary = json.loads(load_tokenizer().json)["model"]["vocab"]
    found = fast().means(text)
    assert np.allclose(found[0], load().numbers(vocabulary["\u2581the"]), rtol=1e-6, atol=1e-7)


def test_whole_numbers_give_the_same() -> None:
    """What a processor that cannot convert float16 works with."""
    halves = load()
    plain = TokenRows.of(halves.numbers(np.arange(len(halves))), halves=False)
    assert plain.rows.dtype == np.int32
    texts = text_of(["Hello, world!", "", "the quick brown fox " * 300, "\u4f60\u597d"])
    assert (StaticMeans(plain, load_tokenizer()).means(texts) == fast().means(texts)).all()


def test_a_difference_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = StaticMeans(load(), load_tokenizer())
    assert broken._known is not None
    broken._known.merges = broken._known.merges._replace(meta=5)
    with pytest.raises(TamisError, match=r"for the text 'a b', got \d+.*please report it"):
        broken.means(text_of(["a b"]))


def test_unknown_tokenizers_are_not_compiled() -> None:
    """Anything the compiled encoder does not do itself: None, so that the library tokenises whole texts."""
    config = json.loads(build(load_tokenizer().json).to_str())
    assert compiled(config) is not None
    changes = [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "NFC"}},
        {"model": config["model"] | {"ignore_merges": True}},
        {"model": config["model"] | {"byte_fallback": False}},
        {"added_tokens": [config["added_tokens"][0] | {"content": "a b"}]},
        {"added_tokens": [config["added_tokens"][0] | {"normalized": True}]},
        {"model": config["model"] | {"merges": [["a", "\u4f60"]]}},
    ]
    for change in changes:
        assert compiled(config | change) is None, change


def test_store_key_and_pickle() -> None:
    signal = Vectors()
    assert signal.key() == Vectors(pieces=False).key()
    assert signal.key().startswith("vectors-v1-")
    copied = pickle.loads(pickle.dumps(signal))
    assert copied.key() == signal.key()
    assert FAST in copied.note
    assert "whole texts" in Vectors(pieces=False).note


def lengths(texts: list[str]) -> list[list[float]]:
    return [[len(text), text.count("a")] for text in texts]


def test_any_function_is_an_encoder() -> None:
    column = Vectors(lengths).column(text_of(["abca", "", "a"]))
    assert matrix(column).tolist() == [[4, 2], [0, 0], [1, 1]]
    assert Vectors(lengths).key() != Vectors(lengths).key()
    lengths.fingerprint = "lengths-1"  # type: ignore[attr-defined]
    try:
        assert Vectors(lengths).key() == Vectors(lengths).key()
    finally:
        del lengths.fingerprint  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts: [[1.0]] * (len(texts) + 1), r"expected 1 rows of vectors, got an array of shape \(2, 1\)"),
        (lambda texts: ["x"] * len(texts), "expected 1 x d numbers"),
        (lambda texts: [[1.0] * len(texts[0])] * len(texts), r"expected vectors 1 wide, as before, got 2"),
        (lambda texts: [[1, np.nan if t == "bb" else 0] for t in texts], "got nan for item 0, number 1"),
        (lambda texts: [[1e6]] * len(texts), "magnitude up to 65504"),
    ],
)
def test_bad_vectors_are_named(function, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        Vectors(function).column(text_of(["bb"]))


def test_unknown_encoders_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="expected 'wordllama', model2vec:NAME, sentence-transformers:NAME"):
        encoder("wordlama")
    for name, module in (("model2vec", "model2vec"), ("sentence-transformers", "sentence_transformers")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(UserError, match=rf"{name}:x needs the package '{module}'.*pip install 'tamis\[{name}\]'"):
            encoder(f"{name}:x")


def test_models_are_called_as_their_packages_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins with the packages' own names and shapes: what is asked of them, and what the key depends on."""
    tokenizer = Tokenizer.from_str(load_tokenizer().json)

    class StaticModel:
        def __init__(self, scale: float) -> None:
            self.embedding, self.tokenizer = np.full((3, 2), scale, np.float32), tokenizer

        @classmethod
        def from_pretrained(cls, name: str) -> StaticModel:
            if name == "nowhere":
                raise FileNotFoundError("no such model")
            return cls(float(name))

        def encode(self, texts: list[str]) -> np.ndarray:
            return np.array([[len(t), 1] for t in texts]) * self.embedding[0]

    monkeypatch.setitem(sys.modules, "model2vec", types.SimpleNamespace(StaticModel=StaticModel))  # type: ignore[arg-type]
    found = encoder("model2vec:2")
    assert (found.width, found.encode(text_of(["abc"])).tolist()) == (2, [[6, 2]])
    assert found.fingerprint != encoder("model2vec:3").fingerprint
    assert found.fingerprint == encoder("model2vec:2.0").fingerprint
    with pytest.raises(OptionError, match="name on the Hugging Face Hub, got FileNotFoundError"):
        encoder("model2vec:nowhere")


@pytest.mark.peers
def test_model2vec_from_a_folder(tmp_path: Path) -> None:
    """A real model of the real package, three words wide open to inspection."""
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.array([[0, 0], [1, 0], [0, 3]], np.float32)
    model2vec.StaticModel(weights, tokenizer, normalize=False).save_pretrained(tmp_path / "model")
    found = encoder(f"model2vec:{tmp_path / 'model'}").encode(text_of(["a b", "", "b"]))
    assert np.allclose(found, [[0.5, 1.5], [0, 0], [0, 3]])


def test_columns_of_lists_become_rows() -> None:
    rows = [[1.0, 2.0], None, [3.0, 4.5]]
    expected = [[1, 2], [0, 0], [3, 4.5]]
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16(), 2), pa.list_(pa.int8())):
        array = pa.array(rows if not pa.types.is_integer(kind.value_type) else [[1, 2], None, [3, 4]], kind)
        assert rows_of(array)[:2].tolist() == expected[:2]
        assert rows_of(array.slice(1)).tolist() == rows_of(array)[1:].tolist()
    stored = column_of(np.arange(6).reshape(3, 2))
    assert rows_of(stored).dtype == np.float16
    assert rows_of(pa.chunked_array([stored.slice(0, 1), stored.slice(1)])).tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InputError, match="column 'v': expected 2 numbers in every list, got 1 at record 1"):
        rows_of(pa.array([[1.0, 2.0], [1.0]]), "v")
    with pytest.raises(InputError, match="expected lists of numbers, got string"):
        rows_of(pa.array(["x"]))


def test_encoders_are_told_apart() -> None:
    given_function = other_encoder(lengths)
    assert other_encoder(given_function) is given_function
    assert encoder(given_function).name == "function lengths"
