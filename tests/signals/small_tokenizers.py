"""Small tokenizers of every family, trained here and now, and texts that are hard to cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

__all__ = ["CL100K", "CROSSING", "FALLING_BACK", "GPT2", "PIECEWISE", "hostile", "sentencepiece"]

_CORPUS = [
    "The quick brown fox jumps over the lazy dog; the dog doesn't mind, and the fox isn't sorry.",
    "def f(x):\n    return x ** 2 + 100 * (x - 3)\n\n\nclass A:\n\tpass\r\n",
    "na\u00efve caf\u00e9s in K\u00f6ln: 12 345 \u20ac (2024-01-31)!?  Two  spaces,   three.",
    "Привет мир \u4f60\u597d \u4e16\u754c\u3002 \U0001f600 <html> </html>",
    "in the end of the day it is what it is. In the end. \u201cQuoted\u201d \u2014 it\u2019s [sic] #1 @home",
    # Enough newlines after punctuation and letters that tokens of them are learnt.
    "the end.\nof it;\nand x;\nthe end.\n\nfor x:\nit is:\nthe end.\n{\n}\n{\nx;\n}\n" * 3,
] * 4
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = CL100K.replace("{1,3}", "")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

_FRAGMENTS = [
    *("the", " ", "  ", "   ", "\n", "\t", "\r", "\r\n", "end", "x", "123", "7"),
    *("don't", "'s", "'S", ".", '"', ");", "/"),
    *("<s>", "</s>", "<unk>", "<|end|>", "[CLS]", "[UNK]", "<0x0A>", "<pad>"),
    *("\u2581", "\u2581\u2581", "\u00a0", "\u3000", "\u2003", "\u200b", "\u00ad", "\u2028", "\x85", "\u180e"),
    *("\x00", "\x1f", "\x0b", "\x0c", "\x7f", "\ufeff", "e\u0301", "\u0301", "\u0308", "\u00a8", "\u017f"),
    *("\u4f60\u597d", "\u3002", "\U0001f600", "Привет", "\u0645\u0631", "\u0600", "\u2019", "\u2014"),
    *("\u212a", "\ufdfa"),
    "a" * 40,
    "word" * 80,
]  # fmt: skip


def hostile() -> st.SearchStrategy[str]:
    """Return texts of fragments that matter to some tokenizer, and of any characters."""
    common = st.sampled_from([" ", "  ", "\n", "\t", "the", "end", ".", ";", "<s>"])
    return st.lists(common | st.sampled_from(_FRAGMENTS) | st.text(max_size=4), max_size=24).map("".join)


def _trained(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return tokenizer


def byte_level(
    *, prefix: bool = False, pattern: str | None = None, normalizer: Any = None, digits: bool = False
) -> Tokenizer:
    """Return a byte-level BPE: GPT-2's splitting, or another `pattern` before it."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    if pattern:
        steps.append(pre_tokenizers.Split(Regex(pattern), "isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=pattern is None))
    tokenizer.pre_tokenizer = steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=["<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )


def wordpiece(**options: bool) -> Tokenizer:
    """Return a BERT tokenizer."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _trained(
        tokenizer,
        trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[UNK]", "[CLS]"], show_progress=False),
    )


def words() -> Tokenizer:
    """Return a tokenizer with a vocabulary of whole words, after NFKC and lower case."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return _trained(tokenizer, trainers.WordLevelTrainer(vocab_size=40, special_tokens=["<unk>"], show_progress=False))


def unigram(*, normalizer: Any = None, splits: bool = True) -> Tokenizer:
    """Return a Unigram model over Metaspace words, or over whole texts."""
    tokenizer = Tokenizer(models.Unigram())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer = _trained(tokenizer, trainer)
    if not splits:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    return tokenizer


def metaspace_bpe() -> Tokenizer:
    """Return what `SentencePieceBPETokenizer` makes: NFKC, and words split at U+2581."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    return _trained(tokenizer, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False))


def _as_json(tokenizer: Tokenizer, change: Callable[[dict[str, Any]], None]) -> Tokenizer:
    config = json.loads(tokenizer.to_str())
    change(config)
    return Tokenizer.from_str(json.dumps(config))


def sentencepiece(*, metaspace: bool = False, fallback: bool = True) -> Tokenizer:
    """Return a Llama-like tokenizer: words trained apart, then used on whole texts."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\n+"), "isolated"), pre_tokenizers.Metaspace()]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256) if fallback)]
    _trained(tokenizer, trainers.BpeTrainer(vocab_size=700, special_tokens=special, show_progress=False))

    def change(config: dict[str, Any]) -> None:
        config["added_tokens"] = config["added_tokens"][:3]
        model = config["model"]
        model["byte_fallback"] = fallback
        if not fallback:  # a tab is unknown, and may fuse with other unknown characters
            model["vocab"] = {token: i for token, i in model["vocab"].items() if "\t" not in token}
            model["merges"] = [pair for pair in model["merges"] if "\t" not in "".join(pair)]
        config["pre_tokenizer"] = None
        if metaspace:
            config["pre_tokenizer"] = {
                "type": "Metaspace",
                "replacement": "\u2581",
                "prepend_scheme": "first",
                "split": False,
            }
        else:
            replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
            steps = [{"type": "Prepend", "prepend": "\u2581"}, replace]
            config["normalizer"] = {"type": "Sequence", "normalizers": steps}

    return _as_json(tokenizer, change)


def crossing() -> Tokenizer:
    """Return a BPE trained on whole lines: its tokens reach over spaces ("in the end of the")."""
    return _trained(
        Tokenizer(models.BPE(unk_token="<unk>")),
        trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], show_progress=False),
    )


def _with_added(tokenizer: Tokenizer, token: AddedToken) -> Tokenizer:
    tokenizer.add_tokens([token])
    return tokenizer


#: Tokenizers whose pieces can be shown to be exact.
PIECEWISE: dict[str, Callable[[], Tokenizer]] = {
    "gpt2": byte_level,
    "gpt2 prefix": lambda: byte_level(prefix=True),
    "gpt2 as a pattern": lambda: byte_level(pattern=GPT2),
    "digits": lambda: byte_level(digits=True),
    "cl100k": lambda: byte_level(pattern=CL100K),
    "qwen2": lambda: byte_level(pattern=QWEN2, normalizer=normalizers.NFC()),
    "o200k": lambda: byte_level(pattern=O200K),
    "byte level nfkc": lambda: byte_level(normalizer=normalizers.NFKC()),
    "newlines added": lambda: _with_added(byte_level(), AddedToken("\n\n", normalized=False)),
    "spaces added": lambda: _with_added(sentencepiece(), AddedToken("\u2581\u2581", normalized=True)),
    "bert": wordpiece,
    "bert cased": lambda: wordpiece(lowercase=False, strip_accents=False, clean_text=False),
    "words": words,
    "unigram": unigram,
    "metaspace bpe": metaspace_bpe,
    "sentencepiece": sentencepiece,
    "sentencepiece metaspace": lambda: sentencepiece(metaspace=True),
    "sentencepiece unknowns": lambda: sentencepiece(fallback=False),
}
#: The opening of the reason why each of these is not cut.
CROSSING = "its merges reach over spaces"
FALLING_BACK: dict[str, tuple[Callable[[], Tokenizer], str]] = {
    "crossing": (crossing, CROSSING),
    "unigram of texts": (lambda: unigram(splits=False), "its model Unigram sees a whole text"),
    "stripping": (lambda: unigram(normalizer=normalizers.Strip()), "its normaliser Strip"),
    "own pattern": (lambda: byte_level(pattern=r"\p{L}+ \p{L}+|\s+|\S+"), "its pre-tokenizer splits"),
    "dropped marks": (
        lambda: byte_level(normalizer=normalizers.StripAccents()), "its normaliser StripAccents"
    ),
    "spaced token": (lambda: _with_added(byte_level(), AddedToken("the end")), "its added token 'the end'"),
    "normalised token": (lambda: _with_added(words(), AddedToken("END")), "its added token 'END'"),
}  # fmt: skip
