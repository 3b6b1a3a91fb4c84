"""What a killed DVC leaves is named and put right, and nothing is lost."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import commit, dvc, run
from dvc_objects.fs.utils import tmp_fname

from commands import mend
from fmnist.stage.command import InputError

CUTS = {
    "empty": lambda text: "",
    "in the first line": lambda text: text[:9],
    "in a hash": lambda text: text[: text.rindex("md5: ") + 20],
    "behind a key": lambda text: text[: text.index("deps:\n") + 6],
    "between the parts of an entry": lambda text: text[: text.rindex("hash: md5\n") + 10],
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_half_written_lock_file_is_put_back_and_nothing_runs_again(project, monkeypatch, cut):
    monkeypatch.chdir(project)
    whole = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(CUTS[cut](whole))
    result = run(project, "python", "-m", "commands.mend")
    assert result.returncode == 0
    assert re.match(
        r"mended: dvc.lock: .+; removed, and DVC's run-cache has what ran", result.stdout
    )
    assert "Running stage" not in dvc(project, "repro")
    assert Path("dvc.lock").read_text() == whole


def test_a_committed_lock_file_is_put_back_and_what_ran_since_comes_from_the_run_cache(
    project, monkeypatch, capsys
):
    monkeypatch.chdir(project)
    commit(project)
    committed = Path("dvc.lock").read_bytes()
    run(project, "sed", "-i", "s/dpi: 100/dpi: 60/", "params.yaml")
    dvc(project, "repro")
    since = Path("dvc.lock").read_bytes()
    Path("dvc.lock").write_bytes(since[:8192])
    mend.main()
    assert "; put back as committed, and" in capsys.readouterr().out
    assert Path("dvc.lock").read_bytes() == committed
    assert "Running stage" not in dvc(project, "repro")
    assert Path("dvc.lock").read_bytes() == since


def test_a_whole_lock_file_and_none_are_left_alone(reproduced, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mend.main()
    shutil.copy(reproduced / "dvc.lock", tmp_path)
    mend.main()
    assert (tmp_path / "dvc.lock").read_bytes() == (reproduced / "dvc.lock").read_bytes()
    assert capsys.readouterr().out == ""


def test_a_merge_conflict_is_for_a_person_to_decide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conflict = "stages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"
    Path("dvc.lock").write_text(conflict)
    with pytest.raises(InputError, match="expected no merge conflict, found one; take either side"):
        mend.main()
    assert Path("dvc.lock").read_text() == conflict


def write_rwlock(folder: Path, pid: int, cmd: str) -> Path:
    rwlock = folder / mend.RWLOCK
    rwlock.parent.mkdir(parents=True, exist_ok=True)
    holder = {"pid": pid, "cmd": cmd}
    locks = {
        "write": {str(folder / "plots" / "loss.png"): holder},
        "read": {str(folder / "params.yaml"): [holder]},
    }
    rwlock.write_text(json.dumps(locks))
    return rwlock


def test_locks_of_a_process_whose_number_another_one_has_are_removed(project, monkeypatch):
    monkeypatch.chdir(project)
    # DVC itself takes this living process for the holder, and would wait for it.
    rwlock = write_rwlock(project, os.getpid(), "/usr/bin/dvc repro")
    assert run(project, "dvc", "repro", "--force", "--single-item", "plot").returncode == 255
    result = run(project, "python", "-m", "commands.mend")
    assert result.stdout == (
        "mended: .dvc/tmp/rwlock names no process of DVC that is alive; removed\n"
    )
    assert not rwlock.exists()
    dvc(project, "repro")


def test_locks_of_a_process_that_is_alive_are_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(["sleep", "600"]) as holder:
        rwlock = write_rwlock(tmp_path, holder.pid, "sleep 600")
        mend.main()
        assert rwlock.exists()
        holder.kill()
    mend.main()
    assert not rwlock.exists()


@pytest.mark.parametrize("text", ["", '{"write": {"a": {"pi', "[]", '{"write": [1]}'])
def test_a_half_written_list_of_locks_is_removed_unless_dvc_runs_here(
    tmp_path, monkeypatch, capsys, text
):
    monkeypatch.chdir(tmp_path)
    mend.RWLOCK.parent.mkdir(parents=True)
    mend.RWLOCK.write_text(text)
    (tmp_path / "dvc").symlink_to(shutil.which("sleep"))
    with subprocess.Popen([str(tmp_path / "dvc"), "600"]) as running:
        mend.main()
        assert mend.RWLOCK.read_text() == text
        running.kill()
    mend.main()
    assert not mend.RWLOCK.exists()
    assert capsys.readouterr().out == "mended: .dvc/tmp/rwlock is half-written; removed\n"


def test_an_empty_list_of_locks_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mend.RWLOCK.parent.mkdir(parents=True)
    mend.RWLOCK.write_text("{}")
    mend.main()
    assert capsys.readouterr().out == ""


def test_temporary_files_of_dvc_are_removed_and_files_of_others_are_not(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    of_dvc = [
        Path(folder, tmp_fname(prefix))
        for folder in (".dvc/cache/files/md5", ".dvc/cache/runs/ab/abcd", "data/raw", "metrics")
        for prefix in ("", "train.json")
    ]
    of_others = [Path("data/raw/.part.tmp"), Path(".venv", tmp_fname()), Path("data/notes.tmp")]
    for path in of_dvc + of_others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    mend.main()
    assert not any(path.exists() for path in of_dvc)
    assert all(path.exists() for path in of_others)
    assert capsys.readouterr().out.count("is a temporary file of DVC; removed\n") == len(of_dvc)
