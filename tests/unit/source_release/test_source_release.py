# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible_collections.pulsegrid.aws.plugins.action.source_release import ActionModule

from ..conftest import CHECKOUT, run


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
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

    def ask(self, path: str = "app", **options: Any) -> dict[str, Any]:
        task, loader = Task(), DataLoader()
        task.args = {"path": path, **options}
        loader.set_basedir(str(self.root))
        return ActionModule(task, Mock(), None, loader, None, None).run()


@pytest.fixture
def plain(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def repository(plain: Repository) -> Repository:
    plain.git("init", "--quiet")
    return plain


def test_a_clean_directory_is_its_last_commit_and_a_commit_elsewhere_is_none(repository: Repository) -> None:
    commit = repository.commit()
    (repository.root / "README").write_text("2")
    repository.commit()

    assert repository.ask() == {"release": commit, "commit": commit, "dirty": False, "changed": False}


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
    with pytest.raises(AnsibleActionFail, match="path is 'nowhere': that is no directory"):
        plain.ask("nowhere")


def test_what_git_refuses_is_said(repository: Repository) -> None:
    (repository.root / ".git/index").write_text("no index")

    with pytest.raises(AnsibleActionFail, match=r"git cannot read .*/app: .*index file"):
        repository.ask()


def test_outside_of_git_what_is_excluded_does_not_count(plain: Repository) -> None:
    before = plain.ask(exclude=["cache"])["release"]
    (plain.app / "cache").mkdir()
    (plain.app / "cache/main.o").write_text("1")

    assert plain.ask(exclude=["cache"])["release"] == before
    assert plain.ask()["release"] != before


def test_names_and_links_of_any_bytes_count(plain: Repository) -> None:
    names = set()
    for name in (b"\xe9", b"\xe8"):
        file = os.fsencode(plain.app) + b"/" + name
        os.symlink(name, file)
        names.add(plain.ask()["release"])
        plain.git("init", "--quiet")
        plain.git("add", "--all")
        assert plain.ask()["release"] in names
        os.unlink(file)

    assert len(names) == 2


def test_a_play_has_it_in_check_mode_and_where_the_task_is_delegated(tmp_path: Path) -> None:
    """Whatever the host is: the source is the controller's."""
    tasks = [
        {"pulsegrid.aws.source_release": {"path": str(CHECKOUT / "files/backend")}, "delegate_to": "nowhere.invalid", "register": "source"},
        {"ansible.builtin.assert": {"that": ["source.release is match('[0-9a-f]{12}')", "source is not changed"]}},
    ]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = run("ansible-playbook", "-i", "one.invalid,", "--check", tmp_path / "play.yml")

    assert done.returncode == 0, done.stdout + done.stderr
