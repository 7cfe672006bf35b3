#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_releases_info
version_added: 0.2.0
short_description: List the releases of an ECS service, and find the one to return to
description:
  - A release is what M(pulsegrid.aws.ecs_service) wrote on the revisions of a service's task definition, as their tags, when it deployed them. There is no
    other store. A revision without such a tag, from before there were any, is named after its image's tag in ECR.
  - Several revisions may be of one release, since a changed environment variable or secret makes one too. Of these the one is listed that serves, else the
    newest that completed, else the newest.
  - Asks AWS once for each revision and three times besides.
  - M(community.aws.ecs_taskdefinition_info) describes one revision, without its tags.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  repository:
    description: Name of the ECR repository with the images. Without it, or for an image from elsewhere, it is not known whether the image is there.
    type: str
  container:
    description: Name of the container whose image is the release's. Without it the first one.
    type: str
  limit:
    description: How many revisions are looked at, the newest ones, 1 to 100. The one that serves is looked at in any case.
    type: int
    default: 20
  return_to:
    description:
      - The release that is to serve again, by its name, its commit's first digits (4 or more), or its revision such as C(shop:7). RV(selected) is it.
      - V(previous) is the one that served before the one that serves now, as it was when that was deployed; so that returning twice goes further back, and a
        release that was returned from is not returned to. Where a revision does not say what it replaced, it is the newest before it that completed.
      - The module fails, and says what there is, where there is no such release, or more than one, where it failed, or where its image is gone.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The releases are known
  pulsegrid.aws.ecs_releases_info:
    name: shop
    cluster: shop
    repository: shop
  register: there

- name: This is what there is
  ansible.builtin.debug:
    msg: "{{ there.lines }}"

- name: It is known which revision the previous release is
  pulsegrid.aws.ecs_releases_info:
    name: shop
    cluster: shop
    repository: shop
    return_to: previous
  register: back
"""

RETURN = r"""
releases:
  description: The releases, newest first.
  returned: success
  type: list
  elements: dict
  contains: &release
    release:
      description: Its name.
      type: str
      sample: 3f9c2b7a1d04
    commit:
      description: The commit that it was built from; empty where that is not known.
      type: str
      sample: 3f9c2b7a1d04
    deployed_by:
      description: Who deployed it; empty where that is not known.
      type: str
      sample: alice
    registered_at:
      description: When its revision was registered.
      type: str
      sample: '2026-11-23T21:35:57+00:00'
    state:
      description:
        - V(serving), V(completed) and V(failed) say how its deployment ended.
        - V(unfinished) is one that has not ended yet, or whose end nobody saw, as when the deploy was killed.
      type: str
      sample: completed
    revision:
      description: The revision of the task definition.
      type: str
      sample: shop:7
    task_definition_arn:
      description: The revision's ARN.
      type: str
      sample: arn:aws:ecs:us-east-1:123456789012:task-definition/shop:7
    image:
      description: The image.
      type: str
      sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:7d0b...
    digest:
      description: The image's digest; empty where it is not pinned by it.
      type: str
      sample: sha256:7d0b...
    replaces:
      description: The revision that served when it was deployed; V(nothing) for the first one, empty where that is not known.
      type: str
      sample: shop:6
    image_in_ecr:
      description: Whether ECR still has the image; null where that is not known.
      type: bool
      sample: true
serving:
  description: The release that serves; empty where there is none.
  returned: success
  type: dict
  contains: *release
selected:
  description: The release that O(return_to) names.
  returned: when O(return_to) is given
  type: dict
  contains: *release
lines:
  description: The releases as a table for people, a line each.
  returned: success
  type: list
  elements: str
  sample: ["serving    3f9c2b7a1d04  shop:7  2026-11-23 21:35  alice  sha256:7d0b..."]
"""

import re
from datetime import UTC
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import ecs_rollout as rollout
from ansible_collections.pulsegrid.aws.plugins.module_utils import table
from ansible_collections.pulsegrid.aws.plugins.module_utils import task_definition as definitions
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource, boto3_tag_list_to_ansible_dict

SERVING = "serving"
UNFINISHED = "unfinished"
PREVIOUS = "previous"
COMMIT_DIGITS = 4
IMAGE = re.compile(r"^(?P<registry>[^/]+)/(?P<repository>[^@:]+)(:(?P<tag>[^@]+))?(@(?P<digest>.+))?$")
COLUMNS = ("state", "release", "revision", "registered", "by", "commit", "image")


def number(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def serving_arn(service: dict[str, Any] | None) -> str:
    """The revision that answers: during a deployment the one before it."""
    if service is None or not service["desiredCount"]:
        return ""
    newest = rollout.primary(service)
    completed = [each for each in [newest, *service["deployments"]] if each.get("rolloutState") == "COMPLETED"]
    return (completed or [newest])[0]["taskDefinition"]


class Releases(Resource):
    service = "ecs"
    kind = "Releases of the ECS service"
    not_found = ("ClusterNotFoundException", "ServiceNotFoundException", "RepositoryNotFoundException")

    def describe(self) -> dict[str, Any] | None:
        found = self.find("describe_services", cluster=self.params["cluster"], services=[self.name])
        return next((each for each in (found or {}).get("services", []) if each["status"] != "INACTIVE"), None)

    def newest_revisions(self, family: str) -> list[str]:
        limit = self.params["limit"]
        arns: list[str] = []
        for page in definitions.pages_of_revisions(self.call, family, status="ACTIVE", sort="DESC", maxResults=100):
            arns += page
            if len(arns) >= limit:
                break
        return sorted(arns, key=number, reverse=True)[:limit]

    def images(self) -> dict[str, list[str]] | None:
        """Digest: tags, of what is in ECR; None where it is not known."""
        repository = self.params["repository"]
        if not repository:
            return None
        found: dict[str, list[str]] = {}
        token: dict[str, str] = {}
        while True:
            page = self.find("describe_images", client=self.client_for("ecr"), repositoryName=repository, maxResults=1000, **token) or {}
            found |= {each["imageDigest"]: each.get("imageTags", []) for each in page.get("imageDetails", [])}
            if not page.get("nextToken"):
                return found
            token = {"nextToken": page["nextToken"]}

    def release(self, arn: str, images: dict[str, list[str]] | None, serving: str) -> dict[str, Any] | None:
        """What the revision is; None where it has no image yet."""
        answer = self.call("describe_task_definition", taskDefinition=arn, include=["TAGS"])
        definition, tags = answer["taskDefinition"], boto3_tag_list_to_ansible_dict(answer.get("tags", []))
        if not definitions.released(definition):
            return None
        container = self.params["container"]
        image = next((each["image"] for each in definition["containerDefinitions"] if container in (None, each["name"])), "")
        parts = match.groupdict() if (match := IMAGE.match(image)) else {}
        tag, digest = parts.get("tag") or "", parts.get("digest") or ""
        in_ecr = None
        if images is not None and parts.get("repository") == self.params["repository"]:
            in_ecr = digest in images if digest else any(tag in tags_of for tags_of in images.values())
            tag = tag or next(iter(images.get(digest, [])), "")
        state = tags.get(definitions.STATE)
        return {
            "release": tags.get(definitions.RELEASE) or tag or digest[:19],
            "commit": tags.get(definitions.COMMIT, ""),
            "deployed_by": tags.get(definitions.BY, ""),
            "registered_at": definition["registeredAt"].astimezone(UTC).isoformat() if "registeredAt" in definition else "",
            "state": SERVING if arn == serving else state if state in (rollout.COMPLETED, rollout.FAILED) else UNFINISHED,
            "revision": arn.split("/")[-1],
            "task_definition_arn": arn,
            "image": image,
            "digest": digest,
            "replaces": tags.get(definitions.REPLACES, ""),
            "image_in_ecr": in_ecr,
        }

    def run(self) -> None:
        if not 1 <= self.params["limit"] <= 100:
            self.module.fail_json(msg=f"limit is {self.params['limit']}: allowed are 1 to 100 revisions.")
        service = self.describe()
        serving = serving_arn(service)
        arns = self.newest_revisions(definitions.family_of(service["taskDefinition"]) if service else self.name)
        images = self.images() if arns or serving else None
        arns += [serving] if serving and serving not in arns else []
        revisions = [found for arn in arns if (found := self.release(arn, images, serving))]
        releases = newest_of_each(revisions)
        result = {
            "releases": releases,
            "serving": next((each for each in revisions if each["state"] == SERVING), {}),
            "lines": table.lines(COLUMNS, [row(release) for release in releases]),
        }
        if self.params["return_to"]:
            chosen, problem = choose(revisions, self.params["return_to"])
            if problem:
                self.module.fail_json(
                    msg="\n".join([f"ECS service {self.name}: {problem}", "These are the releases, newest first:", *(result["lines"] or ["  none"])]), **result
                )
            result["selected"] = chosen
        self.module.exit_json(changed=False, **result)


def best(revisions: list[dict[str, Any]]) -> dict[str, Any]:
    """Of revisions of one release, newest first: the one that serves, else the newest that completed, else the newest."""
    ranks = {SERVING: 0, rollout.COMPLETED: 1}
    return min(revisions, key=lambda each: ranks.get(each["state"], 2))


def newest_of_each(revisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_release: dict[str, list[dict[str, Any]]] = {}
    for each in revisions:
        by_release.setdefault(each["release"], []).append(each)
    return sorted(map(best, by_release.values()), key=lambda each: number(each["revision"]), reverse=True)


def before(serving: dict[str, Any], revisions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What served before the release that serves."""
    by_revision = {each["revision"]: each for each in revisions}

    def may_serve(each: dict[str, Any]) -> bool:
        return each["state"] == rollout.COMPLETED and each["release"] != serving["release"]

    each = serving
    while each["replaces"] in by_revision and number(each["replaces"]) < number(each["revision"]):
        each = by_revision[each["replaces"]]
        if may_serve(each):
            return each
    if each["replaces"] == definitions.NOTHING:
        return None
    return next((older for older in revisions if number(older["revision"]) < number(each["revision"]) and may_serve(older)), None)


def choose(revisions: list[dict[str, Any]], wanted: str) -> tuple[dict[str, Any], str]:
    """The release to return to, or why there is none."""
    if wanted == PREVIOUS:
        serving = next((each for each in revisions if each["state"] == SERVING), None)
        if serving is None:
            return {}, "none of its releases serves, so there is no previous one. Name the one that is to serve."
        chosen = before(serving, revisions)
        if chosen is None:
            return {}, f"there is no release before {serving['release']} ({serving['revision']}) that completed, among the revisions that were looked at."
    else:
        found = (
            [each for each in revisions if each["revision"] == wanted]
            or [best(same) for same in [[each for each in revisions if each["release"] == wanted]] if same]
            or newest_of_each([each for each in revisions if len(wanted) >= COMMIT_DIGITS and each["commit"].startswith(wanted)])
        )
        if not found:
            return {}, f"there is no release, commit or revision '{wanted}'."
        if len(found) > 1:
            return {}, f"'{wanted}' may be any of {', '.join(each['release'] for each in found)}."
        chosen = found[0]
    if chosen["state"] == rollout.FAILED:
        return {}, f"release {chosen['release']} ({chosen['revision']}) failed when it was deployed, and is not put back."
    if chosen["image_in_ecr"] is False:
        return {}, f"the image of release {chosen['release']} ({chosen['revision']}) is not in ECR any more: {chosen['image']}."
    return chosen, ""


def row(each: dict[str, Any]) -> tuple[str, ...]:
    """A release whose image is gone is seen as such."""
    image = each["digest"][:19] or each["image"]
    gone = " (not in ECR any more)" if each["image_in_ecr"] is False else ""
    when = each["registered_at"][:16].replace("T", " ")
    return each["state"], each["release"], each["revision"], when, each["deployed_by"] or "-", each["commit"] or "-", image + gone


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "cluster": {"required": True},
            "repository": {},
            "container": {},
            "limit": {"type": "int", "default": 20},
            "return_to": {},
        },
        supports_check_mode=True,
    )
    Releases(module).run()


if __name__ == "__main__":
    main()
