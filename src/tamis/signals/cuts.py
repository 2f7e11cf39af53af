"""Where a tokenizer's work may be cut: read from its definition, or refused.

A cut before white space is *exact* if the tokens of every text are the tokens of its two
sides, one after the other. `examine` reads a tokenizer's JSON and either proves that for a
table of cuts or says why it cannot. The proofs, by family:

- **SentencePiece BPE without splitting** (spaces become U+2581, the model sees the whole text).
  A merge joins two symbols; if no merge has a left side ending in `x` and a right side
  beginning with `y`, nothing ever grows over the border `x|y`, and the order of merges on one
  side cannot matter to the other. So the cut `x|y` is exact; the merges are all looked through.
- **ByteLevel** with a known pattern. In none of these does an alternative match white space
  after something else, except newlines after punctuation (and in one pattern a slash), so
  elsewhere a match ends there; none looks behind, and they look ahead only from white space.
- **Words between white space** (BERT's, `Whitespace`, `WhitespaceSplit`): white space is
  dropped, and each word is tokenised alone.
- **Metaspace that splits**: every space begins a new word, each tokenised alone.

Normalisers must be local at the cut: Unicode forms are (ASCII begins a new composition), as are
those that map characters one by one. Texts that hold an added token's string are left whole.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamis.kernels.pieces import WHITE, Cuts

__all__ = ["Examined", "examine"]

_META = "\u2581"
_CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
_TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_GPT2 = rf"{_CONTRACTIONS}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+"
#: Patterns whose punctuation takes the newlines after it along: cl100k, Qwen2, o200k.
_MODERN = frozenset(
    [
        rf"(?i:{_CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{count}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{_TAIL}"
        for count in ("{1,3}", "")
    ]
    + [
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+(?i:{_CONTRACTIONS})?"
        rf"|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*(?i:{_CONTRACTIONS})?"
        rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{_TAIL}"
    ]
)
_UNICODE = frozenset(["NFC", "NFD", "NFKC", "NFKD", "Lowercase"])
#: These may drop characters, so what stands before a cut is not what the model sees before it.
_DROPPING = frozenset(["StripAccents", "BertNormalizer"])
_WORDS = frozenset(["BertPreTokenizer", "Whitespace", "WhitespaceSplit"])
_SPACE, _ALL = WHITE[0x20], sum(WHITE.values())


class _UnprovenError(Exception):
    """Why pieces cannot be shown to be exact."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a tokenizer: `cuts` that are exact, or None and the `reason`.

    `rest` is the definition to use for pieces that do not open a text (nothing is prepended to
    them); None if it is the same. A piece in which `whole` is found leaves its text whole.
    """

    cuts: Cuts | None
    reason: str = ""
    rest: dict[str, Any] | None = None
    whole: re.Pattern[str] | None = None


def examine(config: dict[str, Any]) -> Examined:
    """Return where texts may be cut for the tokenizer of this definition (as `Tokenizer.to_str` gives it)."""
    try:
        model = config["model"]
        if any(model.get(option) for option in ("dropout", "alpha", "nbest_size")):
            raise _UnprovenError("its model draws at random")
        normalizers = _steps(config.get("normalizer"), "normalizers")
        splitters = _steps(config.get("pre_tokenizer"), "pretokenizers")
        cuts = _cuts(model, normalizers, splitters)
        return Examined(cuts, rest=_without_prefix(config), whole=_added(config, normalizers))
    except _UnprovenError as why:
        return Examined(None, str(why))


def _steps(node: dict[str, Any] | None, inner: str) -> list[dict[str, Any]]:
    """Return the steps of a normaliser or pre-tokenizer, sequences flattened."""
    if node is None:
        return []
    if node["type"] != "Sequence":
        return [node]
    return [step for child in node[inner] for step in _steps(child, inner)]


def _cuts(model: dict[str, Any], normalizers: list[dict[str, Any]], splitters: list[dict[str, Any]]) -> Cuts:
    """Return the table of exact cuts, by family."""
    kinds = [step["type"] for step in splitters]
    meta = kinds == ["Metaspace"] and splitters[0]["replacement"] == _META
    if not kinds or (meta and not splitters[0]["split"]):
        return _merge_cuts(model, _space_symbol(normalizers, meta))
    dropping = _check_normalizers(normalizers)
    if kinds[0] in _WORDS:
        return _table(_ALL)
    if meta:
        return _table(_SPACE)
    if dropping:
        raise _UnprovenError(f"its normaliser {dropping} may drop what stands before a space")
    return _pattern_cuts(splitters)


def _check_normalizers(normalizers: list[dict[str, Any]]) -> str:
    """Return the name of a normaliser that drops characters, or an empty string."""
    dropping = ""
    for step in normalizers:
        if step["type"] in _DROPPING:
            dropping = step["type"]
        elif step["type"] not in _UNICODE:
            raise _UnprovenError(f"its normaliser {step['type']} may look beyond one character")
    return dropping


def _table(bits: int) -> Cuts:
    """Return a table with the same cuts after every visible character."""
    cuts = np.zeros(256, np.uint8)
    cuts[0x21:0x7F] = bits
    cuts[0x80:] = bits
    return cuts


def _pattern_cuts(splitters: list[dict[str, Any]]) -> Cuts:
    """Return the cuts of a ByteLevel pre-tokenizer, alone or after a known pattern."""
    steps = [step for step in splitters if step["type"] != "Digits"]
    last = steps[-1] if steps else {"type": "Digits"}
    if last["type"] != "ByteLevel":
        raise _UnprovenError(f"its pre-tokenizer {last['type']} is not one whose cuts are known")
    if last["add_prefix_space"] and len(splitters) > 1:
        raise _UnprovenError("its pre-tokenizer adds a space to each of several parts")
    if len(steps) == 1 and last["use_regex"]:
        return _table(_ALL)
    if len(steps) == 2 and steps[0]["type"] == "Split" and not last["use_regex"]:
        split = steps[0]
        pattern = split["pattern"].get("Regex")
        plain = (split["behavior"], split["invert"]) in (("Isolated", False), ("Removed", True))
        if plain and pattern == _GPT2:
            return _table(_ALL)
        if plain and pattern in _MODERN:
            cuts = _table(WHITE[0x20] | WHITE[0x09])
            cuts[[byte for byte in range(128) if chr(byte).isalnum()]] = _ALL
            return cuts
    raise _UnprovenError("its pre-tokenizer splits by a pattern that is not known")


def _space_symbol(normalizers: list[dict[str, Any]], meta: bool) -> str:
    """Return what a space is to a model that sees the whole text: U+2581 or a space."""
    symbol = _META if meta else " "
    for step in normalizers:
        if step["type"] == "Replace" and step["pattern"] == {"String": " "} and step["content"] == _META:
            symbol = _META
        elif step["type"] != "Prepend":
            raise _UnprovenError(f"its normaliser {step['type']} may look beyond one character")
    return symbol


def _merge_cuts(model: dict[str, Any], space: str) -> Cuts:
    """Return the cuts no merge of a BPE model reaches over."""
    if model["type"] != "BPE":
        raise _UnprovenError(f"its model {model['type']} sees a whole text at once")
    if model["ignore_merges"] or model["continuing_subword_prefix"] or model["end_of_word_suffix"]:
        raise _UnprovenError("its model treats the ends of a text differently")
    vocab = model["vocab"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    complete = model["byte_fallback"] and all(token in vocab for token in fallback)
    if not complete and model["unk_token"] is None:
        raise _UnprovenError("its model drops characters it does not know")
    symbols = {byte: space if byte == 0x20 else chr(byte) for byte in WHITE}
    # Symbols that stand for any character: a merge of one of them says nothing about characters.
    vague = {*fallback, model["unk_token"]}
    joints = set()
    for left, right in model["merges"]:
        if left in vague or right in vague:
            raise _UnprovenError("it has merges of byte or unknown tokens")
        joints.add((left[-1], right[0]))
    cuts = _table(0)
    for byte, symbol in symbols.items():
        if symbol not in vocab and not complete:
            continue  # an unknown symbol may fuse with an unknown one before it
        before = {x for x, y in joints if y == symbol}
        free = [x for x in range(0x21, 0x7F) if chr(x) not in before]
        cuts[free] |= WHITE[byte]
        if all(x.isascii() or x == _META for x in before):
            cuts[0x80:] |= WHITE[byte]
    letters = [byte for byte in range(128) if chr(byte).isalpha()]
    if not (cuts[letters] & _SPACE).all():
        raise _UnprovenError("its merges reach over spaces")
    return cuts


def _without_prefix(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the definition with nothing prepended to a text, or None if it is so already."""
    rest = copy.copy(config)
    normalizers = _steps(config.get("normalizer"), "normalizers")
    kept = [step for step in normalizers if step["type"] != "Prepend"]
    rest["normalizer"] = {"type": "Sequence", "normalizers": kept} if kept else None
    changed = len(kept) != len(normalizers)
    splitter = config.get("pre_tokenizer") or {"type": ""}
    if splitter["type"] == "Metaspace" and splitter["prepend_scheme"] != "never":
        rest["pre_tokenizer"], changed = splitter | {"prepend_scheme": "never"}, True
    if splitter["type"] == "ByteLevel" and splitter["add_prefix_space"]:
        rest["pre_tokenizer"], changed = splitter | {"add_prefix_space": False}, True
    return rest if changed else None


def _added(config: dict[str, Any], normalizers: list[dict[str, Any]]) -> re.Pattern[str] | None:
    """Return a pattern that finds every added token, in a piece as it is before normalising."""
    contents = []
    spaces_only = all(step["type"] in ("Prepend", "Replace") for step in normalizers)
    for token in config.get("added_tokens", []):
        content = token["content"]
        if token["normalized"] and not spaces_only:
            raise _UnprovenError(f"its added token {content!r} is looked for after normalising")
        if re.search(rf"[^\s{_META}][ \t\r\n]", content):
            raise _UnprovenError(f"its added token {content!r} has white space inside")
        if content:
            contents.append(re.sub(rf"\\? |{_META}", f"[ {_META}]", re.escape(content)))
    return re.compile("|".join(contents)) if contents else None
