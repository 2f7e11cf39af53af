"""What the rules measure, slowly and obviously: strings, sets and regular expressions, one text at a time."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from tamis.kernels.rules_chars import TERMINAL, classes

__all__ = ["C4_LINE_RULES", "measures", "sentences", "words"]

TERMINALS = {chr(i) for i, bits in enumerate(classes().tolist()) if bits & TERMINAL}
DIGITS = "0123456789"
C4_LINE_RULES = ("long_word", "terminal", "few_words", "javascript", "policy")
CITATION = re.compile(r"\[[0-9]*]|\[edit]|\[citation needed]")
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def alpha(c: str) -> bool:
    return c != "" and c.isalpha()


def digit(c: str) -> bool:
    return c != "" and c in DIGITS


def wide_mark(c: str) -> bool:
    category = unicodedata.category(c)
    return c >= "\x80" and (category[0] == "P" or category in {"Sc", "So"})


def icon(c: str) -> bool:
    return unicodedata.category(c) == "So" or c == "…"


def front(s: str) -> int:
    """Length of the word that comes off the front of a chunk; 0 if none does."""
    dots = len(s) - len(s.lstrip("."))
    if dots:
        return dots if dots > 1 or len(s) == 1 else 0
    if s[0] == "+":
        return 0 if digit(s[1:2]) else 1
    return int(s[0] in "!\"#$%&'()*,:;<=>?[]_`{}" or wide_mark(s[0]))


def back(s: str) -> int:
    """Length of the word that comes off the back of a chunk; 0 if none does."""
    dots = len(s) - len(s.rstrip("."))
    before = s[-2:-1]
    if dots > 1:
        return dots
    if dots == 1:
        if alpha(before):
            two = s[-3:-2]
            if two in {"", "."} or (before.isupper() and not (alpha(two) and two.isupper())):
                return 0
            return 1
        if before == "" or before in "/\\@":
            return 0
        return int(before in DIGITS + "²%-+" or unicodedata.category(before)[0] == "P")
    if s[-1] in "sS" and before and before in "'’":
        return 2
    if s[-1] in "$%+":
        return int(digit(before))
    return int(s[-1] in "!\"#&'()*,:;<>?[]_`{}" or wide_mark(s[-1]))


def contraction(s: str) -> int:
    """Length of what a word is contracted with, at its end; 0 if it is not."""
    for pattern in (r"[nN]['’][tT]", r"['’](?:[rR][eE]|[vV][eE]|[lL][lL])", r"['’][mMdD]"):
        found = re.search(f".({pattern})$", s, re.DOTALL)
        if found:
            return len(found.group(1))
    return 0


def inner(s: str, i: int) -> int:
    """Length of the word that cuts a chunk at its character `i`; 0 if none does."""
    c = s[i]
    if c.isalnum():
        return 0
    if icon(c):
        return run(s, i)
    n = run(s, i)
    before, after = s[i - 1 : i] if i else "", s[i + n : i + n + 1]
    if c == ".":
        return n if n > 1 or (alpha(before) and before.islower() and alpha(after) and after.isupper()) else 0
    if c in "-–—~":
        if n <= 3 and (alpha(before) or digit(before)) and alpha(after):
            return n
        return int(c == "-" and n == 1 and digit(before) and digit(after))
    if c == ",":
        return int(alpha(before) and alpha(after))
    if c in ":<>=/":
        return int((alpha(before) or digit(before)) and alpha(after))
    if c in "+*^":
        return int(digit(before) and (digit(after) or after == "-"))
    return 0


def run(s: str, i: int) -> int:
    return re.compile(r"\.+|-+|–+|—+|.", re.DOTALL).match(s, i).end() - i  # type: ignore[union-attr]


def core(s: str) -> Iterable[str]:
    if "://" in s or "@" in s or s.startswith("www."):
        yield s
        return
    n = contraction(s)
    s, tail = (s[:-n], s[-n:]) if n else (s, "")
    begin = i = 0
    while i < len(s):
        cut = inner(s, i)
        if cut:
            yield s[begin:i]
            yield s[i : i + cut]
            begin = i + cut
        i += cut or run(s, i)
    yield s[begin:]
    yield tail


def chunk_words(s: str) -> list[str]:
    found, behind = [], []
    while s and (n := front(s)):
        found.append(s[:n])
        s = s[n:]
    while s and (n := back(s)):
        behind.append(s[-n:])
        s = s[:-n]
    return found + [w for w in core(s) if w] + behind[::-1]


def words(text: str) -> list[str]:
    """The words of a text."""
    return [word for chunk in text.split() for word in chunk_words(chunk)]


def is_symbol(word: str) -> bool:
    return all(unicodedata.category(c)[0] in "PS" or unicodedata.category(c) == "Cc" for c in word)


def sentences(found: list[str]) -> int:
    """Sentences of a line that holds the given words."""
    n, over = 1, False
    for word in found:
        mark = all(unicodedata.category(c)[0] == "P" for c in word)
        if over and not mark and word not in TERMINALS:
            n, over = n + 1, False
        elif word in TERMINALS:
            over = True
    return n


def repeats(items: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    times = characters = 0
    for item in items:
        if item in seen:
            times, characters = times + 1, characters + len(item)
        seen.add(item)
    return times, characters


def top_gram(found: list[str], n: int) -> int:
    grams = Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    if not grams:
        return 0
    gram, times = grams.most_common(1)[0]  # the earliest of equals
    return len(" ".join(gram)) * times


def grams_again(found: list[str], n: int) -> int:
    seen: set[tuple[str, ...]] = set()
    characters = i = 0
    while i + n <= len(found):
        gram = tuple(found[i : i + n])
        if gram in seen:
            characters, i = characters + len("".join(gram)), i + n
        else:
            seen.add(gram)
            i += 1
    return characters


def per(a: float, b: float) -> float:
    return a / b if b else 0.0


def lowered(s: str) -> str:
    return re.sub("[A-Z]", lambda c: c.group().lower(), s)


def c4(text: str, on: dict[str, bool]) -> dict[str, float]:
    dropped = dict.fromkeys(C4_LINE_RULES, 0)
    lorem = curly = count = lines = 0
    for line in map(str.strip, text.splitlines()):
        if not line:
            continue
        lines += 1
        chunks = line.split()
        clean = CITATION.sub("", line)
        low = lowered(clean)
        if on["long_word"] and any(len(c) > 1000 for c in chunks):
            dropped["long_word"] += 1
        elif on["terminal"] and (clean[-1:] not in tuple(".?!\"'") or clean.endswith("...")):
            dropped["terminal"] += 1
        elif on["few_words"] and len(chunks) < 3:
            dropped["few_words"] += 1
        else:
            lorem += "lorem ipsum" in low
            if on["javascript"] and "javascript" in low:
                dropped["javascript"] += 1
                continue
            curly += "{" in clean
            if on["policy"] and any(p in low for p in POLICIES):
                dropped["policy"] += 1
            else:
                count += sentences(words(clean))
    names = (f"c4_{name}_lines" for name in ("long_word", "unterminated", "few_word", "javascript", "policy"))
    out = {name: per(dropped[rule], lines) for name, rule in zip(names, C4_LINE_RULES, strict=True)}
    return out | {"lorem_ipsum_lines": lorem, "curly_bracket_lines": curly, "sentences": count}


def measures(text: str, stop_words: list[set[str]], on: dict[str, bool]) -> dict[str, float]:
    """Every measure of a text, by name."""
    if not text:
        return {}
    found = words(text)
    real = [w for w in found if not is_symbol(w)]
    out: dict[str, float] = {
        "words": len(real),
        "word_characters": per(sum(map(len, real)), len(real)),
        "hashes_per_word": per(text.count("#"), len(found)),
        "ellipses_per_word": per(text.count("...") + text.count("…"), len(found)),
        "alphabetic_words": per(sum(any(map(str.isalpha, w)) for w in found), len(found)),
        "stop_words": max(len(set(found) & stops) for stops in stop_words),
    }
    lines = text.splitlines()
    out["bullet_lines"] = per(sum(s.lstrip().startswith(("•", "-")) for s in lines), len(lines))
    out["ellipsis_lines"] = per(sum(s.rstrip().endswith(("...", "…")) for s in lines), len(lines))
    for name, items in (("paragraph", re.split(r"\n{2,}", text.strip())), ("line", re.split(r"\n+", text))):
        times, characters = repeats(items)
        out[f"repeated_{name}s"] = per(times, len(items))
        out[f"repeated_{name}_characters"] = per(characters, len(text))
    for n in (2, 3, 4):
        out[f"top_{n}_gram"] = per(top_gram(found, n), len(text))
    for n in range(5, 11):
        out[f"repeated_{n}_grams"] = per(grams_again(found, n), len(text))
    feeds = [s for s in text.split("\n") if s.strip()]
    out["terminated_lines"] = per(sum(s[-1] in TERMINALS for s in feeds), len(feeds))
    out["short_lines"] = per(sum(len(s) <= 30 for s in feeds), len(feeds))
    out["repeated_line_share"] = per(repeats(feeds)[1], len(text.replace("\n", "")))
    out["newlines_per_word"] = per(text.count("\n"), len(found))
    return out | c4(text, on)
