"""Workflows: their form, what keeps strangers' code apart from the right to write, the comment."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from programs import run
from projects import ROOT, make_targets

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").iterdir()}
PAGE = (ROOT / "docs" / "pull-requests.md").read_text()
GITLAB = re.search(r"```yaml\n(.+?)```", PAGE, flags=re.DOTALL)[1]


def load(name: str) -> dict:
    return yaml.safe_load(WORKFLOWS[name].read_text())


def steps(name: str) -> list[dict]:
    return [step for job in load(name)["jobs"].values() for step in job["steps"]]


def code(name: str) -> list[str]:
    """Return all shell and scripts of a workflow."""
    found = [step.get("run", step.get("with", {}).get("script")) for step in steps(name)]
    return [text for text in found if text is not None]


def validate(schema: str, path: Path) -> None:
    result = run(ROOT, "check-jsonschema", "--builtin-schema", schema, str(path))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_fits_the_published_schema(name):
    validate("vendor.github-workflows", WORKFLOWS[name])


def test_the_shown_pipeline_fits_the_schema_of_gitlab(tmp_path):
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(GITLAB)
    validate("vendor.gitlab-ci", path)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_an_action_is_a_commit_with_its_version_beside_it(name):
    used = re.findall(r"uses: *(.+)", WORKFLOWS[name].read_text())
    assert len(used) == len([step for step in steps(name) if "uses" in step]) > 0
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version_everywhere():
    used = {
        line for path in WORKFLOWS.values() for line in re.findall("uses: .+", path.read_text())
    }
    assert len(used) == len({line.partition("@")[0] for line in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_becomes_code(name):
    for text in code(name):
        assert "${{" not in text


def test_code_of_contributors_may_only_read_and_gets_no_secret():
    workflow = load("pull-request")
    assert workflow[True] == "pull_request"  # `on`, which YAML 1.1 reads as a truth value
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "secrets." not in WORKFLOWS["pull-request"].read_text()
    (checkout,) = (step for step in steps("pull-request") if "checkout" in step.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False


def test_the_workflow_that_may_write_runs_nothing_of_the_pull_request():
    workflow = load("comment")
    assert workflow[True]["workflow_run"]["workflows"] == [load("pull-request")["name"]]
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert "secrets." not in WORKFLOWS["comment"].read_text()
    actions = [step.get("uses", "a shell").partition("@")[0] for step in steps("comment")]
    assert actions == ["actions/download-artifact", "actions/github-script"]


def test_the_report_is_uploaded_under_the_name_that_is_downloaded():
    upload, download = (
        next(step["with"] for step in steps(name) if action in step.get("uses", ""))
        for name, action in (("pull-request", "upload-artifact"), ("comment", "download-artifact"))
    )
    assert upload["name"] == download["name"]
    assert steps("comment")[-1]["env"]["REPORT"] == f"{download['path']}/report.md"


@pytest.mark.parametrize("name", [*WORKFLOWS, "GitLab"])
def test_every_make_target_that_a_workflow_calls_exists(name):
    lines = yaml.safe_load(GITLAB)["check"]["script"] if name == "GitLab" else code(name)
    for call in re.findall(r"^ *make (.+?)(?: \|\| true)?$", "\n".join(lines), flags=re.MULTILINE):
        goals = {word for word in call.split() if re.fullmatch("[a-z][a-z-]+", word)}
        assert goals, call
        assert goals <= make_targets(), call


def test_a_step_after_the_tests_runs_even_if_they_fail():
    every = steps("pull-request")
    after = every[[step.get("run") for step in every].index("make test") + 1 :]
    assert len(after) == 4
    assert all("!cancelled()" in step["if"] for step in after)


# The comment, by the script of the workflow in Node.

SHA = "5ad0" * 10
FORK = {"full_name": "her/project", "owner": {"login": "her"}}
RUN = {
    "head_sha": SHA,
    "head_branch": "change",
    "head_repository": FORK,
    "conclusion": "failure",
    "html_url": "https://example.com/us/project/actions/runs/1",
}
MARKER = "<!-- comparison of a pull request with its base -->"
POSTED = "Posted the comment of pull request 7"
NOTHING = f"Head of 0 open pull requests is {SHA}: nothing to post"


def pull(number: int = 7, state: str = "open", **head: object) -> dict:
    values = {"sha": SHA, "ref": "change", "repo": FORK, "label": "her:change"} | head
    return {"number": number, "state": state, "head": values}


PULL = pull()


def comment(number: int, login: str | None, body: str | None, issue: int = 7) -> dict:
    user = login and {"login": login}
    return {"id": number, "issue_number": issue, "body": body, "user": user}


@pytest.fixture
def report(tmp_path) -> Path:
    path = tmp_path / "report.md"
    path.write_text("# What changed\n\naccuracy +0.0100\n")
    return path


@pytest.fixture
def post(report):
    """Run the script; return the comments that there are then, and what the log says."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: package nodejs of Debian")

    def call(pulls=(PULL,), comments=(), **changes) -> tuple[list[dict], list[str]]:
        state = {
            "script": steps("comment")[-1]["with"]["script"],
            "payload": {"workflow_run": RUN | changes},
            "pulls": pulls,
            "comments": comments,
        }
        result = subprocess.run(
            [node, ROOT / "tests" / "github_script.js"],
            input=json.dumps(state),
            env={"REPORT": str(report)},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        answer = json.loads(result.stdout)
        return answer["comments"], answer["log"]

    return call


def test_the_first_run_posts_a_comment_and_the_next_updates_it(post, report):
    comments, log = post()
    assert log == [POSTED]
    (first,) = comments
    assert first["issue_number"] == 7
    assert first["body"] == (
        f"{MARKER}\n[The run](https://example.com/us/project/actions/runs/1) of {SHA} ended with"
        " failure; it has the pictures and the whole report.\n\n"
        "# What changed\n\naccuracy +0.0100\n"
    )
    report.write_text("nothing changed\n")
    (second,), log = post(comments=comments)
    assert log == ["Updated the comment of pull request 7"]
    assert second["id"] == first["id"]
    assert second["body"].endswith("whole report.\n\nnothing changed\n")


def test_the_comment_is_found_behind_many_others(post):
    others = [comment(number, "me", "a remark") for number in range(150)]
    comments, log = post(comments=[*others, comment(150, "github-actions[bot]", MARKER)])
    assert log == ["Updated the comment of pull request 7"]
    assert comments[:-1] == others
    assert comments[-1]["body"].startswith(f"{MARKER}\n[The run]")


def test_comments_of_others_are_not_touched(post):
    others = [
        comment(0, "somebody", f"{MARKER}\na forgery"),
        comment(1, None, f"{MARKER}\nof an account that is gone"),
        comment(2, "github-actions[bot]", f"another workflow's, which quotes {MARKER}"),
        comment(3, "github-actions[bot]", None),
        comment(4, "github-actions[bot]", f"{MARKER}\nof another pull request", issue=8),
    ]
    comments, log = post(comments=others)
    assert log == [POSTED]
    assert comments[:-1] == others
    assert comments[-1]["body"].startswith(MARKER)


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [pull(sha="0" * 40)],
        [pull(state="closed")],
        [pull(ref="other")],
        [pull(repo={"full_name": "her/other"})],
        [pull(repo=None)],
    ],
    ids=["none", "has moved on", "closed", "another branch", "another repository", "fork deleted"],
)
def test_a_pull_request_whose_head_is_not_that_of_the_run_gets_no_comment(post, pulls):
    assert post(pulls) == ([], [NOTHING])


def test_a_run_whose_repository_is_gone_posts_nothing(post):
    for pulls in ([PULL], [pull(repo=None, label="undefined:change")]):
        assert post(pulls, head_repository=None) == ([], [NOTHING])


def test_of_two_pull_requests_with_the_same_head_neither_gets_a_comment(post):
    said = NOTHING.replace("0 open", "2 open")
    assert post([PULL, pull(8)]) == ([], [said])


def test_the_pull_request_is_found_behind_many_others(post):
    comments, log = post([*(pull(number, sha="0" * 40) for number in range(10, 160)), PULL])
    assert (len(comments), log) == (1, [POSTED])


def test_a_missing_report_is_said(post, report):
    said = ["The run left no report: nothing to post"]
    report.unlink()
    assert post() == ([], said)
    report.mkdir()
    assert post() == ([], said)


def test_a_report_that_is_a_link_is_not_followed(post, report):
    report.rename(report.with_name("secret"))
    report.symlink_to("secret")
    assert post() == ([], ["The run left no report: nothing to post"])


@pytest.mark.parametrize("text", ["é" * 40_000, "@" * 80_000], ids=["many bytes", "all defused"])
def test_a_report_that_is_too_long_is_cut_and_says_so(post, report, text):
    report.write_text(text)
    (posted,), log = post()
    assert log == [POSTED]
    head, _, rest = posted["body"].partition("\n\n")
    assert head.endswith("the whole report. This is the start of a report of 80000 bytes.")
    assert rest == ("é" * 15_000 if text[0] == "é" else "@\u200b" * 30_000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # What stands after `~` is a zero-width space.
        ("@name, @org/team", "@~name, @~org/team"),
        ("&#64;name &commat;name &#x40;name", "&~#~64;name &~commat;name &~#x40;name"),
        ("#12, us/project#12, &num;12", "#~12, us/project#~12, &~num;12"),
        ("GH-12 gh-12 GH\\-12", "GH~-12 gh~-12 GH~\\-12"),
        ("https://github.com/a/b/issues/1", "https:~/~/github.com/a/b/issues/1"),
        ("http:\\//a.example www.a.example", "http:~\\/~/a.example www~.a.example"),
        (f"{MARKER} <img src=x> <a@b.example>", f"{MARKER} <img src=x> <a@~b.example>"),
        ("![Learning curves](accuracy.png)", "Learning curves"),
        ("![a picture](https://a.example/p.png)", "a picture"),
        ("[text](report.md)", "text"),
        ("[a [b](c)](d) ![x\ny](z)", "[a b]~(d) ![x\ny]~(z)"),
        ("![text][name]\n\n[name]: p.png", "![text][name]\n\n[name]~: p.png"),
        ("[![a](b)](c)][](d)(e)", "[a]~(c)]~(e)"),
        ("# A heading\n\n| a | b |\n|---|---|\n| p < 0.05 | `x` |", None),
    ],
)
def test_what_a_hostile_report_could_do_is_defused(post, report, text, shown):
    report.write_text(text)
    (posted,), log = post()
    assert log == [POSTED]
    expected = (shown or text).replace("<", "<~").replace("~", "\u200b")
    assert posted["body"].partition("whole report.\n\n")[2] == expected
    assert posted["body"].count(MARKER) == 1


def test_code_in_a_report_stays_as_it_is_to_the_eye(post, report):
    text = "```\nif a < b && c: # 12 > 3\n```\n"
    report.write_text(text)
    (posted,), _ = post()
    assert posted["body"].replace("\u200b", "").endswith(text)
