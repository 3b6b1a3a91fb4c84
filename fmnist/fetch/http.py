"""A folder on a web server as a mirror."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import requests
import tqdm
import urllib3

from fmnist.fetch.mirror import BrokenOffError, MirrorError


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
                with tqdm.tqdm.wrapattr(
                    response.raw, "read", total=size, desc=file_name, disable=None, leave=False
                ) as raw:
                    try:
                        yield raw
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
            except requests.RequestException as error:
                answer.append(error)

        thread = threading.Thread(target=get, daemon=True)
        thread.start()
        thread.join(self._connect_timeout)
        if not answer:
            raise MirrorError(f"no answer within {self._connect_timeout:g} s")
        if isinstance(answer[0], requests.Response):
            return answer[0]
        raise _reason(answer[0])


def _reason(error: Exception) -> MirrorError:
    text = str(error)
    if "NameResolutionError" in text:
        return MirrorError("its name cannot be resolved")
    if "NewConnectionError" in text:
        return MirrorError("no connection")
    if isinstance(error, requests.ConnectionError):
        return BrokenOffError(f"broken off: {text}")
    return MirrorError(text)
