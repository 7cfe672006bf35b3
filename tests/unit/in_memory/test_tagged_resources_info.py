# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import tagged_resources_info as module

from .conftest import Cloud


def test_resources_that_carry_all_tags_are_listed(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    for name, tags in {"bb": {"A": "1", "B": "2"}, "aa": {"A": "1", "B": "2", "C": "3"}, "cc": {"A": "1"}}.items():
        sqs.create_queue(QueueName=name, tags=tags)

    listed = cloud.run(module, tags={"A": 1, "B": "2"})
    assert [arn.rpartition(":")[2] for arn in listed["arns"]] == ["aa", "bb"]
    assert listed["changed"] is False


def test_all_pages_are_read(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {None: (["c"], "2"), "2": (["a"], "")}

    def call(_self, _operation, _doing, TagFilters, PaginationToken=None):
        arns, more = pages[PaginationToken]
        return {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns], "PaginationToken": more}

    monkeypatch.setattr(module.TaggedResources, "call", call)
    assert cloud.run(module, tags={"A": "1"})["arns"] == ["a", "c"]
