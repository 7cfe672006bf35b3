# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.pulsegrid.aws.plugins.modules import elb_target_groups_info as module


def test_groups_are_found_by_all_of_their_tags(cloud) -> None:
    client = cloud.client("elbv2")
    vpc = cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for number in range(25):  # more than DescribeTags takes at once
        tags = [{"Key": "LoadBalancer", "Value": "shop" if number % 2 else "other"}, {"Key": "Service", "Value": f"s{number}"}]
        client.create_target_group(Name=f"group-{number:02}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", Tags=tags)

    found = cloud.run(module, tags={"LoadBalancer": "shop"})
    assert not found["changed"]
    assert [it["target_group_name"] for it in found["target_groups"]] == [f"group-{number:02}" for number in range(1, 25, 2)]
    (one,) = cloud.run(module, tags={"LoadBalancer": "shop", "Service": "s3"})["target_groups"]
    assert one["target_group_arn"].split("/")[1] == "group-03"
    assert one["tags"] == {"LoadBalancer": "shop", "Service": "s3"}
    assert cloud.run(module, tags={"LoadBalancer": "none"})["target_groups"] == []
