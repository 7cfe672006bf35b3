#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_cluster
version_added: 0.1.0
short_description: Manage an ECS cluster for Fargate
description:
  - A cluster with the capacity providers V(FARGATE) and V(FARGATE_SPOT), and Container Insights.
  - M(community.aws.ecs_cluster) has no option for Container Insights.
options:
  name:
    description: Name of the cluster, at most 255 letters, digits, hyphens and underscores.
    type: str
    required: true
  container_insights:
    description: Whether CloudWatch collects metrics of the containers, which costs per metric; V(enhanced) goes down to each container.
    type: str
    choices: [disabled, enabled, enhanced]
    default: enabled
  only_services:
    description:
      - With O(state=absent), the cluster is removed only where it has no service but these, and stays where another one is left.
      - Without it AWS refuses to remove a cluster that has services.
    type: list
    elements: str
  wait_timeout_seconds:
    description: For how many seconds a change of the capacity providers is waited for.
    type: int
    default: 300
  state:
    description: Whether the cluster is there. AWS removes only a cluster without services and tasks.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: There is a cluster
  pulsegrid.aws.ecs_cluster:
    name: pulsegrid-production
"""

RETURN = r"""
cluster:
  description: The cluster as ECS describes it; empty when it is absent.
  returned: success
  type: dict
  sample:
    cluster_name: pulsegrid-production
    cluster_arn: arn:aws:ecs:us-east-1:123456789012:cluster/pulsegrid-production
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import TAG_OPTIONS, Resource, differs

PROVIDERS = ["FARGATE", "FARGATE_SPOT"]


class Cluster(Resource):
    service = "ecs"
    kind = "ECS cluster"
    result = "cluster"
    retry_codes = (
        "UpdateInProgressException",  # of its capacity providers
        "ResourceInUseException",
        "ClusterContainsTasksException",  # that are being stopped
        "ClusterContainsServicesException",  # that are being drained
    )

    def describe(self) -> dict[str, Any] | None:
        found = self.call("describe_clusters", clusters=[self.name], include=["SETTINGS", "TAGS", "ATTACHMENTS"])
        cluster = next((cluster for cluster in found["clusters"] if cluster["status"] != "INACTIVE"), None)
        if cluster is None:
            return None
        return {
            **cluster,
            "capacityProviders": sorted(cluster.get("capacityProviders", [])),
            "settings": {setting["name"]: setting["value"] for setting in cluster.get("settings", [])},
            "Tags": {tag["key"]: tag["value"] for tag in cluster.pop("tags", [])},
        }

    def run(self) -> None:
        if self.params["state"] == "absent" and self.params["only_services"] is not None:
            current = self.describe()
            if current and self.services() - set(self.params["only_services"]):
                self.exit(False, None, None, current)
        super().run()

    def services(self) -> set[str]:
        """Names of the cluster's services, those that are being removed among them."""
        arns: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.call("list_services", cluster=self.name, maxResults=100, **token)
            arns += page["serviceArns"]
            if not page.get("nextToken"):
                break
            token = {"nextToken": page["nextToken"]}
        found: list[dict[str, Any]] = []
        for start in range(0, len(arns), 10):
            found += self.call("describe_services", cluster=self.name, services=arns[start : start + 10])["services"]
        return {service["serviceName"] for service in found if service["status"] != "INACTIVE"}

    def wanted(self, current: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "clusterName": self.name,
            "capacityProviders": PROVIDERS,
            "settings": {"containerInsights": self.params["container_insights"]},
            "Tags": self.wanted_tags(current),
        }

    @staticmethod
    def settings(wanted: dict[str, Any]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in wanted["settings"].items()]

    def create(self, wanted: dict[str, Any]) -> None:
        tags = [{"key": key, "value": value} for key, value in (wanted.get("Tags") or {}).items()]
        self.call("create_cluster", clusterName=self.name, capacityProviders=PROVIDERS, settings=self.settings(wanted), tags=tags)
        self.wait_until(self.is_active, "active", self.params["wait_timeout_seconds"], interval=1)

    def update(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        if differs(current["settings"], wanted["settings"]):
            self.call("update_cluster", cluster=self.name, settings=self.settings(wanted))
        if current["capacityProviders"] != PROVIDERS:
            strategy = current.get("defaultCapacityProviderStrategy", [])
            self.call("put_cluster_capacity_providers", cluster=self.name, capacityProviders=PROVIDERS, defaultCapacityProviderStrategy=strategy)
            self.wait_until(self.is_active, "active", self.params["wait_timeout_seconds"], interval=1)
        to_set, to_remove = self.tag_changes(current, wanted)
        if to_set:
            self.call("tag_resource", resourceArn=current["clusterArn"], tags=[{"key": key, "value": value} for key, value in to_set.items()])
        if to_remove:
            self.call("untag_resource", resourceArn=current["clusterArn"], tagKeys=to_remove)

    def is_active(self) -> bool:
        cluster = self.describe() or {}
        return cluster.get("status") == "ACTIVE" and cluster.get("attachmentsStatus") != "UPDATE_IN_PROGRESS"

    def delete(self, current: dict[str, Any]) -> None:
        self.call("delete_cluster", cluster=self.name)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "container_insights": {"choices": ["disabled", "enabled", "enhanced"], "default": "enabled"},
            "only_services": {"type": "list", "elements": "str"},
            "wait_timeout_seconds": {"type": "int", "default": 300},
            "state": {"choices": ["present", "absent"], "default": "present"},
            **TAG_OPTIONS,
        },
        supports_check_mode=True,
    )
    Cluster(module).run()


if __name__ == "__main__":
    main()
