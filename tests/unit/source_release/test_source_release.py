# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pulsegrid.aws.plugins.modules import source_release as module


class Repository:
    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        self.app = root / "app"
        self.app.mkdir()
        (self.app / "main.js").write_text("1")
        (self.app / ".gitignore").write_text("ignored\n")
        (root / "README").write_text("1")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", "-C", self.root, *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")[:12]

    def ask(self, path: Path | None = None) -> dict[str, Any]:
        with patch_module_args({"path": str(path or self.app)}), pytest.raises(SystemExit):
            module.main()
        return json.loads(self.capsys.readouterr().out)


@pytest.fixture
def plain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Repository:
    return Repository(tmp_path, capsys)


@pytest.fixture
def repository(plain: Repository) -> Repository:
    plain.git("init", "--quiet")
    return plain


def test_a_clean_directory_is_its_last_commit_and_a_commit_elsewhere_is_none(repository: Repository) -> None:
    commit = repository.commit()
    (repository.root / "README").write_text("2")
    repository.commit()

    answer = repository.ask()
    assert {key: answer[key] for key in ("release", "commit", "dirty", "changed")} == {"release": commit, "commit": commit, "dirty": False, "changed": False}


def test_uncommitted_changes_have_a_name_of_their_own_that_is_always_the_same(repository: Repository) -> None:
    commit = repository.commit()
    names = []
    for change in ("main.js", "new.js", "main.js"):
        (repository.app / change).write_text(str(len(names)) + "changed")
        names.append(repository.ask()["release"])
        assert repository.ask()["release"] == names[-1]
        assert repository.ask()["dirty"]

    assert all(name.startswith(f"{commit}-") for name in names)
    assert len(set(names)) == 3


def test_a_deleted_file_is_a_change_and_an_ignored_one_is_not(repository: Repository) -> None:
    commit = repository.commit()
    (repository.app / "ignored").write_text("1")
    assert repository.ask()["release"] == commit

    (repository.app / "main.js").unlink()
    assert repository.ask()["release"].startswith(f"{commit}-")


def test_before_the_first_commit_and_outside_of_git_the_content_counts(plain: Repository) -> None:
    before = plain.ask()
    assert before["commit"] == ""
    (plain.app / "node_modules").mkdir()
    (plain.app / "node_modules" / "package.js").write_text("1")
    assert plain.ask()["release"] == before["release"]
    (plain.app / "main.js").write_text("2")
    assert plain.ask()["release"] != before["release"]

    plain.git("init", "--quiet")
    assert plain.ask()["commit"] == ""
    plain.git("add", "--all")
    assert plain.ask()["commit"] == ""


def test_no_directory_is_refused(plain: Repository) -> None:
    assert "nowhere" in plain.ask(plain.root / "nowhere")["msg"]
