"""What a guide says that is not so is found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts import guides

FILES = {
    "Makefile": ".PHONY: test\ntest lint: .venv/test  ## Check\n",
    "group_vars/all.yml": "shop_size: 1\npulsegrid_app: shop\n",
    "playbooks/site.yml": "- hosts: all\n  vars_prompt: [{name: pulsegrid_confirm}]\n  tasks: [{debug: {var: pulsegrid_caller}, tags: [verify, always]}]\n",
    "playbooks/lock.yml": "[]\n",
    "roles/shop/meta/argument_specs.yml": "argument_specs: {main: {options: {shop_memory_mib: {type: int}}}}\n",
    "roles/shop/README.md": "# shop\n\n[All](../../docs/guide.md#the-2nd-run-site)\n",
    "docs/guide.md": "# Guide\n## The 2nd run: `site`\n",
}
RIGHT = """# Right

See [the guide](docs/guide.md), [a part](docs/guide.md#the-2nd-run-site), [here](#right), [AWS](https://aws.amazon.com/ecs/), and `playbooks/lock.yml`.
Set `shop_memory_mib`, not `shop_<part>_outputs` or `shop_*`; `other_things` are others'. It said `shop_outputs`.

    export AWS_REGION=eu-central-1 && make test lint    # make nothing
    pulsegrid_app: "{{ shop_size }}"
    ansible-playbook -i inventories/mine playbooks/site.yml -e pulsegrid_confirm=shop-dev --skip-tags verify \\
      -e @docs/guide.md pulsegrid.aws.lock
    aws ecs execute-command --cluster shop-dev --interactive --query 'a[0]' --no-cli-pager; aws s3 ls; aws sso login
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "README.md").write_text(RIGHT)
    return tmp_path


def test_what_is_so_is_no_problem(checkout: Path) -> None:
    assert guides.problems(checkout) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("See [it](docs/other.md).", "the link docs/other.md leads nowhere"),
        ("See [it](../../outside.md).", "the link ../../outside.md leads nowhere"),
        ("See [it](docs/guide.md#first-run).", "the link docs/guide.md#first-run names no heading of guide.md"),
        ("![A picture](docs/picture.png)", "the link docs/picture.png leads nowhere"),
        ("See [it](http://example.com).", "the link http://example.com is no https address"),
        ("Say `make tests`.", "make has no target tests"),
        ("    make lint && make demo", "make has no target demo"),
        ("Set `shop_memory_mb: 512`.", "shop_memory_mb is no variable"),
        ("    pulsegrid_apps: shop", "pulsegrid_apps is no variable"),
        ("```yaml\nshop_sizes: 2\n```", "shop_sizes is no variable"),
        ("    ansible-playbook -i inventories/dev sites.yml", "there is no playbook sites.yml"),
        ("    ansible-playbook pulsegrid.aws.unlock", "there is no playbook pulsegrid.aws.unlock"),
        ("    ansible-playbook playbooks/site.yml -e whatever=1", "whatever is no variable"),
        ("    ansible-playbook playbooks/site.yml --tags verified", "no playbook has the tag verified"),
        ("Look at `playbooks/unlock.yml`.", "there is no playbooks/unlock.yml"),
        ("    ansible-playbook playbooks/site.yml -e @docs/mine.yml", "there is no docs/mine.yml"),
        ("    aws ecs run-tasks --cluster a", "aws ecs has no operation run-tasks"),
        ("    aws ecs run-task --clusters a", "aws ecs run-task has no option --clusters"),
        ("    x=$(aws rdbs describe-db-instances)", "aws has no service rdbs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_so_is_said(checkout: Path, text: str, problem: str) -> None:
    (checkout / "WRONG.md").write_text(f"# Wrong\n\n{text}")
    found = guides.problems(checkout)

    assert len(found) == 1, found
    assert found[0].startswith("WRONG.md: ")
    assert problem in found[0]
