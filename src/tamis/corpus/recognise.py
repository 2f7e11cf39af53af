"""Which shape the records of a file have: recognised, forced by name, or the user's template.

    shape      looks like
    text       {"text": ...}
    prompt     {"prompt": ..., "response": ...}
    alpaca     {"instruction": ..., "input": ..., "output": ...}, the input missing or not
    messages   {"messages": [{"role": ..., "content": ...}, ...]}
    sharegpt   {"conversations": [{"from": ..., "value": ...}, ...]}
    pairs      {"query": ..., "positive": ..., "negative": ...}: negatives are no text of the record

Each goes by many field names on the Hugging Face Hub (`corpus.shape_names` lists them). A
`system` text, where records have one, comes first. Fields are joined by line ends; roles such
as `human` and `gpt` stay as they are written. Where the positives of a pair are a list, the
query alone is the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tamis.corpus import shape_names as names
from tamis.corpus.shapes import Chat, Part, Shape, Template
from tamis.errors import InputError, OptionError, unknown

__all__ = ["SHAPES", "force", "parse_template", "recognise", "text_option"]

#: The names that `--shape` takes.
SHAPES = ("text", "prompt", "alpaca", "messages", "sharegpt", "pairs")

#: Records looked at.
_LIMIT = 1000

_Record = Mapping[str, Any]
#: The fields found for the roles that a shape has; None for an optional role without one.
_Fields = tuple[str | None, ...]


def text_option(option: str) -> Template:
    """Return the shape that `--text` asks for: a field, or a template where there are braces.

    Raises
    ------
    OptionError
        If the option is empty, or a template that `parse_template` refuses.
    """
    if not option.strip():
        raise OptionError("--text: expected a field name or a template such as '{title}. {abstract}', got nothing.")
    if "{" in option or "}" in option:
        return parse_template(option)
    return Template("text", (Part("", option),))


def parse_template(template: str) -> Template:
    """Return the parts of a template such as ``{title}. {abstract}``; ``{{`` and ``}}`` stand for braces.

    Raises
    ------
    OptionError
        If braces do not match, a name is empty, or no field is named.
    """
    parts: list[Part] = []
    literal = ""
    i = 0
    while i < len(template):
        char = template[i]
        if char in "{}" and template[i : i + 2] == char * 2:
            literal += char
            i += 2
        elif char == "{":
            name, i = _field_name(template, i)
            parts.append(Part(literal, name))
            literal = ""
        elif char == "}":
            raise _refused(template, f"expected '{{' before the '}}' at character {i + 1}")
        else:
            literal += char
            i += 1
    if not parts:
        raise _refused(template, "expected at least one {field}, got none")
    if literal:
        parts.append(Part(literal, None))
    return Template("template", tuple(parts))


def _field_name(template: str, i: int) -> tuple[str, int]:
    """Return the name whose opening brace is at `i`, and the position after its closing brace."""
    end = template.find("}", i)
    name = template[i + 1 : end].strip()
    if end < 0 or "{" in name:
        raise _refused(template, f"expected '}}' after the '{{' at character {i + 1}")
    if not name:
        raise _refused(template, f"expected a field name in the braces at character {i + 1}")
    return name, end + 1


def _refused(template: str, why: str) -> OptionError:
    return OptionError(f"--text {template!r}: {why}. Write fields as {{name}}, and {{{{ or }}}} for a brace as text.")


def recognise(samples: Sequence[_Record]) -> Shape:
    """Return the shape that most of the first 1,000 `samples` have.

    Each record counts for the first shape that it fits, in the order messages, sharegpt, alpaca,
    pairs, prompt, text, which also breaks ties. Of several names for a field the most frequent
    one wins.

    Raises
    ------
    InputError
        If no record fits any shape.
    """
    votes: dict[str, Counter[_Fields]] = {name: Counter() for name in _RECOGNISERS}
    for record in samples[:_LIMIT]:
        for name, look in _RECOGNISERS.items():
            fields = look(record)
            if fields is not None:
                votes[name][fields] += 1
                break
    best = max(votes, key=lambda name: votes[name].total())  # the first of equals
    if not votes[best]:
        raise InputError(f"no shape of record recognised. {_help(samples)}")
    return _build(best, votes[best])


def force(name: str, samples: Sequence[_Record]) -> Shape:
    """Return the shape called `name` with the field names that most of the first 1,000 `samples` have.

    Raises
    ------
    OptionError
        If there is no such shape.
    InputError
        If no record fits it.
    """
    if name not in SHAPES:
        raise unknown("shape", name, SHAPES)
    look: Callable[[_Record], _Fields | None] = _RECOGNISERS[name]
    if name in ("messages", "sharegpt"):
        look = _turns
    found = (look(record) for record in samples[:_LIMIT])
    votes = Counter(fields for fields in found if fields is not None)
    if not votes:
        raise InputError(f"no record fits the shape '{name}'. {_help(samples)}")
    return _build(name, votes)


def _help(samples: Sequence[_Record]) -> str:
    keys = Counter(key for record in samples[:_LIMIT] for key in record)
    if not keys:
        return f"{len(samples):,} records were looked at and none has a field."
    letters: Counter[str] = Counter()
    for record in samples[:_LIMIT]:
        letters.update({key: len(value) for key, value in record.items() if isinstance(value, str)})
    example = letters.most_common(1)[0][0] if letters else "FIELD"  # the field that holds most of the text
    return (
        f"Fields seen: {', '.join(key for key, _ in keys.most_common(20))}. Say where the text is: "
        f"--text '{example}', or a template such as --text '{{{example}}} ...'."
    )


def _build(name: str, votes: Counter[_Fields]) -> Shape:
    """Return the shape with, for each role, the most frequent field."""
    roles = len(next(iter(votes)))
    chosen: list[str | None] = []
    for role in range(roles):
        fields: Counter[str] = Counter()
        for found, count in votes.items():
            field = found[role]
            if field is not None:
                fields[field] += count
        chosen.append(fields.most_common(1)[0][0] if fields else None)
    if name in ("messages", "sharegpt"):
        turns, role_key, content_key, system = chosen
        return Chat(name, str(turns), str(role_key), str(content_key), system)
    optional = {"alpaca": (True, False, True, False), "prompt": (True, False, False)}.get(name, (False, False))
    parts: list[Part] = []
    for field, drops in zip(chosen, optional, strict=False):
        if field is not None:
            parts.append(Part("\n" if parts else "", field, drops))
    return Template(name, tuple(parts))


def _find(record: _Record, wanted: Sequence[str], *, but: str | None = None) -> str | None:
    """Return the first of `wanted`, in any case of letters, under which the record has a string."""
    found = {key.lower(): key for key, value in record.items() if isinstance(value, str)}
    return next((found[name] for name in wanted if name in found and found[name] != but), None)


def _system(record: _Record) -> str | None:
    found = _find(record, names.SYSTEM)
    return found if found is not None and record[found].strip() else None


def _turn_keys(value: Any, wanted: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the keys of role and content, if `value` is a list of turns."""
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return None
    for role, content in wanted:
        if all(isinstance(turn.get(role), str) for turn in value) and any(content in turn for turn in value):
            return role, content
    return None


def _turns(record: _Record) -> _Fields | None:
    """Return turns, role, content, system."""
    known = {key.lower(): key for key in record}
    usual = [known[name] for name in names.TURNS if name in known]
    for field in (*usual, *(key for key in record if key not in usual)):
        # A list of objects under any other name is taken for turns only if its keys leave no doubt.
        keys = _turn_keys(record[field], names.TURN_KEYS if field in usual else names.TURN_KEYS[:2])
        if keys is not None:
            return field, *keys, _system(record)
    return None


def _messages(record: _Record) -> _Fields | None:
    found = _turns(record)
    return found if found is not None and found[1:3] != ("from", "value") else None


def _sharegpt(record: _Record) -> _Fields | None:
    found = _turns(record)
    return found if found is not None and found[1:3] == ("from", "value") else None


def _alpaca(record: _Record) -> _Fields | None:
    """Return system, instruction, input, output."""
    instruction, output = _find(record, names.INSTRUCTION), _find(record, names.OUTPUT)
    if instruction is None or output is None:
        return None
    return _system(record), instruction, _find(record, names.INPUT), output


def _pairs(record: _Record) -> _Fields | None:
    """Return query, positive (None where it is a list)."""
    query = _find(record, names.QUERY)
    if query is None:
        return None
    positive = _find(record, names.POSITIVE, but=query)
    known = {key.lower(): value for key, value in record.items()}
    if positive is None and not any(isinstance(known.get(name), list) for name in names.POSITIVE[:3]):
        return None
    return query, positive


def _prompt(record: _Record) -> _Fields | None:
    """Return system, prompt, response."""
    prompt = _find(record, names.PROMPT)
    response = _find(record, names.RESPONSE, but=prompt)
    if prompt is None or response is None:
        return None
    return _system(record), prompt, response


def _text(record: _Record) -> _Fields | None:
    field = _find(record, names.TEXT)
    return None if field is None else (field,)


#: What recognises each shape, asked in this order.
_RECOGNISERS: dict[str, Callable[[_Record], _Fields | None]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "pairs": _pairs,
    "prompt": _prompt,
    "text": _text,
}
