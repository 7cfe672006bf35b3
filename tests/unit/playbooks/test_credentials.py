"""Where a playbook calls AWS, the modules get the credentials of the role that was assumed."""

from __future__ import annotations

import pytest
import yaml

from ..conftest import CHECKOUT

PLAYBOOKS = sorted((CHECKOUT / "playbooks").glob("*.yml"))
CREDENTIALS = {"group/pulsegrid.aws.playbooks": "{{ pulsegrid_credentials }}"}


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_play_that_calls_aws_passes_them_on(playbook) -> None:
    for play in yaml.safe_load(playbook.read_text()):
        assert ("environment" in play) == (play.get("module_defaults") == CREDENTIALS)
