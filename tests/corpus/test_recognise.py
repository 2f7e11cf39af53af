"""Shapes recognised from the fields that published data sets have."""

import pytest

from tamis.corpus.recognise import SHAPES, force, parse_template, recognise, text_option
from tamis.corpus.shapes import Chat, Part, Template, fields_of
from tamis.errors import InputError, OptionError


def joined(name, *fields):
    return Template(name, tuple(Part("\n" if i else "", field) for i, field in enumerate(fields)))


TURN = {"role": "user", "content": "x"}
HUMAN = {"from": "human", "value": "x"}


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        ({"text": "x", "meta": {}}, joined("text", "text")),
        ({"id": "x", "url": "x", "title": "x", "text": "x"}, joined("text", "text")),
        ({"id": "x", "title": "x", "abstract": "x"}, joined("text", "abstract")),
        ({"raw_content": "x"}, joined("text", "raw_content")),
        ({"Content": "x"}, joined("text", "Content")),
        ({"prompt": "x", "completion": "x", "text": "x"}, joined("prompt", "prompt", "completion")),
        ({"question": "x", "answer": "x"}, joined("prompt", "question", "answer")),
        ({"problem": "x", "solution": "x", "lang": "x"}, joined("prompt", "problem", "solution")),
        ({"prompt": "x", "chosen": "x", "rejected": "x"}, joined("prompt", "prompt", "chosen")),
        (
            {"id": "x", "system_prompt": "x", "question": "x", "response": "x"},
            Template("prompt", (Part("", "system_prompt", True), Part("\n", "question"), Part("\n", "response"))),
        ),
        (
            {"instruction": "x", "input": "", "output": "x", "text": "x"},
            Template("alpaca", (Part("", "instruction"), Part("\n", "input", True), Part("\n", "output"))),
        ),
        (
            {"instruction": "x", "context": "x", "response": "x", "category": "x"},
            Template("alpaca", (Part("", "instruction"), Part("\n", "context", True), Part("\n", "response"))),
        ),
        (
            {"instruction": "x", "input": "x", "output": "x", "system": "x"},
            Template(
                "alpaca",
                (
                    Part("", "system", True),
                    Part("\n", "instruction"),
                    Part("\n", "input", True),
                    Part("\n", "output"),
                ),
            ),
        ),
        ({"instruction": "x", "output": "x"}, joined("alpaca", "instruction", "output")),
        (
            {"messages": [TURN], "prompt": "x", "response": "x"},
            Chat("messages", "messages", "role", "content"),
        ),
        (
            {"conversations": [TURN], "system": "x"},
            Chat("messages", "conversations", "role", "content", "system"),
        ),
        ({"conversations": [HUMAN], "system": ""}, Chat("sharegpt", "conversations", "from", "value")),
        (
            {"prompt": "x", "chosen": [TURN], "rejected": [TURN]},
            Chat("messages", "chosen", "role", "content"),
        ),
        ({"my_turns": [HUMAN]}, Chat("sharegpt", "my_turns", "from", "value")),
        ({"dialogue": [{"speaker": "x", "text": "x"}]}, Chat("messages", "dialogue", "speaker", "text")),
        ({"text": "x", "entities": [{"role": "x", "text": "x"}]}, joined("text", "text")),
        ({"query": "x", "positive": "x", "negative": "x"}, joined("pairs", "query", "positive")),
        ({"anchor": "x", "positive": "x", "negative_1": "x"}, joined("pairs", "anchor", "positive")),
        ({"query": "x", "pos": ["x"], "neg": ["x"]}, joined("pairs", "query")),
        ({"sentence1": "x", "sentence2": "x", "score": 0.5}, joined("pairs", "sentence1", "sentence2")),
    ],
)
def test_known_data_sets(record, shape):
    assert recognise([record]) == shape
    assert set(fields_of(shape)) >= {part.field for part in getattr(shape, "parts", ())}


def test_the_majority_wins_and_ties_go_to_the_first_shape_of_the_list():
    text, prompt, chat = {"text": "x"}, {"prompt": "x", "response": "x"}, {"messages": [TURN]}
    assert recognise([text, text, prompt]).name == "text"
    assert recognise([text, prompt]).name == "prompt"
    assert recognise([text, prompt, chat]).name == "messages"
    assert recognise([prompt, {}, {"x": 1}, {"y": []}]).name == "prompt"
    assert recognise([text] * 1000 + [prompt] * 2000).name == "text"


def test_each_field_has_its_most_frequent_name():
    plain = {"instruction": "x", "output": "x"}
    with_input = {**plain, "input": "x"}
    shape = recognise([plain, plain, with_input])
    assert shape == Template("alpaca", (Part("", "instruction"), Part("\n", "input", True), Part("\n", "output")))
    assert recognise([{"body": "x"}, {"text": "x"}, {"body": "x"}]) == joined("text", "body")


def test_what_is_not_recognised_is_told_with_the_way_out():
    with pytest.raises(InputError, match=r"Fields seen: a, b\. .*--text 'b', or a template such as --text '\{b\}"):
        recognise([{"a": 1, "b": "x"}, {"a": 2}])
    with pytest.raises(InputError, match="0 records were looked at"):
        recognise([])


def test_a_forced_shape():
    assert force("text", [{"text": "x", "prompt": "x", "response": "x"}]) == joined("text", "text")
    assert force("sharegpt", [{"conversations": [TURN]}]) == Chat("sharegpt", "conversations", "role", "content")
    assert force("prompt", [{"instruction": "x", "output": "x"}]) == joined("prompt", "instruction", "output")
    with pytest.raises(InputError, match="no record fits the shape 'pairs'"):
        force("pairs", [{"text": "x"}])
    with pytest.raises(OptionError, match=r"unknown shape 'alpacca'. Did you mean 'alpaca'"):
        force("alpacca", [])
    for name in SHAPES:
        with pytest.raises(InputError):
            force(name, [])


def test_templates():
    assert parse_template("{title}. {abstract}").parts == (Part("", "title"), Part(". ", "abstract"))
    assert parse_template("{{{ a }}}!").parts == (Part("{", "a"), Part("}!", None))
    assert parse_template("{a}{b}").parts == (Part("", "a"), Part("", "b"))
    assert text_option("my text") == Template("text", (Part("", "my text"),))
    assert text_option("<{x}>").parts == (Part("<", "x"), Part(">", None))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{a", "expected '}' after the '{' at character 1"),
        ("x {a {b}", "expected '}' after the '{' at character 3"),
        ("a}", "expected '{' before the '}' at character 2"),
        ("{}", "expected a field name in the braces at character 1"),
        ("{ }", "expected a field name in the braces at character 1"),
        ("{{a}}", "expected at least one {field}, got none"),
    ],
)
def test_bad_templates(template, why):
    with pytest.raises(OptionError) as caught:
        text_option(template)
    assert why in str(caught.value)


def test_no_text_option():
    with pytest.raises(OptionError, match="expected a field name or a template"):
        text_option(" ")
