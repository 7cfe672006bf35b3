#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_publish
version_added: 0.1.0
short_description: Publish a directory as a web site in an S3 bucket
description:
  - Uploads what differs from what is published, with the right headers and in the right order, and invalidates what CloudFront may have cached.
  - M(community.aws.s3_sync) sends one request after the other and one C(HEAD) for each file, has one cache header for all files, no charset and no order,
    compares ETags that are no checksum once an object is encrypted with a KMS key, and is skipped in check mode.
  - Immutable files go first, then the others, HTML last. At no moment does a page that is served refer to a file that is not there yet.
  - What is published is known from one listing of the bucket and from a manifest in the bucket (I(manifest_key)), which holds for every object the digest of
    the content and headers that were uploaded and the ETag that S3 gave the object. An object is unchanged when its ETag is still that one and
    the digest is that of the local file. So encryption, multipart uploads and clocks do not matter, a changed header is a change, and an object that
    somebody overwrote is put right. The manifest is written last. A run that was interrupted is completed by the next.
  - Objects that are not in the directory stay, as pages that are open in browsers still ask for the previous release's files. See I(purge).
options:
  src:
    description: The directory to publish. It must contain at least one file.
    type: path
    required: true
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  prefix:
    description: What the keys begin with. A slash is put after it when it does not end in one.
    type: str
    default: ""
  manifest_key:
    description: Key of the manifest, which should be outside of what is served.
    type: str
    required: true
  immutable_patterns:
    description: Shell patterns of the paths, relative to I(src), whose name changes with their content.
    type: list
    elements: str
    default: [assets/*]
  cache_control:
    description: The C(Cache-Control) header by class of file.
    type: dict
    default: {}
    suboptions:
      immutable:
        description: For files that match I(immutable_patterns).
        type: str
        default: public, max-age=31536000, immutable
      html:
        description: For HTML.
        type: str
        default: no-cache
      other:
        description: For everything else.
        type: str
        default: public, max-age=300
  purge:
    description: Whether to delete objects that this module published and that are no longer in the directory. Other objects are never deleted.
    type: bool
    default: false
  distribution_id:
    description:
      - Id of the CloudFront distribution in which the changed paths are invalidated.
      - An invalidation that fails is a warning, as the files are published; the next run publishes these files again and repeats it.
    type: str
  wait:
    description: Whether to wait until the invalidation has reached every edge location. That it has not in time is a warning.
    type: bool
    default: false
  wait_timeout_seconds:
    description: How long to wait for the invalidation, in seconds.
    type: int
    default: 300
  concurrency:
    description: How many files are uploaded at the same time.
    type: int
    default: 16
attributes:
  check_mode:
    description: Predicts the change and changes nothing. A bucket that is not there yet is an empty one.
  diff_mode:
    description: Lists uploads, deletions and invalidated paths.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The site is the one that was built
  pulsegrid.aws.s3_publish:
    src: files/frontend/dist
    bucket: "{{ static_site_outputs.bucket_name }}"
    prefix: site
    manifest_key: manifest.json
    distribution_id: "{{ static_site_outputs.distribution_id }}"
"""

RETURN = r"""
uploaded:
  description: Keys of the objects that were uploaded.
  returned: success
  type: list
  elements: str
  sample: [site/assets/index-4f1c2a.js, site/index.html]
unchanged:
  description: How many files were published already.
  returned: success
  type: int
  sample: 41
deleted:
  description: Keys of the objects that were deleted.
  returned: success
  type: list
  elements: str
  sample: []
changed_paths:
  description: Paths that were served before and answer otherwise now. A changed C(index.html) also stands for its directory.
  returned: success
  type: list
  elements: str
  sample: [/, /index.html]
bytes:
  description: How much was uploaded, in bytes.
  returned: success
  type: int
  sample: 1431655
invalidation_id:
  description: Id of the invalidation.
  returned: when paths were invalidated
  type: str
  sample: I2J0I21PCUYOIK
"""

import hashlib
import json
import mimetypes
import os
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

try:
    import botocore.config
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

# What a browser needs to be told, the same on every machine: Python's own table depends on its version and on /etc/mime.types.
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".html": "text/html",
    ".htm": "text/html",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
}
ORDER = ("immutable", "other", "html")
AT_ONCE = 1000  # how many uploads are queued, and how many objects S3 deletes in one request
MISSING = ("NoSuchBucket", "NoSuchKey")


@dataclass(frozen=True, slots=True)
class File:
    path: str
    key: str
    relative: str
    size: int
    kind: str
    content_type: str
    cache_control: str
    digest: str


def content_type(name: str) -> str:
    extension = os.path.splitext(name)[1].lower()
    found = CONTENT_TYPES.get(extension) or mimetypes.MimeTypes().guess_type("x" + extension)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def digest(path: str, *headers: str) -> str:
    """Of the headers and the content, in bounded memory."""
    total = hashlib.sha256("\n".join([*headers, ""]).encode())
    with open(path, "rb") as content:
        while chunk := content.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def served_paths(relative: str) -> list[str]:
    """The URL paths, percent-encoded as CloudFront wants them, at which a file answers."""
    path = "/" + quote(relative)
    return [path[: -len("index.html")], path] if relative == "index.html" or relative.endswith("/index.html") else [path]


class Publisher:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params = module.params
        self.prefix = self.params["prefix"].rstrip("/") + "/" if self.params["prefix"].strip("/") else ""
        self.client = module.client("s3", config=botocore.config.Config(max_pool_connections=self.params["concurrency"]))

    # The local side

    def files(self) -> list[File]:
        src = self.params["src"]
        if not os.path.isdir(src):
            self.module.fail_json(msg=f"src is '{src}': that is no directory")
        found = [self._file(src, os.path.join(directory, name)) for directory, _directories, names in os.walk(src) for name in names]
        if not found:
            self.module.fail_json(msg=f"src is '{src}': there is no file in it, and an empty site is not published")
        return sorted(found, key=lambda file: file.relative)

    def _file(self, src: str, path: str) -> File:
        relative = os.path.relpath(path, src).replace(os.sep, "/")
        mime = content_type(relative)
        kind = "other"
        if any(fnmatchcase(relative, pattern) for pattern in self.params["immutable_patterns"]):
            kind = "immutable"
        elif mime.startswith("text/html"):
            kind = "html"
        cache_control = self.params["cache_control"][kind]
        return File(path, self.prefix + relative, relative, os.path.getsize(path), kind, mime, cache_control, digest(path, mime, cache_control))

    # The bucket's side

    @AWSRetry.jittered_backoff()
    def _page(self, **marker: str) -> dict[str, Any]:
        return self.client.list_objects_v2(Bucket=self.params["bucket"], Prefix=self.prefix, **marker)

    def listing(self) -> dict[str, str]:
        """ETags by key."""
        etags: dict[str, str] = {}
        marker: dict[str, str] = {}
        while True:
            page = self._page(**marker)
            etags.update((item["Key"], item["ETag"]) for item in page.get("Contents", []))
            if not page.get("IsTruncated"):
                etags.pop(self.params["manifest_key"], None)
                return etags
            marker = {"ContinuationToken": page["NextContinuationToken"]}

    @AWSRetry.jittered_backoff()
    def _get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.params["bucket"], Key=key)["Body"].read()

    def manifest(self) -> dict[str, list[str]]:
        """Digest and ETag by key, as published; empty where nothing was published or nobody can read it: then everything is uploaded."""
        try:
            objects = json.loads(self._get(self.params["manifest_key"]))["objects"]
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            return {}
        except (ValueError, KeyError, TypeError):
            self.module.warn(f"the manifest {self.params['manifest_key']} is not readable: every file is uploaded")
            return {}
        return objects

    @AWSRetry.jittered_backoff()
    def _upload(self, file: File) -> str:
        with open(file.path, "rb") as content:
            answer = self.client.put_object(
                Bucket=self.params["bucket"], Key=file.key, Body=content, ContentType=file.content_type, CacheControl=file.cache_control
            )
        return answer["ETag"]

    def upload(self, files: list[File], published: Callable[[File, str], None]) -> None:
        """In parallel within a class of files, one class after the other."""
        with ThreadPoolExecutor(self.params["concurrency"]) as pool:
            for kind in ORDER:
                batch = [file for file in files if file.kind == kind]
                for start in range(0, len(batch), AT_ONCE):
                    some = batch[start : start + AT_ONCE]
                    for file, etag in zip(some, pool.map(self._upload, some), strict=True):
                        published(file, etag)

    @AWSRetry.jittered_backoff()
    def _delete(self, keys: list[str]) -> None:
        answer = self.client.delete_objects(Bucket=self.params["bucket"], Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
        if failed := answer.get("Errors"):
            self.module.fail_json(msg=f"could not delete {failed[0]['Key']}: {failed[0].get('Message', failed[0].get('Code'))}")

    @AWSRetry.jittered_backoff()
    def _put_manifest(self, objects: dict[str, list[str]]) -> None:
        self.client.put_object(
            Bucket=self.params["bucket"],
            Key=self.params["manifest_key"],
            Body=json.dumps({"version": 1, "objects": objects}, sort_keys=True).encode(),
            ContentType="application/json",
            CacheControl="no-store",
        )

    # CloudFront's side

    def invalidate(self, paths: list[str]) -> str | None:
        """The invalidation's id; None where it could not be made."""
        client = self.module.client("cloudfront", retry_decorator=AWSRetry.jittered_backoff())
        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": str(uuid.uuid4())}
        try:
            answer = client.create_invalidation(aws_retry=True, DistributionId=self.params["distribution_id"], InvalidationBatch=batch)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.warn(f"CloudFront may answer with its cached copies until they expire, or the next run invalidates them: {error}")
            return None
        invalidation_id = answer["Invalidation"]["Id"]
        if self.params["wait"]:
            self._wait(client, invalidation_id)
        return invalidation_id

    def _wait(self, client: Any, invalidation_id: str) -> None:
        end = time.monotonic() + self.params["wait_timeout_seconds"]
        try:
            while True:
                answer = client.get_invalidation(aws_retry=True, DistributionId=self.params["distribution_id"], Id=invalidation_id)
                if answer["Invalidation"]["Status"] == "Completed":
                    return
                if time.monotonic() >= end:
                    self.module.warn(f"the invalidation {invalidation_id} is not completed after {self.params['wait_timeout_seconds']} s; it goes on")
                    return
                time.sleep(5)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.warn(f"could not follow the invalidation {invalidation_id}: {error}")

    # All of it

    def run(self) -> None:
        files = self.files()
        try:
            self.publish(files)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            self.module.fail_json_aws(error, msg=f"could not publish {self.params['src']} to the bucket {self.params['bucket']}")

    def publish(self, files: list[File]) -> None:
        etags, manifest = self._published()
        local = {file.key for file in files}
        uploads = [file for file in files if manifest.get(file.key) != [file.digest, etags.get(file.key)]]
        deletions = sorted(key for key in manifest if key in etags and key not in local) if self.params["purge"] else []
        replaced = [file for file in uploads if file.key in etags]
        served_before = [file.relative for file in replaced] + [key.removeprefix(self.prefix) for key in deletions]
        paths = sorted({path for relative in served_before for path in served_paths(relative)})
        result: dict[str, Any] = {
            "changed": bool(uploads or deletions),
            "uploaded": [file.key for file in uploads],
            "unchanged": len(files) - len(uploads),
            "deleted": deletions,
            "changed_paths": paths,
            "bytes": sum(file.size for file in uploads),
            "diff": {"prepared": self._diff(uploads, deletions, paths)},
        }
        if self.module.check_mode or not result["changed"]:
            self.module.exit_json(**result)
        entries = {key: entry for key, entry in manifest.items() if key in etags and key not in deletions}
        self.upload(uploads, lambda file, etag: entries.update({file.key: [file.digest, etag]}))
        for start in range(0, len(deletions), AT_ONCE):
            self._delete(deletions[start : start + AT_ONCE])
        if paths and self.params["distribution_id"]:
            result["invalidation_id"] = self.invalidate(paths)
            if result["invalidation_id"] is None:
                for file in replaced:
                    del entries[file.key]
        self._put_manifest(entries)
        self.module.exit_json(**result)

    def _published(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        try:
            return self.listing(), self.manifest()
        except botocore.exceptions.ClientError as error:
            if self.module.check_mode and error.response["Error"]["Code"] == "NoSuchBucket":
                return {}, {}
            raise

    @staticmethod
    def _diff(uploads: Iterable[File], deletions: Iterable[str], paths: Iterable[str]) -> str:
        lines = [f"upload {file.key} ({file.size} bytes, {file.content_type}, {file.cache_control})" for file in uploads]
        lines += [f"delete {key}" for key in deletions] + [f"invalidate {path}" for path in paths]
        return "".join(f"{line}\n" for line in lines)


def main() -> None:
    cache_control = {
        "immutable": {"type": "str", "default": "public, max-age=31536000, immutable"},
        "html": {"type": "str", "default": "no-cache"},
        "other": {"type": "str", "default": "public, max-age=300"},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": ""},
            "manifest_key": {"type": "str", "required": True, "no_log": False},
            "immutable_patterns": {"type": "list", "elements": "str", "default": ["assets/*"]},
            "cache_control": {"type": "dict", "default": {}, "options": cache_control},
            "purge": {"type": "bool", "default": False},
            "distribution_id": {"type": "str"},
            "wait": {"type": "bool", "default": False},
            "wait_timeout_seconds": {"type": "int", "default": 300},
            "concurrency": {"type": "int", "default": 16},
        },
        supports_check_mode=True,
    )
    Publisher(module).run()


if __name__ == "__main__":
    main()
