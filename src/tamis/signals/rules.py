"""The quality rules of Gopher, C4 and FineWeb: which of them a record fails.

Sources and thresholds: `rule_sets`. Ours: all of them in one compiled pass over the bytes, a word
definition of a paragraph (`kernels.rules_words`) in place of a tokenizer, stop words of several
languages, and that nothing is edited: C4's rules that drop lines decide which lines its count of
sentences sees, and are measures, but change no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow
from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError, unknown
from tamis.kernels.rules import MEASURES, measure, room, slots, word_hash
from tamis.kernels.rules_chars import classes
from tamis.signals.base import RecordSignal
from tamis.signals.rule_sets import RULES, SETS
from tamis.signals.stop_words import STOP_WORDS

__all__ = ["Rules", "failed", "first_failure"]

_BITS = {name: np.uint64(1 << bit) for bit, name in enumerate(RULES)}
_LINE_RULES = tuple(name for name, rule in RULES.items() if rule.fails == "line")
_BLOCK = 16_384  # records measured at a time: 4 MB of measures
_LONGEST = 2**31 - 64  # bytes of a text: its places are int32


class Rules(RecordSignal):
    """The rules that a record fails: uint64, bit `i` for rule `i` of `rule_sets.RULES`; 0 where it passes.

    Parameters
    ----------
    sets : sequence of str, or str
        `gopher` (or `gopher_quality`, `gopher_repetition` alone), `c4`, `fineweb`; a string may
        hold several, with commas between.
    without : sequence of str
        Rules to leave out, by name; of C4's line rules, those that shall drop no lines.
    languages : sequence of str
        Languages (ISO 639-1) whose stop words count: a record needs two of one of them. `any` for all there are.

    Raises
    ------
    OptionError
        An unknown set, rule or language, or no rule left.
    """

    name: ClassVar[str] = "rules"
    version: ClassVar[int] = 1
    summary_line: ClassVar[str] = "which quality rules of Gopher, C4 and FineWeb a record fails, as bits; 0 if none"
    source: ClassVar[str] = "Rae et al. 2021, Raffel et al. 2020, Penedo et al. 2024"
    cost: ClassVar[str] = "O(bytes), about 100 MB/s a core"

    def __init__(
        self,
        sets: Sequence[str] | str = ("gopher", "c4", "fineweb"),
        *,
        without: Sequence[str] = (),
        languages: Sequence[str] = ("en",),
    ) -> None:
        named = [part.strip() for part in sets.split(",")] if isinstance(sets, str) else list(sets)
        for what, given, known in (
            ("rule set", named, SETS),
            ("rule", without, RULES),
            ("language of stop words", languages, {**STOP_WORDS, "any": ()}),
        ):
            for one in given:
                if one not in known:
                    raise unknown(what, one, known)
        wanted = {rule for name in named for rule in SETS[name]} - set(without)
        self.rules = tuple(name for name in RULES if name in wanted and name not in _LINE_RULES)
        self.line_rules = tuple(name for name in _LINE_RULES if name not in without)
        self.languages = tuple(STOP_WORDS) if "any" in languages else tuple(dict.fromkeys(languages))
        if not self.rules:
            raise OptionError(
                f"signal 'rules': expected at least one rule, got none of {', '.join(named) or 'no set'}"
                " once 'without' is left out. Name another set, or leave out less."
            )
        if not self.languages:
            raise OptionError(
                f"signal 'rules', option 'languages': expected at least one of {', '.join(STOP_WORDS)}, any; got none."
            )

    def parameters(self) -> dict[str, Any]:
        """Return the rules that can fail, the line rules that drop lines, and the languages."""
        return {
            "rules": list(self.rules),
            "lines": list(self.line_rules) if "c4_sentences" in self.rules else [],
            "languages": sorted(self.languages) if "gopher_stop_words" in self.rules else [],
        }

    def column(self, text: Text) -> pa.Array:
        """Return the rules that each of the `n` texts fails, uint64."""
        out = np.zeros(len(text), np.uint64)
        for start in range(0, len(text), _BLOCK):
            values = self._measure(text, start, min(start + _BLOCK, len(text)))
            for name in self.rules:
                rule = RULES[name]
                found = values[:, MEASURES.index(rule.measure)]
                fails = found < rule.threshold if rule.fails == "below" else found > rule.threshold
                out[start : start + _BLOCK] |= np.where(fails, _BITS[name], np.uint64(0))
        return as_arrow(out)

    def measures(self, text: Text) -> dict[str, NDArray[np.float64]]:
        """Return what the rules look at, whether they are on or not: `n` numbers each, `rule_sets.MEANINGS`.

        C4's measures depend on which of its line rules are left out.
        """
        parts = [self._measure(text, i, min(i + _BLOCK, len(text))) for i in range(0, len(text), _BLOCK)]
        values = np.concatenate(parts) if parts else np.zeros((0, len(MEASURES)))
        return {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(MEASURES)}

    def _measure(self, text: Text, start: int, stop: int) -> NDArray[np.float64]:
        offsets = text.offsets[start : stop + 1]
        longest = int(np.diff(offsets).max(initial=0))
        if longest > _LONGEST:
            raise InputError(
                f"signal 'rules': expected texts of at most {_LONGEST:,} bytes, got one of {longest:,}: record"
                f" {start + int(np.diff(offsets).argmax())} of its fragment. Cut it, or leave the rules out."
            )
        memory, regions = room(longest)
        out = np.zeros((stop - start, len(MEASURES)))
        on = np.array([name in self.line_rules for name in _LINE_RULES])
        hashes, bits = _stop_table(self.languages)
        measure(text.data, offsets, classes(), hashes, bits, len(self.languages), on, regions, memory, out)
        return out


def failed(mask: int) -> list[str]:
    """Return the names of the rules in a value of the column, in the order of the table."""
    return [name for name, bit in _BITS.items() if int(mask) & int(bit)]


def first_failure(mask: NDArray[np.uint64], enabled: Rules | Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Return the first rule that each of `n` records fails, as (codes, names).

    Parameters
    ----------
    mask : uint64 array of shape (n,)
        A column of `Rules`.
    enabled : Rules or sequence of str
        The rules that count, as a signal or by their names; in the order of the table, whatever theirs is.

    Returns
    -------
    codes : int32 array of shape (n,)
        The place of the rule in `names`, -1 for a record that fails none.
    names : list of str
        The rules that count, in the order of the table.
    """
    wanted = set(enabled.rules if isinstance(enabled, Rules) else enabled)
    for name in wanted:
        if name not in RULES:
            raise unknown("rule", name, RULES)
    names = [name for name in RULES if name in wanted and name not in _LINE_RULES]
    bits = np.asarray(mask).astype(np.uint64)
    codes = np.full(len(bits), -1, np.int32)
    for code in range(len(names) - 1, -1, -1):
        codes[bits & _BITS[names[code]] != 0] = code
    return codes, names


@lru_cache(maxsize=16)
def _stop_table(languages: tuple[str, ...]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    pairs = [(word, bit) for bit, language in enumerate(languages) for word in STOP_WORDS[language]]
    hashes = np.array([word_hash(word.encode()) for word, _ in pairs], np.uint64)
    return slots(hashes, np.array([1 << bit for _, bit in pairs], np.uint64))
