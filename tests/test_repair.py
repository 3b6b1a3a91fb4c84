"""What a killed DVC leaves is named and repaired, and nothing is lost."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc_objects.fs.utils import tmp_fname
from programs import call, commit, dvc, dvc_status, git, run
from projects import set_value

from commands import repair
from fmnist.stage.command import InputError

CUTS = {
    "empty": lambda text: "",
    "in the first line": lambda text: text[:9],
    "in a hash": lambda text: text[: text.rindex("md5: ") + 20],
    "behind a key": lambda text: text[: text.index("deps:\n") + 6],
    "between the parts of an entry": lambda text: text[: text.rindex("hash: md5\n") + 10],
}


def only_the_check_runs(project: Path) -> bool:
    """Run the pipeline, whose results are in the run-cache; `check` has none."""
    return re.findall("Running stage '(.+)'", dvc(project, "repro")) == ["check"]


def test_a_half_written_lock_file_is_removed_wherever_it_was_cut(project):
    path = project / "dvc.lock"
    whole = path.read_text()
    for cut in CUTS.values():
        path.write_text(cut(whole))
        result = call(project, "commands.repair")
        assert result.returncode == 0
        assert re.match(
            r"repaired: dvc.lock: .+; removed. DVC's run-cache has what ran", result.stdout
        )
        assert not path.exists()
        assert (project / repair.BROKEN).read_text() == cut(whole)
    assert only_the_check_runs(project)
    assert path.read_text() == whole


def test_a_committed_lock_file_is_restored_and_what_ran_since_comes_from_the_run_cache(project):
    commit(project)
    path = project / "dvc.lock"
    committed = path.read_bytes()
    set_value(project, "plot.dpi", 60)
    dvc(project, "repro")
    since = path.read_bytes()
    path.write_bytes(since[:8192])
    assert "; replaced by the committed one. DVC's" in call(project, "commands.repair").stdout
    assert path.read_bytes() == committed
    assert only_the_check_runs(project)
    assert path.read_bytes() == since


def test_a_half_written_lock_file_stays_where_git_cannot_show_the_committed_one(project):
    commit(project)
    path = project / "dvc.lock"
    lost = git(project, "rev-parse", "HEAD:dvc.lock")
    broken = path.read_text()[:9]
    path.write_text(broken)
    (project / ".git/objects" / lost[:2] / lost[2:]).unlink()
    result = call(project, "commands.repair")
    assert result.returncode == 2
    assert "; the committed one cannot replace it: git show HEAD:./dvc.lock: " in result.stderr
    assert path.read_text() == broken


def test_a_whole_lock_file_and_none_are_left_alone(reproduced, folder, capsys):
    repair.main()
    shutil.copy(reproduced / "dvc.lock", folder)
    repair.main()
    assert (folder / "dvc.lock").read_bytes() == (reproduced / "dvc.lock").read_bytes()
    assert capsys.readouterr().out == ""


def test_a_merge_conflict_is_for_the_user_to_resolve(folder):
    conflict = "stages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> other\n"
    Path("dvc.lock").write_text(conflict)
    with pytest.raises(InputError, match="expected no merge conflict, found one; take either side"):
        repair.main()
    assert Path("dvc.lock").read_text() == conflict


def write_rwlock(folder: Path, pid: int, cmd: str) -> Path:
    rwlock = folder / repair.RWLOCK
    rwlock.parent.mkdir(parents=True, exist_ok=True)
    holder = {"pid": pid, "cmd": cmd}
    locks = {
        "write": {str(folder / "plots" / "loss.png"): holder},
        "read": {str(folder / "params.yaml"): [holder]},
    }
    rwlock.write_text(json.dumps(locks))
    return rwlock


def test_locks_of_a_process_whose_number_another_one_has_are_removed(project):
    # DVC itself takes this living process for the holder, and would wait for it.
    rwlock = write_rwlock(project, os.getpid(), "/usr/bin/dvc repro")
    assert run(project, "dvc", "repro", "--force", "--single-item", "plot").returncode == 255
    assert call(project, "commands.repair").stdout == (
        "repaired: .dvc/tmp/rwlock names no process of DVC that is alive; removed\n"
    )
    assert not rwlock.exists()
    dvc(project, "repro")
    assert dvc_status(project) == {}


def test_locks_of_a_process_that_is_alive_are_left(folder):
    with subprocess.Popen(["sleep", "600"]) as holder:
        rwlock = write_rwlock(folder, holder.pid, "sleep 600")
        repair.main()
        assert rwlock.exists()
        holder.kill()
    repair.main()
    assert not rwlock.exists()


@pytest.mark.parametrize("text", ["", '{"write": {"a": {"pi', "[]", '{"write": [1]}'])
def test_a_half_written_list_of_locks_is_removed_unless_dvc_runs_here(folder, capsys, text):
    repair.RWLOCK.parent.mkdir(parents=True)
    repair.RWLOCK.write_text(text)
    (folder / "dvc").symlink_to(shutil.which("sleep"))
    with subprocess.Popen([str(folder / "dvc"), "600"]) as running:
        repair.main()
        assert repair.RWLOCK.read_text() == text
        running.kill()
    repair.main()
    assert not repair.RWLOCK.exists()
    assert capsys.readouterr().out == "repaired: .dvc/tmp/rwlock is half-written; removed\n"


def test_an_empty_list_of_locks_is_left(folder, capsys):
    repair.RWLOCK.parent.mkdir(parents=True)
    repair.RWLOCK.write_text("{}")
    repair.main()
    assert capsys.readouterr().out == ""


def test_temporary_files_of_dvc_are_removed_and_files_of_others_are_not(folder, capsys):
    of_dvc = [
        Path(below, tmp_fname(prefix))
        for below in (".dvc/cache/files/md5", ".dvc/cache/runs/ab/abcd", "data/raw", "metrics")
        for prefix in ("", "train.json")
    ]
    of_others = [Path("data/raw/.part.tmp"), Path(".venv", tmp_fname()), Path("data/notes.tmp")]
    for path in of_dvc + of_others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path("make-push.dvc").touch()
    repair.main()
    assert not any(path.exists() for path in of_dvc)
    assert all(path.exists() for path in of_others)
    printed = capsys.readouterr().out
    assert printed.count("is a temporary file of DVC; removed\n") == len(of_dvc)
    assert printed.endswith("repaired: make-push.dvc is left by a killed push; removed\n")
    assert not Path("make-push.dvc").exists()
