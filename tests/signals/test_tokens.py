"""Tokens: the count of pieces is the count of whole texts, for every tokenizer, or pieces are not used."""

from __future__ import annotations

import gzip
import json
import lzma
import pickle
import random
import threading
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_tokenizers import CL100K, CROSSING, FALLING_BACK, PIECEWISE, hostile, sentencepiece
from tokenizers import Tokenizer

from data import real
from tamis.corpus.chunk import Text
from tamis.errors import TamisError
from tamis.kernels.pieces import WHITE
from tamis.signals.bytes import Bytes
from tamis.signals.cuts import examine
from tamis.signals.tokenizers import build, load
from tamis.signals.tokens import Tokens

FAST = "pieces of texts, each tokenised once"


def text_of(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def expected(tokenizer: Tokenizer, texts: list[str]) -> list[int]:
    return [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]


@cache
def bundled() -> tuple[Tokens, Tokenizer]:
    return Tokens(), build(load().json)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizers")


def saved(folder: Path, name: str, tokenizer: Tokenizer) -> str:
    path = folder / f"{name}.json"
    tokenizer.save(str(path))
    return str(path)


def test_worked_by_hand() -> None:
    """Llama 2's tokens, by its vocabulary.

    "Hello, world!" is "\u2581Hello" "," "\u2581world" "!". In "a\\nb" the newline is a byte token
    between "\u2581a" and "b". "  a" becomes "\u2581\u2581\u2581a" with the space prepended, and no
    token of several spaces holds a letter: "\u2581\u2581" "\u2581a". "\u4f60" follows a lone
    "\u2581". An empty text has no token.
    """
    texts = ["Hello, world!", "a\nb", "  a", "\u4f60", ""]
    counts = Tokens().column(text_of(texts))
    assert counts.type == pa.int32()
    assert counts.to_pylist() == [4, 3, 2, 2, 0]


@given(st.lists(hostile(), max_size=12))
@example(["<s>", "a <s> b", "x</s>y <unk>", " \u2581 ", "\u2581", " "])
@example(["a" * 3000, "word " * 400 + "b" * 700, "\n" * 600 + " c"])
def test_bundled_equals_whole_texts(texts: list[str]) -> None:
    signal, tokenizer = bundled()
    assert signal.note == FAST
    assert signal.column(text_of(texts)).to_pylist() == expected(tokenizer, texts)


@pytest.mark.parametrize("name", PIECEWISE)
def test_every_family_equals_whole_texts(name: str, folder: Path) -> None:
    tokenizer = PIECEWISE[name]()
    signal = Tokens(saved(folder, name, tokenizer))
    assert signal.note == FAST

    @settings(max_examples=150)
    @given(st.lists(hostile(), min_size=1, max_size=20))
    def check(texts: list[str]) -> None:
        assert signal.column(text_of(texts)).to_pylist() == expected(tokenizer, texts)

    check()


@pytest.mark.parametrize("name", FALLING_BACK)
def test_what_cannot_be_shown_falls_back_and_says_so(name: str, folder: Path) -> None:
    make, reason = FALLING_BACK[name]
    tokenizer = make()
    signal = Tokens(saved(folder, name, tokenizer))
    texts = ["in the end of the day", "  the end END\n", "\u00e9 \u0301 x", "", "it is what it is"]
    with pytest.warns(UserWarning, match="whole texts"):
        counts = signal.column(text_of(texts))
    assert counts.to_pylist() == expected(tokenizer, texts)
    assert signal.note.startswith(f"whole texts: {reason}")


def test_pieces_would_be_wrong_where_they_are_refused() -> None:
    """The refusal is needed: cut before spaces, this tokenizer gives another number of tokens."""
    tokenizer = FALLING_BACK["crossing"][0]()
    whole = len(tokenizer.encode("in the end of the").ids)
    cut = sum(len(tokenizer.encode(piece).ids) for piece in ("in", " the", " end", " of", " the"))
    assert examine(json.loads(tokenizer.to_str())).reason == CROSSING
    assert whole != cut


def test_one_merge_over_a_space_takes_only_its_own_cut_away(folder: Path) -> None:
    """With a merge of "." and "\u2581", no cut stands between them; after "," cuts stay."""
    config = json.loads(sentencepiece().to_str())
    model = config["model"]
    model["vocab"][".\u2581"] = len(model["vocab"])
    model["merges"].insert(0, [".", "\u2581"])
    cuts = examine(config).cuts
    assert cuts is not None
    assert not cuts[ord(".")] & WHITE[0x20]
    assert cuts[ord(",")] & WHITE[0x20]
    tokenizer = Tokenizer.from_str(json.dumps(config))
    texts = ["the. end, the. end", "the. .", ". . ."]
    assert ".\u2581" in tokenizer.encode(texts[0]).tokens
    assert Tokens(saved(folder, "one merge", tokenizer)).column(text_of(texts)).to_pylist() == expected(
        tokenizer, texts
    )


def test_newlines_after_punctuation_stay_with_it() -> None:
    """cl100k takes ".\\n" as one match: a cut there would be wrong, one after a letter is not."""
    cuts = examine(json.loads(PIECEWISE["cl100k"]().to_str())).cuts
    assert cuts is not None
    assert not cuts[ord(".")] & WHITE[0x0A]
    assert cuts[ord("x")] & WHITE[0x0A]
    assert CL100K.count(r"[\r\n]*") == 1


def test_a_wrong_proof_is_found_by_the_probes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.signals import cuts, tokens

    everywhere = cuts.Examined(cuts._table(cuts._ALL))
    monkeypatch.setattr(tokens, "examine", lambda config: everywhere)
    tokenizer = FALLING_BACK["crossing"][0]()
    signal = Tokens(saved(folder, "unproven", tokenizer))
    with pytest.warns(UserWarning, match="pieces gave another count"):
        counts = signal.column(text_of(["in the end of the day"]))
    assert counts.to_pylist() == expected(tokenizer, ["in the end of the day"])


def test_a_wrong_count_in_a_fragment_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.signals import cuts, tokens

    monkeypatch.setattr(tokens, "examine", lambda config: cuts.Examined(cuts._table(cuts._ALL)))
    monkeypatch.setattr(tokens, "_PROBES", ("harmless",))
    signal = Tokens(saved(folder, "unproven", FALLING_BACK["crossing"][0]()))
    with pytest.raises(TamisError, match="in the end of the day"):
        signal.column(text_of(["in the end of the day"]))


def test_pieces_can_be_declined() -> None:
    texts = ["The end.", "  of the\nday", "<s> ok"]
    signal = Tokens(pieces=False)
    assert signal.column(text_of(texts)) == bundled()[0].column(text_of(texts))
    assert signal.note.startswith("whole texts")
    assert signal.key() == Tokens().key()


def test_the_key_follows_the_tokenizer_not_its_name(folder: Path) -> None:
    one, other = (PIECEWISE[name]() for name in ("gpt2", "bert"))
    first, second = saved(folder, "key one", one), saved(folder, "key two", one)
    assert Tokens(first).key() == Tokens(second).key()
    assert Tokens(saved(folder, "key three", other)).key() != Tokens(first).key()
    assert Tokens(first).key().startswith("tokens-v1-")


def test_truncation_and_padding_are_switched_off(folder: Path) -> None:
    tokenizer = PIECEWISE["gpt2"]()
    text = "the quick brown fox " * 9
    long = expected(tokenizer, [text])
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=500)
    signal = Tokens(saved(folder, "truncating", tokenizer))
    assert signal.column(text_of([text])).to_pylist() == long
    assert signal.column(text_of(["x"])).to_pylist() != [500]


def test_a_signal_travels() -> None:
    signal = pickle.loads(pickle.dumps(bundled()[0]))
    assert signal.column(text_of(["Hello, world!"])).to_pylist() == [4]


def test_texts_may_end_where_the_buffer_ends_and_share_it_with_others() -> None:
    """Nothing is read past the buffer, and a slice of a column counts as the column does."""
    texts = [f"{'w' * i} end{'.' * i}" for i in range(40)]
    array = pa.array(texts)
    whole = Tokens().column(Text.of(array)).to_pylist()
    assert Tokens().column(Text.of(array.slice(7, 20))).to_pylist() == whole[7:27]
    for i, text in enumerate(texts):
        data = np.frombuffer(text.encode(), np.uint8)
        alone = Text(data.copy(), np.array([0, len(data)], np.int64))
        assert bundled()[0].column(alone).to_pylist() == [whole[i]]


def test_a_megabyte_without_spaces_and_many_pieces_of_every_length() -> None:
    rng = random.Random(1)
    blob = "".join(rng.choice("ABCDEFabcdef0123456789+/") for _ in range(1 << 20))
    texts = [blob, f"before {blob[: 1 << 12]} after", " ".join(blob[i : i + i % 300] for i in range(600))]
    signal, tokenizer = bundled()
    assert signal.column(text_of(texts)).to_pylist() == expected(tokenizer, texts)


def test_threads_share_the_table_and_agree() -> None:
    """Eight threads meet new words at the same time; each gets what one alone would get."""
    rng = random.Random(7)
    vocabulary = ["".join(rng.choice("abcdefgh\u00e9\u4f60") for _ in range(rng.randrange(1, 30))) for _ in range(9000)]
    fragments = [[" ".join(rng.choices(vocabulary, k=60)) for _ in range(120)] for _ in range(8)]
    alone = [Tokens(pieces=False).column(text_of(texts)) for texts in fragments]
    shared = Tokens()
    got: dict[tuple[int, int], pa.Array] = {}
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for step in range(8):
            which = (number + step) % 8
            got[number, which] = shared.column(text_of(fragments[which]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 64
    assert all(counts == alone[which] for (_, which), counts in got.items())


@pytest.mark.parametrize(
    "name", ["corpus_arxiv/arxiv_stat.jsonl.xz", "corpus_ud_pud_parallel", "corpus_code_thealgorithms"]
)
def test_real_texts(name: str) -> None:
    """Abstracts, nineteen languages, and code: 400 texts each, and again after warming up on them."""
    lines = _lines(real(name), 400)
    signal, tokenizer = bundled()
    counts = expected(tokenizer, lines)
    assert signal.column(text_of(lines)).to_pylist() == counts
    assert signal.column(text_of(lines)).to_pylist() == counts


def _lines(path: Path, limit: int) -> list[str]:
    """Return lines spread over a data set, wherever in its folder they are."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".gz", ".xz"))
    out = []
    for file in files:
        with (lzma.open if file.suffix == ".xz" else gzip.open)(file, "rt", encoding="utf-8") as handle:
            for number, line in enumerate(handle):
                if number % 7 == 0:
                    out.append(_text(line))
                if len(out) * len(files) >= limit * (files.index(file) + 1):
                    break
    return out


def _text(line: str) -> str:
    """Return the longest string of a JSON line, or the line."""
    try:
        values = [value for value in json.loads(line).values() if isinstance(value, str)]
    except (ValueError, AttributeError):
        return line
    return max(values, key=len, default=line)[:20_000]


def test_no_warning_where_pieces_are_used() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Tokens().column(text_of([])).to_pylist() == []


@given(st.lists(st.text()))
def test_bytes_are_utf8_lengths(texts: list[str]) -> None:
    column = Bytes().column(text_of(texts))
    assert column.type == pa.int64()
    assert column.to_pylist() == [len(text.encode()) for text in texts]
