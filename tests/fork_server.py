"""A process that has loaded the packages of the stages, and forks to run one: it starts at once.

`programs` makes a folder with a ``python`` that asks the server wherever it is to run a stage, so
`dvc repro` with this folder first on PATH does not load TensorFlow again for each stage. Modules of
the project are not loaded beforehand: a stage runs the code of the folder that it runs in. Tests of
kills, of the environment and of whole processes use the real ``python``.
"""

import atexit
import contextlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = (
    *("fmnist.network", "keras", "matplotlib.backends.backend_agg", "matplotlib.figure"),
    *(
        "PIL.PngImagePlugin",
        "numpy",
        "pandas",
        "pydantic",
        "requests",
        "ruamel.yaml",
        "sklearn.metrics",
        "tqdm",
    ),
)

# Sends its arguments, folder, environment and streams; exits as the stage does.
CLIENT = """#!{python} -SE
import json, os, socket, sys
if sys.argv[1:2] != ["-m"] or not sys.argv[2].startswith(("stages.", "commands.check")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"streams"], [0, 1, 2])
server.recv(1)
request = json.dumps([sys.argv[2], os.getcwd(), dict(os.environ)]).encode()
server.sendall(len(request).to_bytes(4, "big") + request)
sys.exit(int(server.makefile().readline() or 1))
"""


def start() -> None:
    """Start a server, which ends with this process; this process' children find it too."""
    folder = Path(tempfile.mkdtemp(prefix="fork-server-"))
    atexit.register(shutil.rmtree, folder)
    address, python = str(folder / "socket"), folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(CLIENT.format(python=sys.executable, address=address))
    python.chmod(0o755)
    for name in ("dvc", "dvc.py"):  # which run stages with the `python` beside them
        (python.parent / name).symlink_to(Path(sys.prefix, "bin", name))
    server = subprocess.Popen(
        [sys.executable, __file__, address],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    atexit.register(server.kill)
    os.environ["FORK_SERVER"] = str(folder)


def programs() -> Path:
    """Return the folder with a ``python`` that asks the server, once that is ready."""
    folder = Path(os.environ["FORK_SERVER"])
    deadline = time.monotonic() + 60
    while not (folder / "socket").exists():
        assert time.monotonic() < deadline, "the fork server did not start"
        time.sleep(0.05)
    return folder / "bin"


def main(address: str) -> None:
    """Load the packages under the numeric contract, and serve until the parent is gone."""
    import importlib

    for package in PACKAGES:
        importlib.import_module(package)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("fmnist", "stages")]:
        del sys.modules[name]
    own = {str(Path(__file__).parent), str(Path(__file__).parent.parent)}
    sys.path[:] = [path for path in sys.path if path not in own]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{address}.part")
        server.listen()
        Path(f"{address}.part").rename(address)
        server.settimeout(1)
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.setblocking(True)
                if os.fork() == 0:
                    server.close()
                    serve(connection)
                connection.close()


def serve(connection: socket.socket) -> None:
    """Run a stage in a child of this process, and report its exit code."""
    _, streams, _, _ = socket.recv_fds(connection, 7, 3)
    connection.sendall(b".")
    file = connection.makefile("rb")
    module, folder, environment = json.loads(file.read(int.from_bytes(file.read(4), "big")))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path.insert(0, folder)
        sys.argv = [module]
        status = 1
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    import stages  # noqa: F401 # the numeric contract, before what computes

    main(sys.argv[1])
