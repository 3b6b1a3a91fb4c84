"""`make install` in real environments: what it installs works, or is not taken for installed.

It installs a small package, which has the names of those that it imports, instead of 2.7 GB.
"""

import base64
import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from programs import commit, git, run
from projects import GRAPH, ROOT, files_below, set_value

pytestmark = pytest.mark.slow

MODULES = ("keras", "matplotlib", "pandas", "pydantic", "pytest", "sklearn", "tensorflow")
DVC = """
import os, sys
def main():
    foreign = {"PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH"} & set(os.environ)
    print("dvc", *sys.argv[1:], os.environ["SHELL"], *foreign)
    print(os.environ["PATH"].split(":")[0])
"""


def wheel(folder: Path, modules: dict[str, str]) -> str:
    """Write a package with these modules and the program `dvc`; return a line that locks it."""
    files = {
        **{f"{name}.py": text for name, text in modules.items()},
        "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
        "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny-1.dist-info/entry_points.txt": "[console_scripts]\ndvc = dvc:main\n",
    }
    record = ["tiny-1.dist-info/RECORD,,"]
    path = folder / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = hashlib.sha256(text.encode()).digest()
            code = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            record.append(f"{name},sha256={code},{len(text)}")
        archive.writestr("tiny-1.dist-info/RECORD", "\n".join(record) + "\n")
    return f"tiny==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Machine:
    """A machine with Python and pip, a place with one package, and a project that locks it."""

    def __init__(self, folder: Path, uv: bool = False, name: str = "project") -> None:
        self.packages, self.elsewhere = folder / "packages", folder / "elsewhere"
        self.project = folder / name
        programs = folder / "programs"
        for made in (self.packages, self.elsewhere, programs, self.project / "requirements"):
            made.mkdir(parents=True)
        (programs / "python3").symlink_to(sys._base_executable)
        if uv:
            (programs / "uv").symlink_to(Path(sys.prefix, "bin", "uv"))
        self.variables = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            **{"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages)},
            **{"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(self.packages)},
        }
        (self.project / "commands").mkdir()
        for file in ("Makefile", "commands/install.sh"):
            shutil.copy(ROOT / file, self.project / file)
        self.lock(dict.fromkeys(MODULES, "") | {"dvc": DVC})

    def lock(self, modules: dict[str, str]) -> None:
        """Let the project lock a package with these modules."""
        (self.project / "requirements/main.lock").write_text(wheel(self.packages, modules))

    def install(self, **variables: str) -> tuple[int, str]:
        """Run `make install`; return its exit code and what it prints."""
        result = run(self.project, "make", "install", **self.variables | variables)
        return result.returncode, result.stdout + result.stderr

    def check(self, **variables: str) -> None:
        """Check that what is installed runs, with no package and no shell from elsewhere."""
        expected = f"dvc a b /bin/sh\n{self.project}/.venv/bin\n"
        result = run(self.project, ".venv/bin/dvc", "a b", **self.variables | variables)
        assert (result.returncode, result.stdout) == (0, expected), result.stderr


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_what_is_installed_is_not_installed_again(machine):
    status, printed = machine.install()
    assert status == 0, printed
    assert printed.startswith("Installing 2.7 GB of packages into .venv")
    machine.check()
    (machine.project / "requirements/main.lock").touch()
    before = {path: path.stat().st_mtime_ns for path in (machine.project / ".venv").rglob("*")}
    assert machine.install() == (0, "")
    assert {
        path: path.stat().st_mtime_ns for path in (machine.project / ".venv").rglob("*")
    } == before


@pytest.mark.parametrize("uv", [False, True], ids=["pip", "uv"])
def test_settings_that_install_elsewhere_do_not_apply(uv, tmp_path):
    machine = Machine(tmp_path, uv)
    elsewhere = str(machine.elsewhere)
    (machine.elsewhere / "venv.py").write_text("raise SystemError")
    settings = dict.fromkeys(
        ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH"), elsewhere
    )
    settings |= {"PIP_PYTHON": str(sys._base_executable), "PYTHONSAFEPATH": "1"}
    settings |= {"PIP_USER": "1", "PIP_DRY_RUN": "1", "UV_SYSTEM_PYTHON": "1"}
    status, printed = machine.install(**settings)
    assert status == 0, printed
    machine.check()
    machine.check(PYTHONPATH=elsewhere, PYTHONHOME=elsewhere)
    machine.check(SHELL="/usr/sbin/nologin", PYTHONSAFEPATH="1")
    assert set(files_below(machine.elsewhere)) == {"venv.py"}


@pytest.mark.parametrize("uv", [False, True], ids=["pip", "uv"])
def test_a_newer_lock_that_leaves_dvc_as_it_is_leaves_it_working(uv, tmp_path):
    machine = Machine(tmp_path, uv)
    for _ in range(3):
        status, printed = machine.install()
        assert status == 0, printed
        assert printed.startswith("Installing")
        machine.check()
        with (machine.project / "requirements/main.lock").open("a") as lock:
            lock.write("# newer\n")


def test_packages_that_cannot_be_imported_are_not_taken_for_installed(machine):
    machine.lock(dict.fromkeys(MODULES, "") | {"dvc": DVC, "keras": "import numbers_of_old"})
    status, printed = machine.install()
    assert status == 2
    assert "No module named 'numbers_of_old'" in printed
    assert (
        "error: .venv: expected the packages of requirements/main.lock, found that they cannot be"
        " imported; does a setting install them elsewhere?" in printed
    )
    assert machine.install()[0] == 2
    machine.lock(dict.fromkeys(MODULES, "") | {"dvc": DVC})
    shutil.rmtree(machine.project / ".venv")
    assert machine.install()[0] == 0


def test_a_file_that_redirects_pip_is_named(machine, tmp_path):
    settings = tmp_path / "home/.config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[install]\ntarget = {machine.elsewhere}\n")
    status, printed = machine.install()
    assert status == 2
    assert "`.venv/bin/python -m pip config list` shows those of pip" in printed
    listed = run(
        machine.project, ".venv/bin/python", "-m", "pip", "config", "list", **machine.variables
    )
    assert f"install.target='{machine.elsewhere}'" in listed.stdout
    settings.unlink()
    assert machine.install()[0] == 0
    machine.check()


def test_a_moved_or_copied_folder_is_installed_again(machine):
    machine.install()
    project = machine.project
    machine.project = Path(shutil.copytree(project, project.with_name("copy"), symlinks=True))
    assert machine.install()[1].startswith("Installing")
    machine.check()
    machine.project = project.rename(project.with_name("moved"))
    assert machine.install()[1].startswith("Installing")
    machine.check()
    assert str(project) not in (machine.project / ".venv/bin/activate").read_text()


def test_a_link_to_another_folder_s_environment_is_used_and_git_ignores_it(machine, tmp_path):
    machine.install()
    first, second = machine.project, tmp_path / "second"
    shutil.copytree(first, second, ignore=lambda *_: [".venv"])
    shutil.copy(ROOT / ".gitignore", second)
    (second / ".venv").symlink_to(first / ".venv")
    machine.project = second
    assert machine.install() == (0, "")
    machine.check()
    git(second, "init", "--quiet")
    assert ".venv" not in git(second, "status", "--porcelain")


def test_the_folder_may_have_any_name(tmp_path):
    machine = Machine(tmp_path, name='C# it\'s "ü" \\ $HOME & x')
    status, printed = machine.install()
    assert status == 0, printed
    machine.check()


def test_an_environment_of_a_removed_python_is_made_again(machine):
    machine.install()
    python = machine.project / ".venv/bin/python3"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert machine.install()[1].startswith("Installing")
    machine.check()


def linked(project: Path) -> Path:
    """Let a project use the environment of these tests."""
    if not Path(sys.prefix, "path").exists():
        pytest.skip("needs an environment that `make install` has made")
    (project / ".venv").symlink_to(sys.prefix)
    return project


def test_goals_run_in_the_order_given_however_many_run_at_once(project):
    linked(project)
    git(project, "init", "--quiet")
    commit(project)
    set_value(project, "plot.dpi", 50)
    printed = run(project, "make", "-j8", "repro", "gate", "BASE=HEAD").stdout
    assert printed.index("Running stage 'plot'") < printed.index("This change: none"), printed
    assert "out of date" not in printed


def test_dvc_and_its_stages_take_no_package_and_no_shell_from_the_environment(project, tmp_path):
    program = Path(sys.prefix, "bin", "dvc")
    if not program.with_name("dvc.py").exists():
        pytest.skip("needs an environment that `make install` has made")
    before = (project / "dvc.lock").read_bytes()
    for name in ("yaml", "numpy", "ruamel"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')")
    foreign = {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1", "SHELL": "/usr/sbin/nologin"}
    command = (str(program), "repro", "--force")
    result = run(project, *command, **foreign, PATH="/usr/bin:/bin")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Running stage") == len(GRAPH)
    assert (project / "dvc.lock").read_bytes() == before


def test_pull_fails_where_dvc_cannot_list_its_remotes(project):
    linked(project)
    if not Path(sys.prefix, "share.lock").exists():
        pytest.skip("needs `make install-share`")
    result = run(project, "make", "pull")
    assert (result.returncode, result.stdout) == (0, "There is no DVC remote\n"), result.stderr
    (project / ".dvc/config").write_text("[core\n")
    result = run(project, "make", "pull")
    assert result.returncode == 2
    assert "There is no DVC remote" not in result.stdout


def test_make_starts_its_programs_where_they_are_instead_of_looking_for_them():
    # Make 3.81 would look for them on the PATH that it was started with.
    goals = "repro", "check", "seeds", "sweep", "pull", "lint", "lock", "test", "peers"
    recipes = run(ROOT, "make", "--dry-run", *goals)
    words = {line.split()[0] for line in recipes.stdout.splitlines() if line.split()}
    assert ".venv/bin/dvc" in words
    assert not words & {path.name for path in Path(sys.prefix, "bin").iterdir()}
