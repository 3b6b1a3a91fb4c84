"""docs/sharing.md, command by command, with real servers on this machine.

A machine here is a folder with a home, a DVC cache and settings of its own.
"""

import hashlib
import importlib.util
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from programs import run
from projects import ROOT, STAGES, set_value

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "sharing.md").read_text()
S3, SSH, HERE, THERE = (
    re.sub(r" +#.*", "", block).splitlines()
    for block in re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
)


@dataclass
class Machine:
    """A clone of the project, with a home of its own."""

    folder: Path

    def __post_init__(self) -> None:
        """Let make use the environment of these tests."""
        environment = self.folder / ".venv"
        if not environment.is_symlink():
            environment.symlink_to(sys.prefix)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the shell."""
        home = self.folder.with_name(f"{self.folder.name}-home")
        home.mkdir(exist_ok=True)
        # What make would install first is installed, or these tests are skipped.
        command = re.sub("^make ", "make --old-file install-share ", command)
        own = {"HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / "dvc")}
        return run(self.folder, "sh", "-c", command, **own)

    def __call__(self, *commands: str) -> str:
        """Run commands, which must succeed; return what they print."""
        output = ""
        for command in commands:
            result = self.run(command)
            assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
            output += result.stdout
        return output

    def lock(self) -> bytes:
        """Return the bytes of dvc.lock."""
        return (self.folder / "dvc.lock").read_bytes()


@dataclass
class Server:
    """A server for a DVC remote."""

    commands: list[str]  # of the page, with its examples replaced by real values
    secrets: list[str]  # which only DVC may know
    other_secrets: list[str]  # of the same form, which the server refuses
    refusal: str  # DVC's message about them
    move: str  # leads DVC to where no server listens
    silence: str  # DVC's message then

    def local_commands(self, secrets: list[str]) -> list[str]:
        """Return the commands that are each machine's own, with these secrets."""
        commands = "\n".join(command for command in self.commands if "--local" in command)
        for own, other in zip(self.secrets, secrets, strict=True):
            commands = commands.replace(own, other)
        return commands.splitlines()


def filled(commands: list[str], values: dict[str, str]) -> list[str]:
    """Replace the examples of the page."""
    text = "\n".join(commands)
    for example, value in values.items():
        assert example in text
        text = text.replace(example, value)
    return text.splitlines()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def serving(command: list[str], port: int, log: Path, **environment: str) -> Iterator[None]:
    """Run a server until the block ends."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """Keep out what this user has set up for servers and for Git."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "GIT_", "SSH_", "XDG_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "me")
            patch.setenv(f"GIT_{role}_EMAIL", "me@example.com")
        yield


def need_module(name: str, group: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: `make install-{group}`")


@pytest.fixture(scope="module")
def ssh(tmp_path_factory) -> Iterator[Server]:
    """OpenSSH's server, run by this user for this user, with keys of its own."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None:
        pytest.skip("sshd is not installed: Debian's package openssh-server has it")
    need_module("dvc_ssh", "share")
    folder = tmp_path_factory.mktemp("ssh")
    keys = [str(folder / name) for name in ("host", "client", "other")]
    for key in keys:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    _, client, other = keys
    (folder / "config").write_text(
        f"HostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/client.pub\n"
        "ListenAddress 127.0.0.1\n"
        "PidFile none\n"
        "StrictModes no\n"  # the folder for temporary files may be everyone's
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        # What sshd asks of root, and a system without the service lacks.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port, closed = free_port(), free_port()
    user = pwd.getpwuid(os.geteuid()).pw_name
    address = f"ssh://{user}@127.0.0.1:{port}{folder}/remote"
    values = {"ssh://me@example.com/srv/fashion-mnist": address, "~/.ssh/id_ed25519": client}
    command = [sshd, "-D", "-e", "-f", str(folder / "config"), "-p", str(port)]
    with serving(command, port, folder / "log"):
        yield Server(
            filled(SSH, values),
            [client],
            [other],
            "Permission denied",
            f"dvc remote modify storage url {address.replace(f':{port}/', f':{closed}/')}",
            "Connect call failed",
        )


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[Server]:
    """Moto's S3 server with a bucket, for a user whose signatures it checks."""
    moto_server = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    if moto_server is None:
        pytest.skip("moto_server is not installed: `make install-servers`")
    need_module("dvc_s3", "share")
    import boto3

    port, closed = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    with serving(
        [moto_server, "--host", "127.0.0.1", "--port", str(port)],
        port,
        tmp_path_factory.mktemp("s3") / "log",
        INITIAL_NO_AUTH_ACTION_COUNT="4",  # from the fifth request on, only to those who may
    ):
        session = boto3.Session("anyone", "anything", region_name="us-east-1")
        session.client("s3", endpoint_url=address).create_bucket(Bucket="my-bucket")
        iam = session.client("iam", endpoint_url=address)
        iam.create_user(UserName="me")
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="me", PolicyName="s3", PolicyDocument=policy)
        key = iam.create_access_key(UserName="me")["AccessKey"]
        secrets = [key["AccessKeyId"], key["SecretAccessKey"]]
        values = dict(zip(["MY_KEY_ID", "MY_SECRET_KEY"], secrets, strict=True))
        yield Server(
            filled(S3, {"https://s3.example.com": address, **values}),
            secrets,
            [key["AccessKeyId"], "wrong"],
            "Forbidden",
            f"dvc remote modify storage endpointurl http://127.0.0.1:{closed}",
            "Could not connect",
        )


@pytest.fixture(scope="module", params=["s3", "ssh"])
def server(request) -> Server:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def ran(reproduced, tmp_path_factory) -> tuple[Path, bytes]:
    """A committed project that has also run two epochs, and dvc.lock as it was then."""
    folder = tmp_path_factory.mktemp("ran") / "project"
    machine = Machine(Path(shutil.copytree(reproduced, folder, symlinks=True)))
    machine("git add .", "git commit --quiet --message project")
    set_value(folder, "recipes.mlp.epochs", 2)
    machine("dvc repro")
    lock = machine.lock()
    set_value(folder, "recipes.mlp.epochs", 3)
    machine("dvc repro")
    assert machine("git status --porcelain") == ""
    return folder, lock


@pytest.fixture(scope="module")
def here(server, ran, tmp_path_factory) -> Machine:
    """The machine that has run the pipeline, after the commands of the page for it."""
    folder = tmp_path_factory.mktemp("here") / "project"
    machine = Machine(Path(shutil.copytree(ran[0], folder, symlinks=True)))
    machine(*server.commands, *HERE)
    return machine


def clone(here: Machine, folder: Path) -> Machine:
    here(f"git clone --quiet {here.folder.as_uri()} {folder}")
    return Machine(folder)


@pytest.fixture
def there(server, here, tmp_path) -> Machine:
    """A machine that has just cloned the repository and knows the server's secrets."""
    machine = clone(here, tmp_path / "project")
    machine(*server.local_commands(server.secrets))
    return machine


def ran_nothing(output: str) -> bool:
    assert "Stage 'plot'" in output  # it did go through all stages
    return set(re.findall("Running stage '(.+)'", output)) <= {"check"}  # which has no results


def data(machine: Machine) -> dict[str, bytes]:
    """Return the outputs that are not in Git."""
    lock = yaml.safe_load(machine.lock())["stages"]
    paths = [out["path"] for stage in STAGES for out in lock[stage]["outs"]]
    kept = [path for path in paths if not path.startswith(("metrics/", "plots/"))]
    return {path: (machine.folder / path).read_bytes() for path in kept}


def test_after_a_pull_nothing_runs(here, there):
    pull, repro, _ = THERE
    there(pull)
    assert ran_nothing(there(repro))
    assert there.lock() == here.lock()
    assert data(there) == data(here)
    assert there("git status --porcelain") == ""
    assert json.loads(there("dvc status --json")) == {}


def test_repro_pulls_what_is_missing_and_runs_nothing(here, there):
    *_, repro = THERE
    output = there(repro)
    assert ran_nothing(output)
    pulled = re.findall(r"^Pulling data for stage: '(\w+)'", output, re.MULTILINE)
    assert pulled == ["fetch", "preprocess", "train", "evaluate"]
    assert data(there) == data(here)
    assert there("git status --porcelain") == ""

    model = there.folder / "models" / "model.keras"
    md5 = hashlib.md5(model.read_bytes()).hexdigest()
    (there.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    model.unlink()
    output = there(repro)
    assert ran_nothing(output)
    assert re.findall(r"^Pulling data for stage: '(\w+)'", output, re.MULTILINE) == ["train"]
    assert data(there) == data(here)


def test_a_value_that_one_machine_has_run_runs_on_no_other(here, there, ran):
    *_, repro = THERE
    set_value(there.folder, "recipes.mlp.epochs", 2)
    output = there(repro)
    assert ran_nothing(output)
    for stage in ("train", "evaluate", "plot"):
        assert f"Stage '{stage}' is cached - skipping run" in output
    assert there.lock() == ran[1] != here.lock()

    set_value(there.folder, "recipes.mlp.epochs", 3)
    assert ran_nothing(there(repro))
    assert there.lock() == here.lock()
    assert data(there) == data(here)
    assert there("git status --porcelain") == ""


def test_no_secret_reaches_git(server, here):
    history = here("git log --patch --all")
    assert "storage" in history
    assert not [secret for secret in server.secrets if secret in history]
    assert here("git status --porcelain") == ""


def test_wrong_secrets_end_a_pull_with_the_reason(server, here, tmp_path):
    machine = clone(here, tmp_path / "project")
    machine(*server.local_commands(server.other_secrets))
    result = machine.run("dvc pull")
    assert result.returncode != 0
    assert server.refusal in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_cannot_be_reached_ends_a_pull_with_the_reason(server, there):
    there(server.move)
    result = there.run("dvc pull")
    assert result.returncode != 0
    assert server.silence in result.stderr
    assert "Traceback" not in result.stderr


def test_every_command_of_the_page_is_tried_here_or_in_continuous_integration():
    assert THERE == ["dvc pull", "dvc repro", "dvc repro --pull"]  # those that the tests unpack
    tried = [*S3, *SSH, *HERE, *THERE]
    tried += re.findall(r"make install-\w+", (ROOT / ".ci" / "run").read_text())
    tried += ["dvc push --run-cache"]  # by `make push`
    prose = re.sub(r"```sh\n.+?```", "", PAGE, flags=re.DOTALL)
    assert set(re.findall(r"`((?:dvc|make|git) [^`]+)`", prose)) <= set(tried)
