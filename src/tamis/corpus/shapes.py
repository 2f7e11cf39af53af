"""Record shapes: where the text of a record is, and how it is put together.

Two kinds cover everything people have: a `Template` over top-level fields (plain text,
prompt and response, Alpaca, pairs, the user's own template) and a `Chat` (a list of turns:
OpenAI messages, ShareGPT).

The rules are the same for every format. In a template a string stands as it is, a number or
boolean as its JSON text, null as nothing; an array or object has no text (WRONG_TYPE), and a
text of nothing but white space is EMPTY. Where JSON escapes half a surrogate pair, U+FFFD stands.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Chat", "Part", "Shape", "Template", "fields_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """A literal followed by the value of a field (`field` None: the literal alone).

    With `optional`, a missing, null or empty value drops the literal too; without, a missing
    field rejects the record and null renders empty.
    """

    literal: str
    field: str | None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A text made of parts, in order."""

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chat:
    """A text made of turns: `role: content` lines.

    `turns` is the field that holds the list; in each turn `role` and `content` name the keys.
    `system` is an optional top-level field rendered first as a system turn.

    A role is a string or null; a turn without one rejects the record. A content is a string, null
    or missing (nothing, as in a turn that only calls a tool), or a list of parts: strings, and
    objects whose `type` is "text" or missing, with their `text`; parts of other types (images) have
    no text. Contents without any text make the record EMPTY.
    """

    name: str
    turns: str
    role: str
    content: str
    system: str | None = None


#: What a record's text is.
Shape = Template | Chat


def fields_of(shape: Shape) -> tuple[str, ...]:
    """Return the names that a rejected record may blame: the fields of a shape in order of appearance.

    For a chat: the turns, the keys of role and content in a turn, the system field.
    """
    if isinstance(shape, Chat):
        found = [shape.turns, shape.role, shape.content, shape.system]
    else:
        found = [part.field for part in shape.parts]
    return tuple(dict.fromkeys(name for name in found if name is not None))
