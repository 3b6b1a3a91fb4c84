"""The stage fetch: reports of mirrors that fail, and use of the next one."""

import gzip
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mirrors import (
    ALL_RIGHT,
    CONTENT,
    FIRST,
    HASHES,
    LIMIT,
    RAW_FILES,
    bomb,
    fetch,
    fetch_in_own_process,
    files_of,
)
from projects import set_value
from web_server import drip, redirect, reset_after, send, stall


def plain_mnist() -> bytes:
    """Return a gzip file of the size and format of the first raw file, with other pixels."""
    header = struct.pack(">4I", 0x803, 60_000, 28, 28)
    return gzip.compress(header) + gzip.compress(bytes(1000 * 28 * 28)) * 60


PACKED = gzip.compress(CONTENT[FIRST])
FLIPPED = bytes([CONTENT[FIRST][0], CONTENT[FIRST][1] ^ 1]) + CONTENT[FIRST][2:]
WRONG_HASH = f"expected content of SHA-256 {HASHES[FIRST]}, found "
CUT = "expected a complete gzip file, found a truncated one"
FAULTS = {  # what the server answers, the reason that is reported, how often it is asked
    "404": (lambda r: r.send_error(404), f"holds neither {FIRST}.gz nor {FIRST}", 1),
    "403": (lambda r: r.send_error(403), "HTTP status 403 Forbidden", 1),
    "500": (lambda r: r.send_error(500), "HTTP status 500 Internal Server Error", 2),
    "no HTTP": (lambda r: r.wfile.write(b"220 ready\r\n"), "connection failed: ", 2),
    "two lengths": (send(PACKED, Content_Length="1, 2"), "multiple unmatching values", 1),
    "redirect loop": (redirect("/loop"), "Exceeded 30 redirects", 1),
    "redirect to a file": (redirect("file:///etc/hostname"), "No connection adapters", 1),
    "closed": (lambda r: None, "connection failed: ", 2),
    "closed in mid-file": (
        send(PACKED[:100], Content_Length=len(PACKED)),
        "connection failed: ",
        2,
    ),
    "reset in mid-file": (
        reset_after(PACKED[:100], Content_Length=len(PACKED)),
        "Connection reset by peer",
        2,
    ),
    "chunks without end": (
        send(b"64\r\n" + PACKED[:100], Transfer_Encoding="chunked"),
        "connection failed: ",
        2,
    ),
    "stalled": (stall, "Read timed out", 2),
    "drips": (drip, "too slow: expected 1048576 bytes within 1 s, found ", 1),
    "length too small": (send(PACKED, Content_Length=len(PACKED) - 1), CUT, 2),
    "length too large": (send(PACKED, Content_Length=len(PACKED) + 1), "connection failed: ", 2),
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


def check_next_mirror_is_used(server, project: Path, fault: str, run_stage=fetch) -> None:
    """Check what the stage prints and leaves if the first of two mirrors has a fault."""
    server.answer, reason, tries = FAULTS[fault]
    server.files = {f"/good/{name}.gz": gzip.compress(CONTENT[name]) for name in RAW_FILES}
    left_by_first_mirror: list[dict[str, bytes]] = []

    def when_asked(path: str) -> None:
        server.asked.append(path)
        if path == f"/good/{FIRST}.gz":
            left_by_first_mirror.append(files_of(project))

    server.when_asked = when_asked
    result = run_stage(project, server.address, f"{server.host}/good")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"mirror failed: {server.address}: {FIRST}: ")
    assert reason in lines[0]
    assert lines[1:] == [f"{name}: from {server.host}/good" for name in RAW_FILES]
    assert server.asked.count(f"/data/{FIRST}.gz") == tries
    assert left_by_first_mirror == [{}]
    assert files_of(project) == ALL_RIGHT


# A gzip bomb must not write a file above the limit, and urllib3 leaks a socket at two lengths.
OWN_PROCESS = {"gzip bomb", "two lengths"}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in OWN_PROCESS])
def test_a_failing_mirror_is_reported_with_its_reason_and_the_next_one_is_used(
    server, empty_project, fault
):
    check_next_mirror_is_used(server, empty_project, fault)


@pytest.mark.parametrize("fault", sorted(OWN_PROCESS))
def test_a_fault_that_needs_a_process_of_its_own_is_reported_too(server, copied_project, fault):
    check_next_mirror_is_used(server, copied_project, fault, fetch_in_own_process)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_a_server_that_sends_nothing_costs_one_timeout(silent, good, empty_project):
    set_value(empty_project, "download.connect_timeout", 0.5)
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    result = fetch(empty_project, address, good)
    lines = result.stdout.splitlines()
    assert lines[0] == f"mirror failed: {address}: {FIRST}: no answer within 0.5 s"
    assert files_of(empty_project) == ALL_RIGHT
    silent.accept()[0].close()
    with pytest.raises(BlockingIOError):
        silent.accept()


@pytest.mark.parametrize(
    ("address", "reason", "tries"),
    [
        ("http://127.0.0.1:{closed_port}", "connection failed: .*Connection refused", 1),
        # A resolver may take longer than the time-out to report an unknown name.
        (
            "http://no-such-host.invalid",
            "connection failed: .*Failed to resolve|no answer within 10 s",
            1,
        ),
        ("http://[::1", "Failed to parse: ", 1),
        ("https://{host}", "connection failed: .*SSL", 2),
    ],
)
def test_a_mirror_that_cannot_be_reached_is_reported_with_its_reason(
    server, good, empty_project, monkeypatch, address, reason, tries
):
    asked: list[str] = []
    get = requests.get
    monkeypatch.setattr(requests, "get", lambda url, **kw: asked.append(url) or get(url, **kw))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        closed_port = closed.getsockname()[1]
    address = address.format(closed_port=closed_port, host=server.host.removeprefix("http://"))
    result = fetch(empty_project, address, good)
    lines = result.stdout.splitlines()
    assert re.match(re.escape(f"mirror failed: {address}: {FIRST}: ") + f"({reason})", lines[0])
    assert asked == [f"{address}/{FIRST}.gz"] * tries
    assert files_of(empty_project) == ALL_RIGHT


def test_if_every_mirror_fails_each_is_listed_and_nothing_is_written(server, empty_project):
    server.answer = send(gzip.compress(FLIPPED))
    result = fetch(empty_project, "file:///nowhere", server.address)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        f"error: no mirror provides {', '.join(RAW_FILES)}; add one to download.mirrors or"
        " FMNIST_MIRRORS, or see why these failed:"
    )
    assert lines[1] == f"error: file:///nowhere: {FIRST}: holds neither {FIRST}.gz nor {FIRST}"
    assert lines[2].startswith(f"error: {server.address}: {FIRST}: {WRONG_HASH}")
    assert files_of(empty_project) == {}


def test_fmnist_mirrors_replaces_the_mirrors_and_is_checked(copied_project, good):
    result = fetch_in_own_process(copied_project, "file:///elsewhere", good)
    assert result.stdout.startswith("mirror failed: file:///elsewhere: ")
    result = fetch_in_own_process(copied_project, "ftp://host")
    assert result.returncode == 2
    assert result.stderr.startswith(
        "error: FMNIST_MIRRORS: download.mirrors.0: expected to match pattern"
    )
