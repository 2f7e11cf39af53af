"""Loading a tokenizer: the bundled one, a `tokenizer.json`, or one from the Hugging Face Hub.

Only the JSON definition is read; nothing is unpickled and no code comes with a tokenizer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tamis.errors import InputError, OptionError, missing_extra

__all__ = ["BUNDLED", "Definition", "build", "load"]

#: The tokenizer that comes with the package `wordllama`: a Llama 2 vocabulary of 32,000.
BUNDLED = "wordllama"
_BUNDLED_FILE = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Definition:
    """A tokenizer's JSON text (`json`) and the hash that identifies it (`fingerprint`, 32 hex digits)."""

    name: str
    json: str = field(repr=False)
    fingerprint: str


def load(name: str = BUNDLED) -> Definition:
    """Return the definition of the tokenizer called `name`.

    `name` is "wordllama", the path of a `tokenizer.json` (or of its folder), or a Hub name.
    Raises OptionError for a name that is none of these or cannot be fetched, and InputError
    for a file that is no tokenizer definition.
    """
    if name == BUNDLED:
        text = _read(_bundled())
    elif (path := Path(name).expanduser()).exists():
        text = _read(path / "tokenizer.json" if path.is_dir() else path)
    else:
        text = _from_hub(name)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return Definition(name, text, digest)


def build(definition: str) -> Tokenizer:
    """Return the tokenizer of a JSON definition, with truncation and padding off.

    Raises InputError if it is not one.
    """
    try:
        tokenizer = Tokenizer.from_str(definition)
    except Exception as error:  # the library raises bare Exception
        raise InputError(
            f"expected a tokenizer definition (tokenizer.json) that tokenizers can read, got: {error}"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _bundled() -> Path:
    """Return the bundled definition's path; wordllama itself is not imported (that takes a second)."""
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise missing_extra("wordllama", "all", "the bundled tokenizer")
    return Path(spec.origin).parent / _BUNDLED_FILE


def _read(path: Path) -> str:
    """Return the text of a definition file, checked to be one."""
    try:
        text = path.read_text("utf-8")
        config: Any = json.loads(text)
    except OSError as error:
        raise OptionError(f"tokenizer: expected a readable tokenizer.json, got {path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: expected a tokenizer definition in JSON, got: {error}") from error
    if not isinstance(config, dict) or "model" not in config:
        raise InputError(
            f"{path}: expected a tokenizer definition as `tokenizers` saves it (with a 'model'), got other"
            " JSON. Give the path of a tokenizer.json, not of a model's or a tokenizer's configuration."
        )
    return text


def _from_hub(name: str) -> str:
    """Return the definition the Hub (or its local cache) has under `name`."""
    if not _HUB_NAME.fullmatch(name) or name.endswith(".json"):
        raise OptionError(
            f"tokenizer '{name}': no such file. Expected '{BUNDLED}', the path of a tokenizer.json,"
            " or a name on the Hugging Face Hub such as 'openai-community/gpt2'."
        )
    try:
        return str(Tokenizer.from_pretrained(name).to_str())
    except Exception as error:  # the library raises whatever its download raises
        raise OptionError(
            f"tokenizer '{name}': expected '{BUNDLED}', a file or a name on the Hugging Face Hub; there is no"
            f" such file, and the Hub gave none ({type(error).__name__}: {error}). Check the name and the"
            " network, or download its tokenizer.json and give the path."
        ) from error
