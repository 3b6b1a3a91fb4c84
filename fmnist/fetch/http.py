"""A folder on a web server as a mirror."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import requests
import tqdm
import urllib3

from fmnist.fetch.mirror import BrokenOffError, MirrorError

PIECE = 1 << 20  # bytes that have to come within the read time-out


class HttpMirror:
    """A folder on a web server.

    A server that gives no answer within ``connect_timeout``, from the look-up of its name on, is
    left for the next mirror without another try: a machine without internet gets on quickly.
    """

    def __init__(self, address: str, connect_timeout: float, read_timeout: float) -> None:
        self._address = address.rstrip("/")
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`."""
        for file_name in (f"{name}.gz", name):
            response = self._get(f"{self._address}/{file_name}")
            if response.status_code == 404:
                response.close()
                continue
            with response:
                if not response.ok:
                    kind = BrokenOffError if response.status_code >= 500 else MirrorError
                    raise kind(f"HTTP status {response.status_code} {response.reason}")
                length = response.headers.get("Content-Length", "")
                size = int(length) if length.isdigit() else None
                paced = _Paced(response.raw, self._read_timeout)
                with tqdm.tqdm.wrapattr(
                    paced, "read", total=size, desc=file_name, disable=None, leave=False
                ) as stream:
                    try:
                        yield stream
                    except urllib3.exceptions.HTTPError as error:
                        raise BrokenOffError(f"broken off: {error}") from None
            return
        raise MirrorError(f"holds neither {name}.gz nor {name} (HTTP status 404)")

    def _get(self, address: str) -> requests.Response:
        # requests bounds each address of a host by itself, and the look-up of the name not at all;
        # a machine without internet must not wait for them one by one.
        answer: list[requests.Response | Exception] = []

        def get() -> None:
            try:
                answer.append(
                    requests.get(
                        address,
                        stream=True,
                        timeout=(self._connect_timeout, self._read_timeout),
                        headers={"Accept-Encoding": "identity"},
                    )
                )
            except Exception as error:  # a few of urllib3's get through requests
                answer.append(error)

        thread = threading.Thread(target=get, daemon=True)
        thread.start()
        thread.join(self._connect_timeout)
        if not answer:
            raise MirrorError(f"no answer within {self._connect_timeout:g} s")
        if isinstance(answer[0], requests.Response):
            return answer[0]
        raise _reason(answer[0])


class _Paced:
    """A connection that has to give each piece within a time-out, whether it stalls or drips.

    A socket's own time-out begins anew at every byte.
    """

    def __init__(self, raw: urllib3.BaseHTTPResponse, timeout: float) -> None:
        self._raw, self._timeout = raw, timeout
        self._waited, self._got = 0.0, 0

    def read(self, size: int) -> bytes:
        """Return what has come, at most ``size`` bytes; none at the end."""
        start = time.monotonic()
        data = self._raw.read1(size)
        self._waited += time.monotonic() - start
        self._got += len(data)
        if self._got >= PIECE:
            self._waited, self._got = 0.0, 0
        elif data and self._waited > self._timeout:
            raise MirrorError(
                f"too slow: expected {PIECE} bytes within {self._timeout:g} s, found {self._got}"
            )
        return data


def _reason(error: Exception) -> MirrorError:
    text = str(error)
    if "NameResolutionError" in text:
        return MirrorError("its name cannot be resolved")
    if "NewConnectionError" in text:
        return MirrorError("no connection")
    if isinstance(error, requests.ConnectionError):
        return BrokenOffError(f"broken off: {text}")
    return MirrorError(text)
