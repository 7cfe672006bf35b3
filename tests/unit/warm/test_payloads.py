"""Modules that Ansible has packed are kept between runs, and used where Ansible would pack the same."""

from __future__ import annotations

import base64
import io
import marshal
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, module_from_spec
from pathlib import Path
from typing import Any

import ansible.constants as C
import pytest
from ansible_collections.pulsegrid.aws.plugins.plugin_utils import payloads, warm_server

from ..conftest import CHECKOUT, run

MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.own.stuff.plugins.module_utils.words import WORD
try:
    from ansible_collections.own.more.plugins.module_utils.words import MORE
except ImportError:
    MORE = ""


def main():
    AnsibleModule({"secret": {"no_log": True}}).exit_json(said=WORD + MORE)


main()
"""
KEPT = "ansible_collections.own.stuff.plugins.modules.say-ZIP_DEFLATED"


@dataclass
class World:
    """A collection own.stuff with a module `say`, and an ANSIBLE_HOME."""

    path: Path

    @property
    def collections(self) -> Path:
        return self.path / "ansible_collections/own"

    @property
    def kept(self) -> Path:
        return self.path / "home" / payloads.KEPT_IN

    @property
    def payload(self) -> Path:
        return next(path for path in self.kept.iterdir() if path.name.startswith(KEPT))

    @property
    def made(self) -> Any:
        """What Ansible made, as it is kept."""
        return pickle.loads(self.payload.read_bytes().partition(b"\n")[2])

    def say(self, **environment: str) -> tuple[str, bool]:
        """What the module says, and whether it came from an earlier run."""
        options = {
            "ANSIBLE_HOME": str(self.path / "home"),
            "ANSIBLE_COLLECTIONS_PATH": f"{self.path}:{CHECKOUT / '.collections'}",
            "ANSIBLE_PIPELINING": "1",
            **environment,
        }
        python = "ansible_python_interpreter={{ ansible_playbook_python }}"
        done = run("ansible", "all", "-i", "one,", "-c", "pulsegrid.aws.warm", "-m", "own.stuff.say", "-a", "secret=hushhush", "-e", python, "-vvv", **options)
        said = re.search(r"said: (.*)", done.stdout)
        assert said, done.stdout + done.stderr
        assert done.returncode == 0
        return said[1], "own.stuff.say as an earlier run packed it" in done.stdout


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("payloads"))
    write(world.collections / "stuff/plugins/modules/say.py", MODULE)
    write(world.collections / "stuff/plugins/module_utils/words.py", "WORD = 'first'\n")
    (world.path / "home").mkdir(mode=0o700)
    assert world.say() == ("first", False)
    shutil.copytree(world.path, world.path.with_name("pristine"))
    return world


@pytest.fixture
def world(pristine: World) -> World:
    """As after a first run."""
    shutil.rmtree(pristine.path)
    shutil.copytree(pristine.path.with_name("pristine"), pristine.path)
    return pristine


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_second_run_uses_what_the_first_packed(world: World) -> None:
    assert world.say() == ("first", True)
    assert world.kept.stat().st_mode & 0o777 == 0o700
    assert world.payload.stat().st_mode & 0o777 == 0o600


def module_changes(world: World) -> None:
    write(world.collections / "stuff/plugins/modules/say.py", MODULE.replace("WORD + MORE", "'second'"))


def utility_changes(world: World) -> None:
    write(world.collections / "stuff/plugins/module_utils/words.py", "WORD = 'second'\n")


def package_comes_before_it(world: World) -> None:
    write(world.collections / "stuff/plugins/module_utils/words/__init__.py", "WORD = 'second'\n")


def redirection(world: World) -> None:
    write(world.collections / "stuff/plugins/module_utils/other.py", "WORD = 'second'\n")
    write(world.collections / "stuff/meta/runtime.yml", "plugin_routing: {module_utils: {words: {redirect: own.stuff.other}}}\n")


@pytest.mark.parametrize("change", [module_changes, utility_changes, package_comes_before_it, redirection])
def test_a_source_that_has_changed_is_packed_anew(world: World, change: Callable[[World], None]) -> None:
    change(world)

    assert world.say() == ("second", False)


def test_what_could_not_be_imported_and_now_can_is_packed(world: World) -> None:
    write(world.collections / "more/plugins/module_utils/words.py", "MORE = ' and more'\n")

    assert world.say() == ("first and more", False)


def test_a_module_utility_of_ones_own_is_packed_and_not_kept(world: World) -> None:
    from ansible.module_utils import basic

    own = (
        Path(basic.__file__)
        .read_text()
        .replace("def exit_json(self, **kwargs) -> t.NoReturn:", "def exit_json(self, **kwargs):\n        kwargs['said'] = 'own'")
    )
    assert "'own'" in own
    write(world.path / "utilities/basic.py", own)

    before = world.payload.read_bytes()

    assert world.say(ANSIBLE_MODULE_UTILS=str(world.path / "utilities")) == ("own", False)
    assert world.payload.read_bytes() == before


def test_a_damaged_one_is_packed_anew(world: World) -> None:
    content = world.payload.read_bytes()
    world.payload.write_bytes(content[:-1000])

    assert world.say() == ("first", False)
    assert world.say() == ("first", True)


def test_a_deprecated_module_utility_is_said_every_time(world: World) -> None:
    write(
        world.collections / "stuff/meta/runtime.yml",
        "plugin_routing: {module_utils: {words: {deprecation: {removal_version: 99.0.0, warning_text: Be warned.}}}}\n",
    )

    assert world.say() == ("first", False)
    assert world.say() == ("first", False)


def test_neither_arguments_nor_anything_but_sources_is_kept(world: World) -> None:
    content = world.payload.read_bytes()
    archive = world.made.zip_data
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as members:
        texts = [members.read(name) for name in members.namelist()]

    assert "ansible_collections/own/stuff/plugins/modules/say.py" in members.namelist()
    assert not any(b"hushhush" in text for text in [content, *texts])
    assert len(content) - len(archive) < 10_000


def test_what_python_makes_of_the_sources_is_kept_with_them(world: World) -> None:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(world.made.zip_data))) as members:
        compiled = {name for name in members.namelist() if name.endswith(".pyc")}

    own = "ansible_collections/own/stuff/plugins"
    assert compiled == {f"{own}/modules/say.py.pyc", f"{own}/module_utils/words.py.pyc"}


def test_what_is_compiled_already_is_not_compiled_again(world: World) -> None:
    payload = world.payload.read_bytes().partition(b"\n")[2]

    assert payloads.with_compiled(world.made, payloads.members_of(world.made.zip_data)) == payload


def archive_of(tmp_path: Path, *, source: str, compiled: bytes) -> warm_server.Brought:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as members:
        members.writestr("package/words.py", source)
        members.writestr("package/words.py.pyc", compiled)
    return warm_server.Brought(str(tmp_path / "archive.zip/package"))


def test_what_is_compiled_is_taken_as_it_is_with_the_file_that_it_is_in_now(tmp_path: Path) -> None:
    code = marshal.dumps(compile("def word(): return 'compiled'", "elsewhere", "exec"))
    brought = archive_of(tmp_path, source="this is not Python", compiled=MAGIC_NUMBER + code)

    words = module_from_spec(brought.find_spec("words"))
    brought.exec_module(words)

    assert words.word() == "compiled"
    assert words.word.__code__.co_filename == words.__file__ == str(tmp_path / "archive.zip/package/words.py")


def test_what_another_python_has_compiled_is_not(tmp_path: Path) -> None:
    brought = archive_of(tmp_path, source="WORD = 'source'", compiled=b"\0\0\r\n")

    words = module_from_spec(brought.find_spec("words"))
    brought.exec_module(words)

    assert words.WORD == "source"


def directory_is_open(home: Path) -> None:
    (home / payloads.KEPT_IN).chmod(0o750)


def home_is_open(home: Path) -> None:
    home.chmod(0o777)


def above_home_is_open(home: Path) -> None:
    home.parent.chmod(0o770)


def directory_is_elsewhere(home: Path) -> None:
    (home / payloads.KEPT_IN).rename(home / "elsewhere")
    (home / payloads.KEPT_IN).symlink_to(home / "elsewhere")


def directory_is_somebody_elses(home: Path) -> None:
    os.chown(home / payloads.KEPT_IN, 65534, 65534)


def home_is_somebody_elses(home: Path) -> None:
    os.chown(home, 65534, 65534)


def file_is_open(home: Path) -> None:
    (home / payloads.KEPT_IN / "name").chmod(0o666)


def file_is_elsewhere(home: Path) -> None:
    (home / payloads.KEPT_IN / "name").rename(home / "elsewhere")
    (home / payloads.KEPT_IN / "name").symlink_to(home / "elsewhere")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "above/home"
    home.mkdir(parents=True)
    monkeypatch.setattr(C, "ANSIBLE_HOME", str(home))
    with payloads.kept(create=True) as directory:
        payloads.write(directory, "name", b"content")
    return home


def test_what_is_kept_can_be_read(home: Path) -> None:
    with payloads.kept(create=False) as directory:
        assert payloads.read(directory, "name") == b"content"


@pytest.mark.parametrize(
    "change",
    [
        *(directory_is_open, home_is_open, above_home_is_open, directory_is_elsewhere, file_is_open, file_is_elsewhere),
        *(
            pytest.param(change, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"))
            for change in (directory_is_somebody_elses, home_is_somebody_elses)
        ),
    ],
)
def test_where_others_could_have_written_nothing_is_read(home: Path, change: Callable[[Path], None]) -> None:
    change(home)

    with pytest.raises((payloads.Unfit, OSError)), payloads.kept(create=True) as directory:
        payloads.read(directory, "name")


@pytest.mark.parametrize("action", ["ping", "legacy.ping"])
def test_modules_of_roles_and_playbooks_are_not_kept(action: str) -> None:
    with pytest.raises(payloads.Unfit):
        payloads.name_of(action)


def test_a_directory_that_cannot_be_used_changes_nothing(world: World) -> None:
    world.kept.chmod(0o755)

    assert world.say() == ("first", False)
