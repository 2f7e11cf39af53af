"""Which format a file has: by its bytes first, by its suffix where bytes do not say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tamis.corpus.lines import open_stream
from tamis.errors import InputError

__all__ = ["FORMATS", "Detected", "detect", "is_dataset_folder", "known_suffix", "plain_text"]

#: The formats tamis reads, by the name `--format` takes.
FORMATS = ("jsonl", "json", "parquet", "arrow", "csv", "tsv", "text", "datasets", "lance")

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
}
_COMPRESSED = (".gz", ".zst", ".zstd", ".bz2", ".xz")
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"))


@dataclass(frozen=True, slots=True)
class Detected:
    """A format and, for formats made of bytes, its compression."""

    format: str
    compression: str | None = None


def known_suffix(name: str) -> bool:
    """Tell whether a file name has a suffix that tamis knows, compression aside."""
    return _suffix(name) in _SUFFIXES


def plain_text(name: str) -> bool:
    """Tell whether a file name has a suffix of plain text."""
    return _SUFFIXES.get(_suffix(name)) == "text"


def is_dataset_folder(path: Path) -> bool:
    """Tell whether a folder is one data set: Hugging Face `datasets` saved to disk, or Lance."""
    return (
        (path / "state.json").is_file()
        or (path / "dataset_dict.json").is_file()
        or (path.suffix == ".lance" and (path / "_versions").is_dir())
    )


def detect(path: Path, name: str, forced: str | None = None) -> Detected:
    """Return the format of a file or data set folder.

    Raises
    ------
    InputError
        If the file cannot be opened, or its bytes are of no format that tamis reads.
    """
    if path.is_dir():
        return Detected(forced or ("lance" if path.suffix == ".lance" else "datasets"))
    try:
        with path.open("rb") as raw:
            head = raw.read(8)
            compression = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
            raw.seek(0)
            beginning = _beginning(raw, compression, name)
    except OSError as error:
        raise InputError(f"{name} cannot be opened: {error.strerror or error}.") from error
    if forced:
        return Detected(forced, compression)
    if beginning.startswith(b"PAR1"):
        return Detected("parquet", compression)
    if beginning.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return Detected("arrow", compression)
    return Detected(_by_suffix(beginning, name), compression)


def _by_suffix(beginning: bytes, name: str) -> str:
    found = _SUFFIXES.get(_suffix(name))
    if found in ("parquet", "arrow"):
        raise InputError(
            f"{name}: expected a {found} file (it should begin with its magic bytes), got "
            f"{beginning[:8]!r}. The file is cut, corrupt or misnamed; name its format with --format."
        )
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    first = text[:1]
    if found in ("json", None) and first in (b"[", b"{"):
        if text.partition(b"\n")[0].strip() == b"{":
            raise InputError(
                f"{name}: expected a JSON array, or a record a line, got an object over several lines. Turn objects "
                "into lines (jq -c .), or write the array that it holds into a file of its own."
            )
        return "json" if first == b"[" else "jsonl"
    if found == "jsonl" and first == b"[" and not _is_line(text):
        return "json"
    if found == "json":
        return "jsonl"
    if found is None and b"\x00" in beginning:
        raise InputError(
            f"{name}: its format is not known (binary, no known suffix). Name it with --format: {', '.join(FORMATS)}."
        )
    return found or "text"


def _is_line(text: bytes) -> bool:
    """Tell whether a line that begins with a bracket stands among other lines of JSON."""
    line, _, more = text.partition(b"\n")
    try:
        return isinstance(json.loads(line), list) and bool(more.strip())
    except ValueError:
        return False


def _suffix(name: str) -> str:
    path = Path(name)
    return Path(path.stem).suffix.lower() if path.suffix.lower() in _COMPRESSED else path.suffix.lower()


def _beginning(raw: BinaryIO, compression: str | None, name: str) -> bytes:
    """Return the first bytes of a file, decompressed; more than white space, if it holds more."""
    beginning = b""
    try:
        read = open_stream(raw, compression).read1  # type: ignore[attr-defined]
        while (len(beginning) < 4096 or not beginning.strip()) and len(beginning) < 1 << 20 and (part := read(4096)):
            beginning += part
    except Exception as error:
        if not beginning:  # else it is cut, which is told when it is read
            what = f"the {compression} stream" if compression else "it"
            raise InputError(f"{name}: {what} cannot be read from its beginning ({error}).") from error
    return beginning
