"""Loading tokenizers: the bundled one, files, and what is said when there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tamis.errors import InputError, OptionError, UserError
from tamis.signals.tokenizers import build, load


def small() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_the_bundled_one() -> None:
    definition = load()
    assert definition == load("wordllama")
    assert len(definition.fingerprint) == 32
    assert build(definition.json).get_vocab_size() == 32_000


def test_the_bundled_one_does_not_import_its_package() -> None:
    code = "import sys; from tamis.signals.tokenizers import load; load(); sys.exit('wordllama' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_and_its_folder(tmp_path: Path) -> None:
    small().save(str(tmp_path / "tokenizer.json"))
    definition = load(str(tmp_path / "tokenizer.json"))
    assert load(str(tmp_path)).fingerprint == definition.fingerprint
    assert build(definition.json).encode("a b c").ids == [0, 1, 2]


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    tokenizer = small()
    tokenizer.save(str(tmp_path / "one.json"))
    tokenizer.add_tokens(["new"])
    tokenizer.save(str(tmp_path / "two.json"))
    assert load(str(tmp_path / "one.json")).fingerprint != load(str(tmp_path / "two.json")).fingerprint


def test_no_truncation_no_padding() -> None:
    tokenizer = small()
    tokenizer.enable_truncation(1)
    tokenizer.enable_padding(length=7)
    assert build(tokenizer.to_str()).encode("a b").ids == [0, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "expected a tokenizer definition in JSON"),
        ('{"vocab_size": 3}', "with a 'model'"),
        ("[]", "other JSON"),
    ],
)
def test_a_file_that_is_no_tokenizer(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        load(str(path))
    assert str(path) in str(caught.value)


def test_a_definition_the_library_refuses() -> None:
    with pytest.raises(InputError, match="that tokenizers can read"):
        build('{"model": {"type": "None such"}}')


@pytest.mark.parametrize("name", ["missing/tokenizer.json", "no such name", "a/b/c"])
def test_no_such_file(name: str) -> None:
    with pytest.raises(OptionError, match="no such file"):
        load(name)


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"expected a readable tokenizer\.json"):
        load(str(tmp_path))


def test_a_hub_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, or for an unknown name: what to do is said, and it is the user's to mend."""
    from tamis.signals import tokenizers

    class Hub:
        @staticmethod
        def from_pretrained(name: str) -> Tokenizer:
            raise ConnectionError("no route to host")

    monkeypatch.setattr(tokenizers, "Tokenizer", Hub)
    with pytest.raises(UserError, match=r"no route to host.*give the path"):
        load("some/tokenizer")


def test_a_hub_that_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.signals import tokenizers

    class Hub:
        @staticmethod
        def from_pretrained(name: str) -> Tokenizer:
            assert name == "some/tokenizer"
            return small()

    monkeypatch.setattr(tokenizers, "Tokenizer", Hub)
    definition = load("some/tokenizer")
    monkeypatch.undo()
    assert build(definition.json).encode("b").ids == [1]
