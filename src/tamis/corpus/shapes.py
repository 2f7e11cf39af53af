"""Record shapes: where the text of a record is, and how it is put together.

Two kinds cover everything people have: a `Template` over top-level fields (plain text,
prompt and response, Alpaca, pairs, the user's own template) and a `Chat` (a list of turns:
OpenAI messages, ShareGPT).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Chat", "Part", "Shape", "Template"]


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
    """

    name: str
    turns: str
    role: str
    content: str
    system: str | None = None


Shape = Template | Chat
