#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_releases_info
version_added: 0.2.0
short_description: List the releases of a web site in an S3 bucket
description:
  - Answers with the releases that M(pulsegrid.aws.s3_publish) published and can put back, from the manifest that it keeps in the bucket. One request.
options:
  bucket:
    description: Name of the bucket. One that is not there has no releases.
    type: str
    required: true
  manifest_key:
    description: Key of the manifest.
    type: str
    required: true
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
- name: The site's releases are known
  pulsegrid.aws.s3_releases_info:
    bucket: shop-site-123456789012
    manifest_key: manifest.json
  register: there

- name: This is what there is
  ansible.builtin.debug:
    msg: "{{ there.lines }}"
"""

RETURN = r"""
releases:
  description: The releases, what was served last first.
  returned: success
  type: list
  elements: dict
  contains:
    state:
      description:
        - V(serving) is the one that is served; while it is being published or put back, or after that was interrupted, the one before.
        - V(published) can be put back. So can V(withdrawn), which was rolled back from and is not C(previous) for a rollback.
      type: str
      sample: serving
    id:
      description: Comes from the paths, contents and headers of its files.
      type: str
      sample: 2023df0cce8c
    name:
      description: Its name.
      type: str
      sample: 3f2a9c1
    commit:
      description: The commit it was built from; empty where that is not known.
      type: str
      sample: 3f2a9c1d04e2
    by:
      description: Who published it; empty where that is not known.
      type: str
      sample: alice
    at:
      description: When it was published first.
      type: str
      sample: '2026-11-25T12:00:00Z'
lines:
  description: The releases as a table for people, a line each.
  returned: success
  type: list
  elements: str
  sample: ["serving  3f2a9c1  2026-11-25 12:00  alice  3f2a9c1d04e2"]
"""

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils import s3_manifest, table
from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_bucket import Bucket

COLUMNS = ("state", "release", "published", "by", "commit")


def releases(module: AnsibleAWSModule) -> list[dict[str, Any]]:
    bucket, key = module.params["bucket"], module.params["manifest_key"]
    try:
        manifest = s3_manifest.fetch(Bucket(module, bucket), key)
    except s3_manifest.Unreadable as error:
        module.fail_json(msg=f"the manifest {key} in the bucket {bucket} is not readable: {error}")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        if getattr(error, "response", {}).get("Error", {}).get("Code") == "NoSuchBucket":
            return []
        module.fail_json_aws(error, msg=f"Could not read the manifest {key} in the bucket {bucket}")
    found = manifest.releases if manifest else []
    return [
        {
            "state": "serving" if number == 0 else "withdrawn" if release["withdrawn"] else "published",
            **{name: release[name] for name in ("id", "name", "commit", "by", "at")},
        }
        for number, release in enumerate(found)
    ]


def row(release: dict[str, Any]) -> tuple[str, ...]:
    return release["state"], release["name"], release["at"][:16].replace("T", " "), release["by"] or "-", release["commit"] or "-"


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"bucket": {"required": True}, "manifest_key": {"required": True, "no_log": False}},
        supports_check_mode=True,
    )
    found = releases(module)
    module.exit_json(changed=False, releases=found, lines=table.lines(COLUMNS, [row(release) for release in found]))


if __name__ == "__main__":
    main()
