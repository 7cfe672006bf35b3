# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.pulsegrid.aws.plugins.modules import ec2_managed_prefix_list_info as module

NAME = "com.amazonaws.global.cloudfront.origin-facing"


def test_a_list_is_found_by_its_name(cloud) -> None:
    found = cloud.run(module, names=[NAME])
    assert not found["changed"]
    assert [it["prefix_list_name"] for it in found["prefix_lists"]] == [NAME]
    assert found["prefix_lists"][0]["prefix_list_id"].startswith("pl-")


def test_all_lists_are_found_without_names(cloud) -> None:
    assert len(cloud.run(module)["prefix_lists"]) > 1


def test_a_name_that_is_not_there_finds_nothing(cloud) -> None:
    assert cloud.run(module, names=["none"])["prefix_lists"] == []
