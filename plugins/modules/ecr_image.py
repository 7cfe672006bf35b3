#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image
version_added: 0.1.0
short_description: Find an image in ECR, or push it there
description:
  - Says whether a repository has an image of a tag and, where it has not, pushes O(source) from the Docker engine.
  - M(community.docker.docker_login) with M(community.docker.docker_image_push) would write ECR's authorization token into a file of the Docker client.
    Here the token is asked for and given to the engine within one process, so that it reaches no file, no command line and no log.
options:
  repository:
    description: Name of the ECR repository.
    type: str
    required: true
  tag:
    description: Tag of the image in the repository. An immutable tag that is there is never pushed again.
    type: str
    required: true
  source:
    description:
      - Name of the image in the Docker engine that is pushed where ECR has no image of that tag.
      - Without it nothing is pushed, and RV(image) is empty where ECR has no image of that tag.
    type: str
  registry:
    description: Host and port of the registry, where it is not the one that ECR names, as with an emulator of ECR.
    type: str
  docker_host:
    description: >-
      URL of the Docker engine. Without it C(DOCKER_HOST), or else C(unix:///var/run/docker.sock). Whether the engine is spoken to with TLS, and with which
      certificates, C(DOCKER_TLS_VERIFY) and C(DOCKER_CERT_PATH) say.
    type: str
  docker_timeout_seconds:
    description: For how long the engine may be silent while it pushes, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    description: Predicts the change and changes nothing; the digest of an image that is not pushed yet is not known.
    support: full
  diff_mode:
    description: Shows the tag that is pushed.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
requirements:
  - docker >= 7 (PyPI), where an image is pushed
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: It is known whether the release is in ECR
  pulsegrid.aws.ecr_image:
    repository: pulsegrid-production
    tag: 3f9c2b7a1d04
  register: pushed

- name: The release is in ECR
  pulsegrid.aws.ecr_image:
    repository: pulsegrid-production
    tag: 3f9c2b7a1d04
    source: pulsegrid:3f9c2b7a1d04
  register: pushed
"""

RETURN = r"""
image:
  description: The image pinned by its digest, as a task definition takes it; empty where there is none.
  returned: success
  type: str
  sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-production@sha256:7d0b...
digest:
  description: Digest of its manifest, as ECR says it.
  returned: when it is in ECR
  type: str
  sample: sha256:7d0b...
pushed_at:
  description: When it was pushed.
  returned: when it is in ECR
  type: str
  sample: '2026-11-23T21:35:57+00:00'
tag:
  description: Its tag.
  returned: success
  type: str
  sample: 3f9c2b7a1d04
repository_uri:
  description:
    - The repository as C(docker pull) takes it, with O(registry) where that is given.
    - Empty where there is no such repository, and nothing to push (no O(source), or check mode).
  returned: success
  type: str
  sample: 123456789012.dkr.ecr.us-east-1.amazonaws.com/pulsegrid-production
"""

import base64
import os
import time
from typing import Any

try:
    import docker
    import docker.errors
    import requests.exceptions

    HAS_DOCKER = True
except ImportError:
    HAS_DOCKER = False

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.pulsegrid.aws.plugins.module_utils.resource import Resource


class EcrImage(Resource):
    service = "ecr"
    kind = "Image"
    not_found = ("RepositoryNotFoundException", "ImageNotFoundException")

    @property
    def name(self) -> str:
        return f"{self.params['repository']}:{self.params['tag']}"

    def repository_uri(self) -> str:
        repository = self.params["repository"]
        found = self.find("describe_repositories", repositoryNames=[repository])
        if found is None:
            if self.params["source"] and not self.module.check_mode:
                self.module.fail_json(msg=f"Image {self.name}: there is no ECR repository {repository}.")
            return ""
        return f"{self.params['registry']}/{repository}" if self.params["registry"] else found["repositories"][0]["repositoryUri"]

    def image(self) -> dict[str, Any] | None:
        """What ECR has under the tag."""
        found = self.find("describe_images", repositoryName=self.params["repository"], imageIds=[{"imageTag": self.params["tag"]}])
        return found["imageDetails"][0] if found and found["imageDetails"] else None

    def pushed_image(self) -> dict[str, Any]:
        """A push is over before every one of ECR's servers knows of it."""
        for _attempt in range(10):
            if image := self.image():
                return image
            time.sleep(1)
        self.module.fail_json(msg=f"Image {self.name}: it was pushed, and ECR does not have it.")
        raise AssertionError("fail_json does not return")

    def credentials(self) -> dict[str, str]:
        token = self.call("get_authorization_token")["authorizationData"][0]["authorizationToken"]
        username, _colon, password = base64.b64decode(token).decode().partition(":")
        self.module.no_log_values.add(password)
        return {"username": username, "password": password}

    def docker_environment(self) -> dict[str, str]:
        """What Docker's library goes by. To it DOCKER_TLS_VERIFY=0 is a yes, as a directory of certificates is; to community.docker's modules neither is."""
        environment = dict(os.environ)
        if self.params["docker_host"]:
            environment["DOCKER_HOST"] = self.params["docker_host"]
        if not boolean(environment.get("DOCKER_TLS_VERIFY") or False, strict=False):
            for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
                environment.pop(name, None)
        return environment

    def push(self, repository_uri: str) -> None:
        if not HAS_DOCKER:
            self.module.fail_json(msg=missing_required_lib("docker"))
        credentials = self.credentials()
        source, tag, timeout = self.params["source"], self.params["tag"], self.params["docker_timeout_seconds"]
        try:
            engine = docker.from_env(timeout=timeout, environment=self.docker_environment())
            engine.images.get(source).tag(repository_uri, tag)
            for line in engine.images.push(repository_uri, tag, auth_config=credentials, stream=True, decode=True):
                # Where somebody else has pushed the same immutable tag in the meantime, ECR refuses ours, and has what is wanted.
                if "error" in line and self.image() is None:
                    self.module.fail_json(msg=f"Image {self.name}: the registry refused the push: {line['error']}")
        except docker.errors.ImageNotFound:
            self.module.fail_json(msg=f"Image {self.name}: source is '{source}', and the Docker engine has no such image.")
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            self.module.fail_json(msg=f"Image {self.name}: the Docker engine could not push {source}: {error}")

    def run(self) -> None:
        repository_uri = self.repository_uri()
        image = self.image() if repository_uri else None
        changed = image is None and self.params["source"] is not None
        if changed and not self.module.check_mode:
            self.push(repository_uri)
            image = self.pushed_image()
        result = {"digest": image["imageDigest"], "pushed_at": image["imagePushedAt"].isoformat()} if image else {}
        self.module.exit_json(
            changed=changed,
            diff={"before": {}, "after": {"image": self.name}} if changed else {},
            repository_uri=repository_uri,
            tag=self.params["tag"],
            image=f"{repository_uri}@{image['imageDigest']}" if image else "",
            **result,
        )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "repository": {"required": True},
            "tag": {"required": True},
            "source": {},
            "registry": {},
            "docker_host": {},
            "docker_timeout_seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    EcrImage(module).run()


if __name__ == "__main__":
    main()
