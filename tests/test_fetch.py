"""Fetching, from folders and from a web server on this machine that can misbehave."""

import contextlib
import gzip
import hashlib
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, copy_project, idx, run, set_value

from fmnist import parameters
from fmnist.command import InputError
from fmnist.fetch.download import download
from fmnist.fetch.parameters import Fetch, Hashes

RAW_FILES = [field.alias for field in Hashes.model_fields.values()]
CONTENT = {name: f"content of {name}".encode() * 1000 for name in RAW_FILES}
FIRST = RAW_FILES[0]


def settings(*mirrors: str, **changes: object) -> Fetch:
    values = {
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
        "mirrors": list(mirrors),
        "connect_timeout": 10,
        "read_timeout": 10,
        "retries": 1,
        "size_limit": 1_000_000,
    }
    return Fetch.model_validate(values | changes)


class Handler(BaseHTTPRequestHandler):
    """What a web server answers: a file that it has, or what it has been told to do."""

    def do_GET(self) -> None:  # noqa: D102
        self.server.when_asked(self.path)
        body = self.server.files.get(self.path)
        with contextlib.suppress(OSError):  # a client may leave
            (self.server.answer if body is None else send(body))(self)

    def log_message(self, *arguments: object) -> None:  # noqa: D102
        pass


class Server(ThreadingHTTPServer):
    """A web server that has some files; its answer to every other path may be replaced."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.address = f"{self.host}/data"
        self.files: dict[str, bytes] = {}
        self.answer: Answer = lambda request: request.send_error(404)
        self.asked: list[str] = []
        self.when_asked: Callable[[str], None] = self.asked.append
        self.closing = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


Answer = Callable[[Handler], None]


def send(body: bytes, **headers: object) -> Answer:
    """Return an answer with ``body``, and with other headers than the right one if told."""

    def answer(request: Handler) -> None:
        request.send_response(200)
        for name, value in (headers or {"Content_Length": len(body)}).items():
            request.send_header(name.replace("_", "-"), str(value))
        request.end_headers()
        request.wfile.write(body)

    return answer


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


def stall(request: Handler) -> None:
    send(b"begin", Content_Length=1000)(request)
    request.server.closing.wait()


def drip(request: Handler) -> None:
    send(b"", Content_Length=10**6)(request)
    while not request.server.closing.wait(0.02):
        request.wfile.write(b"x")


def reset(request: Handler) -> None:
    send(PACKED[:100], Content_Length=len(PACKED))(request)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(request.connection.detach())


def redirect(to: str) -> Answer:
    def answer(request: Handler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.end_headers()

    return answer


def bomb(size: int) -> bytes:
    """Return the gzip file of ``size`` zeros, made of one compressed MiB over and over."""
    deflate = zlib.compressobj(wbits=-15)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * (size >> 20) + deflate.flush() + bytes(8)


def plain_mnist() -> bytes:
    """Return a file of the size and form of the first raw file, with other pixels."""
    return gzip.compress(idx(np.zeros((60_000, 28, 28), np.uint8)), compresslevel=1)


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


def test_a_mirror_that_has_moved_is_followed(server, tmp_path):
    server.files = {f"/new/{name}.gz": gzip.compress(CONTENT[name]) for name in RAW_FILES}
    server.answer = lambda request: redirect(request.path.replace("/data/", "/new/"))(request)
    download(settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


def in_chunks(body: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:], b""))


@pytest.mark.parametrize(
    ("pack", "headers"),
    [(in_chunks, {"Transfer_Encoding": "chunked"}), (bytes, {"Connection": "close"})],
)
def test_a_file_may_come_in_chunks_or_end_with_its_connection(server, tmp_path, pack, headers):
    server.answer = lambda request: send(
        pack(gzip.compress(CONTENT[Path(request.path).stem])), **headers
    )(request)
    download(settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


def test_a_gzip_file_of_several_members_is_one_file(server, tmp_path):
    server.files = {
        f"/data/{name}.gz": gzip.compress(content[:99]) + gzip.compress(content[99:])
        for name, content in CONTENT.items()
    }
    download(settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


LIMIT = 64 << 20  # more than plain MNIST's 47,040,016 bytes
PACKED = gzip.compress(CONTENT[FIRST])
FLIPPED = bytes([CONTENT[FIRST][0], CONTENT[FIRST][1] ^ 1]) + CONTENT[FIRST][2:]
WRONG_HASH = f"expected content of SHA-256 {hashlib.sha256(CONTENT[FIRST]).hexdigest()}, found "
CUT = "expected a whole gzip file, found its beginning"
FAULTS = {  # what the server does, the reason that is said, how often it is asked
    "404": (lambda r: r.send_error(404), f"holds neither {FIRST}.gz nor {FIRST}", 1),
    "403": (lambda r: r.send_error(403), "HTTP status 403 Forbidden", 1),
    "500": (lambda r: r.send_error(500), "HTTP status 500 Internal Server Error", 2),
    "no HTTP": (lambda r: r.wfile.write(b"220 ready\r\n"), "broken off: ", 2),
    "two lengths": (send(PACKED, Content_Length="1, 2"), "multiple unmatching values", 1),
    "redirect loop": (redirect("/loop"), "Exceeded 30 redirects", 1),
    "redirect to a file": (redirect("file:///etc/hostname"), "No connection adapters", 1),
    "closed": (lambda r: None, "broken off: ", 2),
    "closed in mid-file": (send(PACKED[:100], Content_Length=len(PACKED)), "broken off: ", 2),
    "reset in mid-file": (reset, "Connection reset by peer", 2),
    "chunks without end": (
        send(b"64\r\n" + PACKED[:100], Transfer_Encoding="chunked"),
        "broken off: ",
        2,
    ),
    "stalled": (stall, "Read timed out", 2),
    "drips": (drip, "too slow: expected 1048576 bytes within 1 s, found ", 1),
    "length too small": (send(PACKED, Content_Length=len(PACKED) - 1), CUT, 2),
    "length too large": (send(PACKED, Content_Length=len(PACKED) + 1), "broken off: ", 2),
    "nothing": (send(b""), WRONG_HASH, 1),
    "a page of HTML": (send(b"<html>log in</html>"), WRONG_HASH, 1),
    "truncated gzip": (send(PACKED[:-9]), CUT, 2),
    "garbage behind gzip": (send(PACKED + b"garbage"), "expected a gzip file: Not a gzipped", 1),
    "wrong checksum in gzip": (send(PACKED[:-8] + bytes(8)), "expected a gzip file: CRC check", 1),
    "broken gzip": (send(PACKED[:20] + b"\xff" * 99), "expected a gzip file: Error -3", 1),
    "gzip bomb": (send(bomb(4 << 30)), f"expected at most {LIMIT} bytes, found more", 1),
    "plain MNIST": (send(plain_mnist()), WRONG_HASH, 1),
    "a flipped bit": (send(gzip.compress(FLIPPED)), WRONG_HASH, 1),
    "a flipped bit, not compressed": (send(FLIPPED), WRONG_HASH, 1),
}


@pytest.fixture
def empty_project(tmp_path) -> Path:
    """The project before its first run, with quick time-outs, for files of `CONTENT`."""
    project = copy_project(tmp_path / "a project")
    values = settings("file:///nowhere", size_limit=LIMIT, read_timeout=1)
    set_value(project, "fetch", values.model_dump(by_alias=True))
    return project


def files_of(project: Path) -> dict[str, bytes]:
    """Return the content of everything under data/raw and the kept downloads, by name."""
    folders = project / "data" / "raw", project / ".downloads"
    return {
        path.name: path.read_bytes() if path.is_file() else b""
        for folder in folders
        for path in folder.rglob("*")
    }


def fetch(project: Path, *mirrors: str) -> subprocess.CompletedProcess[str]:
    """Run the stage, which may write no file larger than the limit."""
    limited = "prlimit", f"--fsize={LIMIT}", "python", "-m", "stages.fetch"
    return run(project, *limited, FMNIST_MIRRORS=" ".join(mirrors))


ALL_RIGHT = CONTENT | {hashlib.sha256(content).hexdigest(): content for content in CONTENT.values()}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_mirror_is_said_with_its_reason_and_the_next_one_is_used(
    server, empty_project, fault
):
    server.answer, reason, tries = FAULTS[fault]
    server.files = {f"/good/{name}.gz": gzip.compress(CONTENT[name]) for name in RAW_FILES}
    found_by_the_next: list[dict[str, bytes]] = []

    def when_asked(path: str) -> None:
        server.asked.append(path)
        if path == f"/good/{FIRST}.gz":
            found_by_the_next.append(files_of(empty_project))

    server.when_asked = when_asked
    result = fetch(empty_project, server.address, f"{server.host}/good")
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert said[0].startswith(f"mirror failed: {server.address}: {FIRST}: ")
    assert reason in said[0]
    assert said[1:] == [f"{name}: from {server.host}/good" for name in RAW_FILES]
    assert server.asked.count(f"/data/{FIRST}.gz") == tries
    assert found_by_the_next == [{}]
    assert files_of(empty_project) == ALL_RIGHT


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_a_server_that_says_nothing_costs_one_timeout(silent, good, empty_project):
    set_value(empty_project, "fetch.connect_timeout", 0.5)
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    result = fetch(empty_project, address, good)
    said = result.stdout.splitlines()
    assert said[0] == f"mirror failed: {address}: {FIRST}: no answer within 0.5 s"
    assert files_of(empty_project) == ALL_RIGHT
    silent.accept()[0].close()
    with pytest.raises(BlockingIOError):
        silent.accept()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:{closed_port}", "no connection"),
        # A resolver may be slow to say that it does not know.
        ("http://no-such-host.invalid", "its name cannot be resolved|no answer within 10 s"),
        ("http://[::1", "Failed to parse: "),
        ("https://{host}", r"broken off: .*SSL"),
    ],
)
def test_a_mirror_that_cannot_be_reached_is_said_with_its_reason(
    server, good, empty_project, address, reason
):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        closed_port = closed.getsockname()[1]
    address = address.format(closed_port=closed_port, host=server.host.removeprefix("http://"))
    result = fetch(empty_project, address, good)
    said = result.stdout.splitlines()
    assert re.match(re.escape(f"mirror failed: {address}: {FIRST}: ") + f"({reason})", said[0])
    assert files_of(empty_project) == ALL_RIGHT


def test_when_no_mirror_gives_a_file_nothing_is_written_and_each_is_listed(server, empty_project):
    server.answer = send(gzip.compress(FLIPPED))
    result = fetch(empty_project, "file:///nowhere", server.address)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        f"error: no mirror gave {', '.join(RAW_FILES)}; add one to fetch.mirrors or FMNIST_MIRRORS,"
        " or see why these failed:"
    )
    assert lines[1] == f"error: file:///nowhere: {FIRST}: holds neither {FIRST}.gz nor {FIRST}"
    assert lines[2].startswith(f"error: {server.address}: {FIRST}: {WRONG_HASH}")
    assert files_of(empty_project) == {}


def test_a_gzip_bomb_takes_little_memory(server, good, tmp_path):
    server.answer = send(bomb(4 << 30))
    tracemalloc.start()
    try:
        download(settings(server.address, good, size_limit=LIMIT), tmp_path / "kept")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LIMIT / 4
    check_kept(tmp_path / "kept")


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


def test_the_environment_overrides_the_mirrors_and_is_checked(empty_project, good):
    result = fetch(empty_project, "file:///elsewhere", good)
    assert result.stdout.startswith("mirror failed: file:///elsewhere: ")
    result = fetch(empty_project, "ftp://host")
    assert result.returncode == 2
    assert result.stderr.startswith(
        "error: FMNIST_MIRRORS: fetch.mirrors.0: expected to match pattern"
    )


def test_a_folder_that_cannot_be_read_is_a_mirror_that_fails(good, tmp_path):
    odd = tmp_path / "odd"
    (odd / f"{FIRST}.gz").mkdir(parents=True)
    said: list[str] = []
    download(settings(odd.as_uri(), good), tmp_path / "kept", said.append)
    assert said[0].endswith(f"{odd}/{FIRST}.gz: Is a directory")
    (odd / f"{FIRST}.gz").rmdir()
    (odd / f"{FIRST}.gz").symlink_to("/proc/self/mem")  # opens, and gives an error when it is read
    download(settings(odd.as_uri(), good), tmp_path / "kept again", said.append)
    assert f"mirror failed: {odd.as_uri()}: {FIRST}: cannot be read: Input/output error" in said


def program(folder: Path, name: str, text: str) -> str:
    """Make a program of the shell; return a PATH with it first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)
    return f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("missing", ["apt-get", "setpriv"])
def test_a_machine_without_the_programs_of_the_archive_is_a_mirror_that_fails(
    good, tmp_path, monkeypatch, missing
):
    for name in {"apt-get", "setpriv"} - {missing}:
        program(tmp_path / "programs", name, "")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    said: list[str] = []
    download(settings("apt:dataset-fashion-mnist", good), tmp_path / "kept", said.append)
    assert said[0] == (
        f"mirror failed: apt:dataset-fashion-mnist: {FIRST}: this machine has no {missing}"
    )


def test_what_the_archive_says_last_is_the_reason(good, tmp_path, monkeypatch):
    text = "echo 'W: a warning' >&2; echo 'E: no such package' >&2; exit 100"
    monkeypatch.setenv("PATH", program(tmp_path / "programs", "apt-get", text))
    said: list[str] = []
    download(settings("apt:one", "apt:one", "apt:two", good), tmp_path / "kept", said.append)
    assert said[:3] == [
        f"mirror failed: apt:{package}: {FIRST}: apt-get failed: E: no such package"
        for package in ("one", "one", "two")
    ]
    check_kept(tmp_path / "kept")


def test_a_killed_run_leaves_no_program_behind_and_the_next_run_clears_up(
    server, empty_project, tmp_path
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = f"echo unfinished >package.deb; exec 3>'{fifo}'; echo begun >&3; exec sleep 60"
    path = program(tmp_path / "programs", "apt-get", text)
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as written:
        stage = subprocess.Popen(
            [sys.executable, "-m", "stages.fetch"],
            cwd=empty_project,
            env=os.environ | {"PATH": path, "FMNIST_MIRRORS": "apt:dataset-fashion-mnist"},
        )
        assert select.select([written], [], [], 30)[0], "apt-get was not run"
        assert written.readline() == "begun\n"
        stage.kill()
        stage.wait()
        # The end of the file comes when the last program that could write to it has ended.
        assert select.select([written], [], [], 30)[0], "apt-get outlived the stage"
        assert written.read() == ""
    assert list((empty_project / ".downloads").rglob("package.deb"))
    server.files = {f"/data/{name}": content for name, content in CONTENT.items()}
    assert fetch(empty_project, server.address).returncode == 0
    assert files_of(empty_project) == ALL_RIGHT


@pytest.mark.slow
def test_the_real_data_come_from_the_debian_archive(tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    monkeypatch.chdir(ROOT)
    real = parameters.read("fetch", Fetch)
    only_apt = real.model_copy(update={"mirrors": ["apt:dataset-fashion-mnist"]})
    kept = tmp_path / "a folder"
    try:
        paths = download(only_apt, kept)
    except InputError as error:
        pytest.skip(f"the archive of packages is out of reach: {error}")
    assert paths.keys() == real.sha256.model_dump(by_alias=True).keys()
    check_kept(kept)
