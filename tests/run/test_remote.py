"""Remote files: HTTP and an S3-compatible server, both on loopback; read once, told without secrets."""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from making import COMPRESSED, decisions, lines_of, make_records, manifest, select, tamis_cli, write_pool

import tamis
from data import REPOSITORY
from tamis.errors import InputError, UserError

pytest.importorskip("aiohttp")

RECORDS = make_records(60)
TARGET = [{"text": "river stone paper light"}]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `files`; with `ranges`, parts of them; counts what it sends."""

    protocol_version = "HTTP/1.1"

    def __init__(self, server: Server, *arguments: Any) -> None:
        self.told = server
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        told = self.told
        data = told.files.get(self.path.split("?")[0])
        if data is None or (told.secret and told.secret not in self.path):
            self.send_error(404 if data is None else 403)
            return
        start, stop, code = 0, len(data), 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and told.ranges:
            start, stop, code = int(asked[1]), min(int(asked[2] or len(data)) + 1, len(data)), 206
        self.send_response(code)
        if told.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        if told.etag:
            self.send_header("ETag", told.etag)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if body:
            told.sent += stop - start
            self.wfile.write(data[start : stop - told.cut] if told.cut else data[start:stop])
            if told.cut:
                self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class Server:
    """A loopback server in a thread."""

    def __init__(self, ranges: bool) -> None:
        self.ranges = ranges
        self.files: dict[str, bytes] = {}
        self.etag = '"one"'
        self.secret = ""
        self.cut = self.sent = 0
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()


@pytest.fixture(params=[True, False], ids=["ranges", "no-ranges"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(request.param)
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.mark.parametrize("name", ["pool.jsonl", "pool.jsonl.gz", "pool.parquet", "pool.json.zst", "download"])
def test_http_pool_and_target(server: Server, name: str) -> None:
    """A URL gives the records that the file would, whatever its format; the choice is the same."""
    kind = "parquet" if "parquet" in name else "pretty" if "json." in name else "jsonl"
    local = write_pool(Path(name), kind, RECORDS)
    server.files = {f"/data/{name}": local.read_bytes(), "/t.jsonl": lines_of(TARGET)}
    found = select(f"{server.url}/data/{name}", "remote.jsonl", n=9, target=f"{server.url}/t.jsonl")
    wanted = select(local, "local.jsonl", n=9, target=TARGET)
    assert found.read_bytes() == wanted.read_bytes()
    assert decisions(found) == decisions(wanted)
    assert {row["file"] for row in decisions(found, place=True).values()} == {f"{server.url}/data/{name}"}


def test_http_files_are_fetched_once(server: Server) -> None:
    """A store keeps the copy while the server says it is the same, and fetches anew when it is not."""
    server.files = {"/pool.jsonl": lines_of(RECORDS)}
    url = f"{server.url}/pool.jsonl"
    first = select(url, "out.jsonl", n=5, store="store").read_bytes()
    sent = server.sent
    assert select(url, "out.jsonl", n=5, store="store").read_bytes() == first
    assert server.sent - sent < len(server.files["/pool.jsonl"]), "not read whole again"
    server.files["/pool.jsonl"] = lines_of(RECORDS[::-1])  # as long as before
    server.etag = '"two"'
    again = select(url, "out.jsonl", n=60, store="store").read_bytes()
    assert again == lines_of(RECORDS[::-1])


def test_http_without_marks_is_fetched_anew(server: Server) -> None:
    """A server that says nothing but a size may serve another file of that size."""
    server.etag = ""
    for records in (RECORDS, RECORDS[::-1]):
        server.files = {"/pool.jsonl": lines_of(records)}
        assert select(f"{server.url}/pool.jsonl", "out.jsonl", n=60, store="store").read_bytes() == lines_of(records)


def test_http_secrets_are_told_nowhere(server: Server) -> None:
    """User, password and query of a URL stand in no output, message or file of the store."""
    server.files = {"/pool.jsonl": lines_of([*RECORDS, {"no": "text"}])}
    server.secret = "token=hush-1"
    url = server.url.replace("http://", "http://someone:hush-2@") + "/pool.jsonl?token=hush-1"
    code, out, err = tamis_cli("select", url, "-n", 5, "-o", "out.jsonl", "--json")
    assert code == 0, err
    told = manifest(Path("out.jsonl"))
    assert told["job"]["pool"] == [f"{server.url}/pool.jsonl"]
    assert told["inputs"][0]["name"] == f"{server.url}/pool.jsonl"
    missing = tamis_cli("select", url.replace("/pool.jsonl", "/none.jsonl"), "-n", 5, "-o", "other.jsonl")
    assert missing[0] == 2
    assert "no such file" in missing[2]
    refused = tamis_cli("select", url.replace("hush-1", "hush-3"), "-n", 5, "-o", "other.jsonl")
    assert refused[0] == 2
    assert "cannot be read" in refused[2] or "no such file" in refused[2]
    everything = [path.read_bytes() for path in Path().rglob("*") if path.is_file() and "spool" not in path.parts]
    assert "hush" not in out + err + missing[2] + refused[2]
    assert all(b"hush" not in data for data in everything)
    assert not any("hush" in path.name for path in Path().rglob("*"))


def test_http_download_that_breaks_off(server: Server) -> None:
    """Half a file is no file: an error, and nothing in the spool to take it for whole later."""
    server.files = {"/pool.jsonl": lines_of(RECORDS)}
    server.cut = 700
    with pytest.raises(UserError, match=r"pool.jsonl cannot be read"):
        tamis.select(f"{server.url}/pool.jsonl", n=5, store="store", method="random")
    server.cut = 0
    with tamis.select(f"{server.url}/pool.jsonl", n=99, store="store", method="random") as chosen:
        assert len(chosen) == 60


def test_http_server_that_is_not_there() -> None:
    gone = Server(True)
    gone.http.shutdown()
    gone.http.server_close()
    with pytest.raises(InputError, match=r"/pool.jsonl"):
        tamis.open(f"{gone.url}/pool.jsonl")


def test_unknown_scheme() -> None:
    with pytest.raises(UserError, match="nosuch://a/b"):
        tamis.open("nosuch://a/b")


def test_file_urls() -> None:
    """Any other fsspec driver works the same; here that of local files."""
    path = write_pool(Path("pool.jsonl.gz"), "jsonl", RECORDS).absolute()
    with tamis.open(f"file://{path}") as pool:
        assert len(pool) == 60


# --- S3


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an S3-compatible server on loopback."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system on an empty bucket, and fsspec set up to find it."""
    import fsspec
    import s3fs

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-hush")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": endpoint})
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    name = f"pool-{time.time_ns()}"
    files.mkdir(name)
    files.bucket = name
    yield files
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("suffix", list(COMPRESSED))
def test_s3_pool_and_target(bucket: Any, suffix: str) -> None:
    local = write_pool(Path(f"pool.jsonl{suffix}"), "jsonl", RECORDS)
    url = f"s3://{bucket.bucket}/deep/pool.jsonl{suffix}"
    bucket.pipe(url, local.read_bytes())
    bucket.pipe(f"s3://{bucket.bucket}/target.jsonl", lines_of(TARGET))
    found = select(url, "remote.jsonl", n=9, target=f"s3://{bucket.bucket}/target.jsonl")
    assert found.read_bytes() == select(local, "local.jsonl", n=9, target=TARGET).read_bytes()
    assert manifest(found)["inputs"][0]["name"] == url
    assert "testing-hush" not in found.with_name("remote.manifest.json").read_text()


def test_s3_keys_and_globs(bucket: Any) -> None:
    """Two keys and a glob over keys are one pool; what is not there is told."""
    for name, part in (("a", RECORDS[:20]), ("b", RECORDS[20:])):
        bucket.pipe(f"s3://{bucket.bucket}/part/{name}.jsonl", lines_of(part))
    bucket.pipe(f"s3://{bucket.bucket}/part/deeper.jsonl/c.jsonl", b"not matched")
    base = f"s3://{bucket.bucket}/part"
    for pool in ([f"{base}/a.jsonl", f"{base}/b.jsonl"], f"{base}/*.jsonl"):
        with tamis.open(pool) as opened:
            assert [record["id"] for record in opened.records()] == [record["id"] for record in RECORDS]
    for nothing in (f"{base}/c.jsonl", f"{base}/*.csv", f"s3://no-{bucket.bucket}/a.jsonl"):
        with pytest.raises(InputError, match=r"no such file|no file matches|cannot be read"):
            tamis.open(nothing)


def test_s3_object_that_changes_is_fetched_anew(bucket: Any) -> None:
    url = f"s3://{bucket.bucket}/pool.jsonl"
    for records in (RECORDS, RECORDS[::-1]):
        bucket.pipe(url, lines_of(records))
        bucket.invalidate_cache()
        assert select(url, "out.jsonl", n=60, store="store").read_bytes() == lines_of(records)


def test_s3_from_the_command_line(bucket: Any, endpoint: str) -> None:
    """The usual environment variables are enough, in a process of its own."""
    bucket.pipe(f"s3://{bucket.bucket}/pool.jsonl", lines_of(RECORDS))
    command = [sys.executable, "-m", "tamis", "select", f"s3://{bucket.bucket}/pool.jsonl", "-n", "5", "-o", "o.jsonl"]
    path = os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, env={**os.environ, "FSSPEC_S3_ENDPOINT_URL": endpoint, "PYTHONPATH": path}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(Path("o.jsonl").read_bytes().splitlines()) == 5
