"""The names that fields go by in data sets people publish, in lower case, the more telling ones first."""

from __future__ import annotations

__all__ = [
    "INPUT",
    "INSTRUCTION",
    "OUTPUT",
    "POSITIVE",
    "PROMPT",
    "QUERY",
    "RESPONSE",
    "SYSTEM",
    "TEXT",
    "TURNS",
    "TURN_KEYS",
]

#: The list of turns of a chat.
TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "chosen")
#: Role and content in a turn; the first two leave no doubt under whatever name the list stands.
TURN_KEYS = (
    ("role", "content"),
    ("from", "value"),
    ("role", "value"),
    ("from", "content"),
    ("role", "text"),
    ("speaker", "text"),
    ("speaker", "content"),
)
#: A system text beside the turns, the prompt or the instruction.
SYSTEM = ("system", "system_prompt", "system_message")

#: An instruction.
INSTRUCTION = ("instruction", "instructions")
#: What an instruction works on, if anything.
INPUT = ("input", "inputs", "context")
#: What an instruction asks for.
OUTPUT = ("output", "outputs", "response", "answer", "completion", "target", "demonstration")

#: The query of a pair for embedding and ranking models.
QUERY = ("query", "anchor", "sentence1", "premise", "question")
#: What fits a query; the first three may be lists.
POSITIVE = (
    "positive",
    "pos",
    "positives",
    "positive_passage",
    "positive_document",
    "entailment",
    "sentence2",
    "hypothesis",
    "document",
    "passage",
)

#: A prompt.
PROMPT = ("prompt", "question", "query", "instruction", "problem", "input", "inputs", "user", "human")
#: What answers a prompt; of a preference pair, the chosen answer.
RESPONSE = (
    "response",
    "completion",
    "answer",
    "output",
    "outputs",
    "chosen",
    "solution",
    "assistant",
    "reply",
    "target",
    "targets",
    "gpt",
    "bot",
)

#: Running text.
TEXT = (
    "text",
    "content",
    "body",
    "document",
    "raw_content",
    "contents",
    "passage",
    "article",
    "abstract",
    "code",
    "markdown",
    "sentence",
    "paragraph",
    "transcript",
    "story",
    "review",
    "comment",
    "description",
)
