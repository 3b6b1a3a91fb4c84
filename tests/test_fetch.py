"""The stage that fetches: what it says of mirrors that fail, and that it goes on to the next."""

import gzip
import hashlib
import re
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import idx, set_value
from mirrors import ALL_RIGHT, CONTENT, FIRST, LIMIT, RAW_FILES, bomb, fetch, files_of
from web_server import drip, redirect, reset_after, send, stall


def plain_mnist() -> bytes:
    """Return a file of the size and form of the first raw file, with other pixels."""
    return gzip.compress(idx(np.zeros((60_000, 28, 28), np.uint8)), compresslevel=1)


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
    "reset in mid-file": (
        reset_after(PACKED[:100], Content_Length=len(PACKED)),
        "Connection reset by peer",
        2,
    ),
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


def test_the_environment_overrides_the_mirrors_and_is_checked(empty_project, good):
    result = fetch(empty_project, "file:///elsewhere", good)
    assert result.stdout.startswith("mirror failed: file:///elsewhere: ")
    result = fetch(empty_project, "ftp://host")
    assert result.returncode == 2
    assert result.stderr.startswith(
        "error: FMNIST_MIRRORS: fetch.mirrors.0: expected to match pattern"
    )
