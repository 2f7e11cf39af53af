"""The rules and their published thresholds: Gopher, C4 and FineWeb, in one ordered table.

Sources: Gopher, Rae et al. 2021, appendix A.1.1 (table A1 for repetition); C4, Raffel et al.
2020, section 2.2, with the two line rules that only its code has (words of over 1,000 characters,
phrases about cookies and terms); FineWeb, Penedo et al. 2024, section 3.6. Where the papers leave
a definition open (what a line is, whether punctuation is a word), it is that of datatrove,
with which FineWeb was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tamis.kernels.rules import MEASURES

__all__ = ["ALIASES", "MEANINGS", "RULES", "SETS", "Rule"]

_GOPHER = "Gopher, Rae et al. 2021, arXiv 2112.11446"
_C4 = "C4, Raffel et al. 2020, arXiv 1910.10683"
_FINEWEB = "FineWeb, Penedo et al. 2024, arXiv 2406.17557"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    set : str
        The set it belongs to, a key of `SETS`.
    measure : str
        What it looks at, a key of `MEANINGS`.
    fails : "below", "above" or "line"
        On which side of `threshold` a record fails; "line" for a rule of C4 that drops lines, by
        which no record fails, but of which the number of sentences depends.
    threshold : float
        The published threshold, which itself passes; for a line rule that of the line.
    source : str
        The paper.
    """

    set: str
    measure: str
    fails: Literal["below", "above", "line"]
    threshold: float
    source: str


#: What each measure is: a number a record, of nothing 0.
MEANINGS: dict[str, str] = dict(
    zip(
        MEASURES,
        (
            "words that are not punctuation or symbols alone",
            "mean characters of these words",
            "`#` for each word, punctuation included",
            "ellipses (`...` or one character) for each word, punctuation included",
            "share of lines that begin with a bullet or hyphen",
            "share of lines that end in an ellipsis",
            "share of words, punctuation included, with a letter",
            "different stop words of the language that has most",
            "share of paragraphs that came before",
            "share of characters in paragraphs that came before",
            "share of lines that came before, empty ones left out",
            "share of characters in lines that came before",
            *(f"share of characters in the most frequent {n}-gram" for n in (2, 3, 4)),
            *(f"share of characters in {n}-grams that came before" for n in range(5, 11)),
            "share of lines dropped for a word of over 1,000 characters",
            "share of lines dropped for no final `.` `?` `!` `\"` `'`, or for a final `...`",
            "share of lines dropped for fewer than 3 words",
            "share of lines dropped for `javascript`",
            "share of lines dropped for a phrase about cookies, privacy or terms of use",
            "lines with `lorem ipsum`",
            "lines with `{`",
            "sentences in lines that are not dropped",
            "share of lines that end in a mark that ends sentences",
            "share of lines of at most 30 characters",
            "share of characters, line feeds left out, in lines that came before",
            "line feeds for each word, punctuation included",
        ),
        strict=True,
    )
)


def _repetition() -> dict[str, Rule]:
    names = ("paragraphs", "paragraph_characters", "lines", "line_characters")
    limits = {f"repeated_{name}": limit for name, limit in zip(names, (0.3, 0.2, 0.3, 0.2), strict=True)}
    limits |= {f"top_{n}_gram": limit for n, limit in zip((2, 3, 4), (0.20, 0.18, 0.16), strict=True)}
    shares = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    limits |= {f"repeated_{n}_grams": limit for n, limit in zip(range(5, 11), shares, strict=True)}
    return {f"gopher_{name}": Rule("gopher_repetition", name, "above", x, _GOPHER) for name, x in limits.items()}


#: Every rule by its name. In this order the first one failed is a record's reason, and rule `i` is bit `i` of a column.
RULES: dict[str, Rule] = {
    "gopher_few_words": Rule("gopher_quality", "words", "below", 50, _GOPHER),
    "gopher_many_words": Rule("gopher_quality", "words", "above", 100_000, _GOPHER),
    "gopher_short_words": Rule("gopher_quality", "word_characters", "below", 3, _GOPHER),
    "gopher_long_words": Rule("gopher_quality", "word_characters", "above", 10, _GOPHER),
    "gopher_hashes": Rule("gopher_quality", "hashes_per_word", "above", 0.1, _GOPHER),
    "gopher_ellipses": Rule("gopher_quality", "ellipses_per_word", "above", 0.1, _GOPHER),
    "gopher_bullet_lines": Rule("gopher_quality", "bullet_lines", "above", 0.9, _GOPHER),
    "gopher_ellipsis_lines": Rule("gopher_quality", "ellipsis_lines", "above", 0.3, _GOPHER),
    "gopher_alphabetic_words": Rule("gopher_quality", "alphabetic_words", "below", 0.8, _GOPHER),
    "gopher_stop_words": Rule("gopher_quality", "stop_words", "below", 2, _GOPHER),
    **_repetition(),
    "c4_long_word_lines": Rule("c4", "c4_long_word_lines", "line", 1_000, _C4),
    "c4_unterminated_lines": Rule("c4", "c4_unterminated_lines", "line", 0, _C4),
    "c4_few_word_lines": Rule("c4", "c4_few_word_lines", "line", 3, _C4),
    "c4_javascript_lines": Rule("c4", "c4_javascript_lines", "line", 0, _C4),
    "c4_policy_lines": Rule("c4", "c4_policy_lines", "line", 0, _C4),
    "c4_lorem_ipsum": Rule("c4", "lorem_ipsum_lines", "above", 0, _C4),
    "c4_curly_bracket": Rule("c4", "curly_bracket_lines", "above", 0, _C4),
    "c4_sentences": Rule("c4", "sentences", "below", 5, _C4),
    "fineweb_terminated_lines": Rule("fineweb", "terminated_lines", "below", 0.12, _FINEWEB),
    "fineweb_short_lines": Rule("fineweb", "short_lines", "above", 0.67, _FINEWEB),
    "fineweb_repeated_lines": Rule("fineweb", "repeated_line_share", "above", 0.01, _FINEWEB),
    "fineweb_newlines": Rule("fineweb", "newlines_per_word", "above", 0.3, _FINEWEB),
}

#: The names that stand for several sets.
ALIASES: dict[str, tuple[str, ...]] = {"gopher": ("gopher_quality", "gopher_repetition")}

#: The rules of each set, by the names a user may give.
SETS: dict[str, tuple[str, ...]] = {
    name: tuple(rule for rule, one in RULES.items() if one.set in ALIASES.get(name, (name,)))
    for name in ("gopher", "gopher_quality", "gopher_repetition", "c4", "fineweb")
}
