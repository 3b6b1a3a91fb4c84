"""Fetching, from folders and from a web server on this machine that can misbehave."""

import gzip
import hashlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT, run, set_value

from fmnist import parameters
from fmnist.command import InputError
from fmnist.fetch.apt import AptMirror
from fmnist.fetch.download import download
from fmnist.fetch.mirror import MirrorError
from fmnist.fetch.parameters import Fetch, Hashes

RAW_FILES = [field.alias for field in Hashes.model_fields.values()]
CONTENT = {name: f"content of {name}".encode() * 1000 for name in RAW_FILES}
FIRST = RAW_FILES[0]


def settings(*mirrors: str, **changes: object) -> Fetch:
    values = {
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
        "mirrors": list(mirrors),
        "connect_timeout": 0.5,
        "read_timeout": 0.5,
        "retries": 1,
        "size_limit": 1_000_000,
    }
    return Fetch.model_validate(values | changes)


class Server:
    """A web server whose answer to a path may be replaced."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if outer.answer is not None:
                    outer.answer(self)
                elif (body := outer.files.get(self.path)) is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/data"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def good(tmp_path) -> str:
    """A mirror that has everything, uncompressed."""
    folder = tmp_path / "good"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder.as_uri()


def check_kept(kept: Path) -> None:
    """Check that nothing but verified content stands in the folder of downloads."""
    for path in kept.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_come_from_a_web_server_compressed_or_not(server, tmp_path, suffix):
    pack = gzip.compress if suffix else bytes
    server.files = {f"/data/{name}{suffix}": pack(content) for name, content in CONTENT.items()}
    paths = download(settings(server.address + "/"), tmp_path / "kept")
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT
    check_kept(tmp_path / "kept")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_come_from_a_folder_compressed_or_not(tmp_path, suffix):
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    paths = download(settings(folder.as_uri()), tmp_path / "kept")
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT


def send(body: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def stall(request: BaseHTTPRequestHandler) -> None:
    send(b"begin", 1000)(request)
    time.sleep(1.5)


WRONG = gzip.compress(b"another content")
FAULTS = {
    "not found": (lambda r: r.send_error(404), "holds neither", 1),
    "forbidden": (lambda r: r.send_error(403), "HTTP status 403 Forbidden", 1),
    "server error": (lambda r: r.send_error(500), "HTTP status 500 Internal Server Error", 2),
    "other content": (send(WRONG), "expected content of SHA-256", 1),
    "a page of HTML": (send(b"<html>log in</html>"), "expected content of SHA-256", 1),
    "truncated gzip": (send(WRONG[:-4]), "expected a whole gzip file, found its beginning", 2),
    "garbage behind gzip": (send(WRONG + b"garbage"), "expected a gzip file", 1),
    "broken gzip": (send(WRONG[:-8] + bytes(8)), "expected a gzip file", 1),
    "too much": (send(gzip.compress(bytes(10**7))), "expected at most 1000000 bytes", 1),
    "broken off": (send(b"begin", length=1000), "broken off", 2),
    "stalled": (stall, "broken off", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_mirror_is_said_with_its_reason_and_the_next_one_is_used(
    server, good, tmp_path, fault
):
    server.answer, reason, tries = FAULTS[fault]
    said: list[str] = []
    paths = download(settings(server.address, good), tmp_path / "kept", said.append)
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT
    check_kept(tmp_path / "kept")
    assert said[0].startswith(f"mirror failed: {server.address}: {FIRST}: ")
    assert reason in said[0]
    assert server.asked.count(f"/data/{FIRST}.gz") == tries


def test_a_server_that_is_silent_or_not_there_costs_one_timeout_and_no_retry(good, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = socket.create_server(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        nobody.close()
        addresses = [
            f"http://127.0.0.1:{silent.getsockname()[1]}",
            f"http://127.0.0.1:{port}",
            "http://no-such-host.invalid",
        ]
        said: list[str] = []
        start = time.monotonic()
        download(settings(*addresses, good), tmp_path / "kept", said.append)
        assert time.monotonic() - start < 3
    assert said[0].endswith("no answer within 0.5 s")
    assert said[1].endswith("no connection")
    assert said[2].endswith(("its name cannot be resolved", "no answer within 0.5 s"))


def test_when_all_mirrors_fail_each_is_listed_with_its_reason(server, tmp_path):
    with pytest.raises(InputError) as error:
        download(settings("file:///nowhere", server.address), tmp_path / "kept")
    lines = str(error.value).splitlines()
    assert lines[0].startswith(f"no mirror gave {', '.join(RAW_FILES)}; add one to fetch.mirrors")
    assert lines[1] == f"file:///nowhere: {FIRST}: holds neither {FIRST}.gz nor {FIRST}"
    assert lines[2].startswith(f"{server.address}: {FIRST}: holds neither")
    assert not list((tmp_path / "kept").glob("*"))


def test_the_next_mirror_is_asked_only_for_what_is_missing(server, good, tmp_path):
    server.files = {f"/data/{name}": CONTENT[name] for name in RAW_FILES[:2]}
    said: list[str] = []
    download(settings(server.address, good), tmp_path / "kept", said.append)
    assert said[:2] == [f"{name}: from {server.address}" for name in RAW_FILES[:2]]
    assert said[3:] == [f"{name}: from {good}" for name in RAW_FILES[2:]]


def test_verified_downloads_are_kept_and_a_damaged_one_is_fetched_again(good, tmp_path):
    paths = download(settings(good), tmp_path / "kept")
    assert download(settings("file:///nowhere"), tmp_path / "kept") == paths
    paths[FIRST].write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"no mirror gave {FIRST}; "):
        download(settings("file:///nowhere"), tmp_path / "kept")
    download(settings(good), tmp_path / "kept")
    assert paths[FIRST].read_bytes() == CONTENT[FIRST]


def test_the_environment_overrides_the_mirrors_and_is_checked(project, mirror):
    for path in (project / ".downloads").iterdir():
        path.unlink()
    set_value(project, "fetch.mirrors", ["file:///nowhere"])
    both = f"file:///elsewhere {mirror.as_uri()}"
    result = run(project, "python", "-m", "stages.fetch", FMNIST_MIRRORS=both)
    assert result.returncode == 0, result.stderr
    assert "mirror failed: file:///elsewhere" in result.stdout
    assert f"{FIRST}: from {mirror.as_uri()}" in result.stdout
    result = run(project, "python", "-m", "stages.fetch", FMNIST_MIRRORS="ftp://host")
    assert result.returncode == 2
    assert "error: FMNIST_MIRRORS: fetch.mirrors.0: expected to match pattern" in result.stderr


def test_a_folder_that_cannot_be_read_is_a_mirror_that_fails(good, tmp_path):
    odd = tmp_path / "odd"
    (odd / f"{FIRST}.gz").mkdir(parents=True)
    said: list[str] = []
    download(settings(odd.as_uri(), good), tmp_path / "kept", said.append)
    assert said[0].endswith(f"{odd}/{FIRST}.gz: Is a directory")


def test_an_archive_without_the_package_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(MirrorError, match="this machine has no apt-get"),
        AptMirror("dataset-fashion-mnist", 1, tmp_path).open(FIRST),
    ):
        pass


@pytest.mark.slow
def test_the_real_data_come_from_the_debian_archive(tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    monkeypatch.chdir(ROOT)
    real = parameters.read("fetch", Fetch)
    only_apt = real.model_copy(update={"mirrors": ["apt:dataset-fashion-mnist"]})
    try:
        paths = download(only_apt, tmp_path)
    except InputError as error:
        pytest.skip(f"the archive of packages is out of reach: {error}")
    assert paths.keys() == real.sha256.model_dump(by_alias=True).keys()
    check_kept(tmp_path)
