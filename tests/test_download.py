"""Downloads of files by their hash, from folders and from a web server."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
from mirrors import CONTENT, FIRST, HASHES, LIMIT, RAW_FILES, bomb, check_kept, settings
from web_server import redirect, send

from fmnist.fetch.download import download
from fmnist.stage.command import InputError


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_web_server_may_have_compressed_or_plain_files(server, tmp_path, suffix):
    pack = gzip.compress if suffix else bytes
    server.files = {f"/data/{name}{suffix}": pack(content) for name, content in CONTENT.items()}
    paths = download(HASHES, settings(server.address + "/"), tmp_path / "kept")
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT
    check_kept(tmp_path / "kept")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_may_have_compressed_or_plain_files(tmp_path, suffix):
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    paths = download(HASHES, settings(folder.as_uri()), tmp_path / "kept")
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT


def test_a_redirect_to_a_new_address_is_followed(server, tmp_path):
    server.files = {f"/new/{name}.gz": gzip.compress(CONTENT[name]) for name in RAW_FILES}
    server.answer = lambda request: redirect(request.path.replace("/data/", "/new/"))(request)
    download(HASHES, settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


def in_chunks(body: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:], b""))


@pytest.mark.parametrize(
    ("pack", "headers"),
    [(in_chunks, {"Transfer_Encoding": "chunked"}), (bytes, {"Connection": "close"})],
)
def test_a_file_without_a_length_is_read_to_its_end(server, tmp_path, pack, headers):
    server.answer = lambda request: send(
        pack(gzip.compress(CONTENT[Path(request.path).stem])), **headers
    )(request)
    download(HASHES, settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


def test_all_members_of_a_gzip_file_are_decompressed(server, tmp_path):
    server.files = {
        f"/data/{name}.gz": gzip.compress(content[:99]) + gzip.compress(content[99:])
        for name, content in CONTENT.items()
    }
    download(HASHES, settings(server.address), tmp_path / "kept")
    check_kept(tmp_path / "kept")


def test_a_gzip_bomb_needs_little_memory(server, good, tmp_path):
    server.answer = send(bomb(4 << 30))
    tracemalloc.start()
    try:
        download(HASHES, settings(server.address, good, size_limit=LIMIT), tmp_path / "kept")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LIMIT / 4
    check_kept(tmp_path / "kept")


def test_the_next_mirror_is_asked_only_for_missing_files(server, good, tmp_path):
    server.files = {f"/data/{name}": CONTENT[name] for name in RAW_FILES[:2]}
    said: list[str] = []
    download(HASHES, settings(server.address, good), tmp_path / "kept", said.append)
    assert said[:2] == [f"{name}: from {server.address}" for name in RAW_FILES[:2]]
    assert said[3:] == [f"{name}: from {good}" for name in RAW_FILES[2:]]


def test_verified_downloads_are_kept_and_a_damaged_one_is_downloaded_again(good, tmp_path):
    paths = download(HASHES, settings(good), tmp_path / "kept")
    assert download(HASHES, settings("file:///nowhere"), tmp_path / "kept") == paths
    paths[FIRST].write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"no mirror provides {FIRST}; "):
        download(HASHES, settings("file:///nowhere"), tmp_path / "kept")
    download(HASHES, settings(good), tmp_path / "kept")
    assert paths[FIRST].read_bytes() == CONTENT[FIRST]


def test_a_file_that_cannot_be_read_is_reported(good, tmp_path):
    odd = tmp_path / "odd"
    (odd / f"{FIRST}.gz").mkdir(parents=True)
    said: list[str] = []
    download(HASHES, settings(odd.as_uri(), good), tmp_path / "kept", said.append)
    assert said[0].endswith(f"{odd}/{FIRST}.gz: Is a directory")
    (odd / f"{FIRST}.gz").rmdir()
    (odd / f"{FIRST}.gz").symlink_to("/proc/self/mem")  # can be opened, but not read
    download(HASHES, settings(odd.as_uri(), good), tmp_path / "kept again", said.append)
    assert f"mirror failed: {odd.as_uri()}: {FIRST}: cannot be read: Input/output error" in said
