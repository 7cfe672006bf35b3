#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_publish
version_added: 0.1.0
short_description: Publish a directory as a web site in an S3 bucket, or put a release of it back
description:
  - Uploads what differs from what is published, with the right headers and in the right order, and invalidates what CloudFront may have cached.
  - M(community.aws.s3_sync) sends one request after the other and one C(HEAD) for each file, has one cache header for all files, no charset and no order,
    compares ETags that are no checksum once an object is encrypted with a KMS key, and is skipped in check mode.
  - New files go first, then those that replace others, then HTML, and C(index.html) of the root last. At no moment does a page that is served refer to a file
    that is not there yet. A file whose name does not change with its content is of the new release a moment before the page is; where that matters, let its
    name change.
  - What is published is known from one listing of the bucket and from a manifest in the bucket (O(manifest_key)), which holds for every object the digest of
    the content and headers that were uploaded and the ETag that S3 gave the object. An object is unchanged when its ETag is still that one and
    the digest is that of the local file. So encryption, multipart uploads and clocks do not matter, a changed header is a change, and an object that
    somebody overwrote is put right. The manifest is written last. A run that was interrupted is completed by the next, be it of another release.
  - Each version of the manifest is a release. The files of the last O(releases) releases stay, as pages that are open in browsers still ask for them. Files
    that only older ones had are deleted. Nothing else in the bucket ever is.
  - O(restore) puts a release back without its directory, by copies from the versions that the bucket keeps. It checks that all of them are there before it
    changes anything.
options:
  src:
    description: The directory to publish. It must contain at least one file, and none of more than 5 GiB. One of O(src) and O(restore) is required.
    type: path
  restore:
    description:
      - The release to put back, by its name or id; V(previous) for the one that was served before, leaving out those that were rolled back from. After a
        publication that was interrupted V(previous) is the release before it, after a rollback that was interrupted it is that rollback's.
      - The bucket must have versions, and keep them.
    type: str
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
  release:
    description: What is published. A release whose files are those that are published already is no change.
    type: dict
    default: {}
    suboptions:
      name:
        description: By what name it can be put back. By default its id, which comes from the content.
        type: str
        default: ""
      commit:
        description: The commit it was built from.
        type: str
        default: ""
      by:
        description: Who publishes it.
        type: str
        default: ""
  releases:
    description: Of how many releases the files stay and can be put back, from 1 to 25. The current one is one of them.
    type: int
    default: 5
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
  distribution_id:
    description:
      - Id of the CloudFront distribution in which the changed paths are invalidated.
      - An invalidation that fails is a warning, as the files are published; the next run repeats it.
    type: str
  max_invalidation_paths:
    description:
      - When there are more changed paths, those of a directory become one path with a wildcard, with as few wildcards as it takes. Files in the root stay
        single paths. CloudFront charges for each path beyond 1,000 a month and takes 3,000 at a time.
    type: int
    default: 100
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
    default: 64
attributes:
  check_mode:
    description: Predicts the change and changes nothing. A bucket that is not there yet is an empty one.
  diff_mode:
    description: Lists uploads, deletions and invalidated paths.
notes:
  - Where the credentials are options or environment variables, as in a pipeline, and nothing else says how to reach AWS (no profile, no configuration file of
    the AWS CLI, no proxy, no O(aws_config), no C(AWS_*) variable of another kind), files are published without boto3, which takes longer to import than a small
    change to publish. Everything else, and what S3 does not simply accept, goes by boto3, with the same result.
  - On Linux the files are read by as many processes as there are processors, at most 8.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - pulsegrid.aws.attributes.action_group
  - pulsegrid.aws.attributes
  - pulsegrid.aws.lock
  - pulsegrid.aws.progress
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
    release: {name: 3f2a9c1, by: deployer}

- name: The site is the one before
  pulsegrid.aws.s3_publish:
    restore: previous
    bucket: "{{ static_site_outputs.bucket_name }}"
    prefix: site
    manifest_key: manifest.json
    distribution_id: "{{ static_site_outputs.distribution_id }}"
"""

RETURN = r"""
release:
  description: What is served now.
  returned: success
  type: dict
  contains:
    id:
      description: Comes from the paths, contents and headers of its files.
      type: str
    name:
      description: Its name.
      type: str
    commit:
      description: The commit it was built from.
      type: str
    by:
      description: Who published it.
      type: str
    at:
      description: When it was published first.
      type: str
    index_sha256:
      description: SHA-256 of C(index.html) of the root; empty where there is none.
      type: str
    withdrawn:
      description: Whether it was rolled back from.
      type: bool
  sample: {"id": "2023df0cce8c", "name": "3f2a9c1", "commit": "", "by": "deployer", "at": "2026-11-25T12:00:00Z", "index_sha256": "", "withdrawn": false}
uploaded:
  description: Keys of the first 1,000 objects that were uploaded or put back.
  returned: success
  type: list
  elements: str
  sample: [site/assets/index-4f1c2a.js, site/index.html]
uploaded_count:
  description: How many that are.
  returned: success
  type: int
  sample: 2
unchanged:
  description: How many files were published already.
  returned: success
  type: int
  sample: 41
deleted:
  description: Keys of the first 1,000 objects that were deleted.
  returned: success
  type: list
  elements: str
  sample: []
deleted_count:
  description: How many that are.
  returned: success
  type: int
  sample: 0
changed_paths:
  description:
    - Paths that were served before and answer otherwise now, as they are invalidated (see O(max_invalidation_paths)). A changed C(index.html) also stands for
      its directory.
  returned: success
  type: list
  elements: str
  sample: [/, /index.html]
bytes:
  description: How much was uploaded or put back, in bytes.
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
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache, cached_property
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from ansible_collections.pulsegrid.aws.plugins.module_utils import s3_manifest
from ansible_collections.pulsegrid.aws.plugins.module_utils.ahead import Ahead
from ansible_collections.pulsegrid.aws.plugins.module_utils.deploy_lock import LOCK_OPTIONS, DeployLock
from ansible_collections.pulsegrid.aws.plugins.module_utils.lazy_aws_module import LazyAWSModule, errors
from ansible_collections.pulsegrid.aws.plugins.module_utils.processes import Shared
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import PROGRESS_OPTIONS, Progress
from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_bucket import Bucket, Page
from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_manifest import Entry, Manifest
from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_transfer import Uploader

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
DIGEST_BYTES = 16
ROOT = "index.html"
QUOTE = '"'
PREVIOUS = "previous"
MOST_BYTES = 5 << 30  # what S3 takes in one PutObject or CopyObject
DELETED_AT_ONCE = 500  # S3 deletes 1000 in one request, and of each of ours a version besides
MOST_WILDCARDS = 15  # CloudFront's quota of wildcards that are being invalidated
LISTED = 1000  # how many names a result has of each kind
SAY_EVERY_SECONDS = 3


@dataclass(slots=True)
class File:
    """A file of the release that is to be served; there may be 100,000 of them."""

    path: str
    size: int
    digest: bytes = b""
    source: str = ""  # the version that is copied, where a release is put back
    stored: str = ""  # ETag and version, where the object is this file
    used_by: int = 0
    found: bool = False  # whether there is an object
    known: bool = False  # whether the manifest has it

    @property
    def entry(self) -> Entry:
        etag, _space, version = self.stored.partition(" ")
        return Entry(self.digest.hex(), etag, version, self.used_by)


@dataclass
class Plan:
    files: list[File]
    releases: list[dict[str, Any]]
    before: Manifest
    changed: bool = False
    transfers: list[File] = field(default_factory=list)
    kept: list[tuple[str, Entry]] = field(default_factory=list)
    deletions: list[tuple[str, Entry]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    begins: bool = False  # whether what is begun is noted first


def content_type(name: str) -> str:
    return content_type_of(os.path.splitext(name)[1].lower())


@cache
def content_type_of(extension: str) -> str:
    found = CONTENT_TYPES.get(extension)
    if not found:
        import mimetypes

        found = mimetypes.MimeTypes().guess_type("x" + extension)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def stored(etag: str, version_id: str | None) -> str:
    return f"{etag.strip(QUOTE)} {s3_manifest.known_version(version_id)}"


def is_html(path: str) -> bool:
    return path.lower().endswith((".html", ".htm"))


def served_paths(relative: str) -> list[str]:
    """The URL paths, percent-encoded as CloudFront wants them, at which a file answers."""
    path = "/" + quote(relative)
    return [path[: -len(ROOT)], path] if relative == ROOT or relative.endswith("/" + ROOT) else [path]


def directories(path: str) -> Iterator[str]:
    """All but the root, the deepest first."""
    end = path.rfind("/")
    while end > 0:
        yield path[: end + 1]
        end = path.rfind("/", 0, end)


def collapsed(paths: list[str], most: int) -> list[str]:
    """At most so many paths, with as few wildcards as that takes, and of these the narrowest. The root is never a wildcard: its own files stay as they are."""
    wildcards: list[str] = []
    left = sorted(paths)
    while len(left) + len(wildcards) > most and len(wildcards) < MOST_WILDCARDS:
        counts = Counter(directory for path in left for directory in directories(path))
        if not counts:
            break
        enough = [directory for directory in counts if len(left) - counts[directory] + len(wildcards) + 1 <= most]
        # One that is enough covers as little as possible, else one covers as much as possible; the deeper of two that cover the same.
        chosen = min(enough, key=lambda it: (counts[it], -len(it))) if enough else max(counts, key=lambda it: (counts[it], len(it)))
        left = [path for path in left if not path.startswith(chosen)]
        wildcards = [it for it in wildcards if not it.startswith(chosen)] + [chosen + "*"]
    return sorted(left + wildcards)


def megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


Listing = Iterator[tuple[str, str, int]]  # path, ETag and size of each object
Asked = tuple[Ahead[Manifest | None], Listing]


class Meter:
    """Says every few seconds how far the transfers are."""

    def __init__(self, module: LazyAWSModule, doing: str, files: int, size: int) -> None:
        self.progress = Progress(module)
        self.doing, self.files, self.size = doing, files, size
        self.files_done = self.size_done = 0
        self.began = self.said = time.monotonic()

    def count(self, size: int) -> None:
        self.files_done += 1
        self.size_done += size
        now = time.monotonic()
        if now - self.said >= SAY_EVERY_SECONDS or (self.files_done == self.files and self.files > 1):
            self.said = now
            rate = self.size_done / max(now - self.began, 0.001)
            of = f", {megabytes(self.size_done)} of {megabytes(self.size)}, {megabytes(rate)}/s" if self.size else ""
            self.progress.say(f"{self.doing} {self.files_done} of {self.files} files{of}")


class Publisher:
    def __init__(self, module: LazyAWSModule) -> None:
        self.module = module
        self.params = module.params
        for name, least, most in (("releases", 1, 25), ("concurrency", 1, 256), ("max_invalidation_paths", 1, 3000), ("wait_timeout_seconds", 1, 86400)):
            if not least <= self.params[name] <= most:
                module.fail_json(msg=f"{name} is {self.params[name]}: allowed are {least} to {most}")
        self.bucket = self.params["bucket"]
        self.manifest_key = self.params["manifest_key"]
        self.prefix = self.params["prefix"].rstrip("/") + "/" if self.params["prefix"].strip("/") else ""
        self.index_sha256 = ""
        self.objects = Bucket(module, self.bucket, self.params["concurrency"])
        self.asked: Asked | None = None

    # The local side

    def local_files(self) -> list[File]:
        src = self.params["src"]
        if not os.path.isdir(src):
            self.module.fail_json(msg=f"src is '{src}': that is no directory")
        found = []
        for directory, _subs, names in os.walk(src):
            inside = "" if directory == src else os.path.relpath(directory, src).replace(os.sep, "/") + "/"
            found += [inside + name for name in names]
        if not found:
            self.module.fail_json(msg=f"src is '{src}': there is no file in it, and an empty site is not published")
        files = [self._local_file(path) for path in sorted(found)]
        digests = Shared(len(files), DIGEST_BYTES, lambda number: self._digest(files[number].path))
        if self.module.check_mode or not self.params["lock"]:
            self.asked = self.ask()  # while the files are read
        for file, digest in zip(files, digests.results(), strict=True):
            file.digest = digest
        return files

    def _local_file(self, path: str) -> File:
        try:
            key = self.prefix + path.encode().decode()
        except UnicodeEncodeError:
            self.module.fail_json(msg=f"src has a file {path!r}: a name must be UTF-8, as it is a part of an address")
        size = os.path.getsize(self._full(path))
        if size > MOST_BYTES:
            self.module.fail_json(msg=f"src has a file {path} of {size} bytes: allowed are {MOST_BYTES} (5 GiB), what S3 takes at once")
        if key == self.manifest_key:
            self.module.fail_json(msg=f"manifest_key is '{key}': src has a file of that key")
        if path == ROOT:
            with open(self._full(path), "rb") as content:
                self.index_sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        return File(path, size)

    def _digest(self, path: str) -> bytes:
        """Of the headers and the content, in bounded memory."""
        total = hashlib.sha256(f"{content_type(path)}\n{self.cache_control(path)}\n".encode())
        with open(self._full(path), "rb", buffering=0) as content:
            while chunk := content.read(1 << 20):
                total.update(chunk)
        return total.digest()[:DIGEST_BYTES]

    def _full(self, path: str) -> str:
        return os.path.join(self.params["src"], path)

    def immutable(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.params["immutable_patterns"])

    def cache_control(self, path: str) -> str:
        kind = "immutable" if self.immutable(path) else "html" if is_html(path) else "other"
        return self.params["cache_control"][kind]

    # What there is

    def manifest(self, version: str = "") -> Manifest | None:
        """Empty where nothing was published or nobody can read it: then everything is uploaded."""
        try:
            return s3_manifest.fetch(self.objects, self.manifest_key, version)
        except s3_manifest.Unreadable as error:
            if not version:
                self.module.warn(f"the manifest {self.manifest_key} is not readable ({error}): every file is uploaded, and there is no release to return to")
            return None

    def ask(self) -> Asked:
        """For the manifest and the listing at once."""
        return Ahead(self.manifest), self.listing()

    def listing(self) -> Listing:
        """In order"""
        return self._items(self.objects.pages(self.prefix))

    def _items(self, pages: Iterator[Page]) -> Listing:
        last = ""
        for page in pages:
            for key, etag, size in page.items:
                path = key[len(self.prefix) :]
                if path < last:
                    self.module.fail_json(msg=f"the bucket {self.bucket} lists its objects in no order ({last}, then {path}); is it a directory bucket?")
                last = path
                if key != self.manifest_key:
                    yield path, etag, size

    # What is to be done

    def release_of(self, manifest: Manifest, files: list[File]) -> dict[str, Any]:
        content = hashlib.sha256()
        for file in files:
            content.update(file.path.encode() + b"\0" + file.digest)
        identity = content.hexdigest()[:12]
        given = self.params["release"] or {}
        return {
            "id": identity,
            "number": 1 + max((release["number"] for release in manifest.releases), default=0),
            "name": given.get("name") or identity,
            "commit": given.get("commit") or "",
            "by": given.get("by") or "",
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "index_sha256": self.index_sha256,
            "withdrawn": False,
            "manifest": "",
        }

    def plan_publication(self, files: list[File]) -> Plan:
        manifest = Manifest()
        (asked, listing), self.asked = self.asked or self.ask(), None
        try:
            manifest = asked.result() or manifest
            return self.compare(files, manifest, self.with_new(manifest, self.release_of(manifest, files)), listing)
        except errors.ClientError as error:
            if self.module.check_mode and error.response["Error"]["Code"] == "NoSuchBucket":
                return self.compare(files, manifest, self.with_new(manifest, self.release_of(manifest, files)), iter(()))
            raise

    def with_new(self, manifest: Manifest, new: dict[str, Any]) -> list[dict[str, Any]]:
        """The releases when this one is served."""
        if manifest.releases and manifest.releases[0]["id"] == new["id"]:
            return manifest.releases[: self.params["releases"]]
        return [new, *(release for release in manifest.releases if release["id"] != new["id"])][: self.params["releases"]]

    def compare(self, files: list[File], manifest: Manifest, releases: list[dict[str, Any]], listing: Listing) -> Plan:
        """Files, manifest and listing are sorted by path: one pass over all three."""
        plan = Plan(files, releases, manifest)
        place = {release["id"]: number for number, release in enumerate(releases)}
        bits = [1 << place[release["id"]] if release["id"] in place else 0 for release in manifest.releases]
        masks: dict[int, int] = {}

        def moved(mask: int) -> int:
            if mask not in masks:
                masks[mask] = sum(bit for number, bit in enumerate(bits) if mask >> number & 1)
            return masks[mask]

        sides = merge(
            ((file.path, 0, file) for file in files),
            ((path, 1, entry) for path, entry in manifest.entries()),
            ((path, 2, (etag, size)) for path, etag, size in listing),
            key=itemgetter(0, 1),
        )
        for path, group in groupby(sides, key=itemgetter(0)):
            found = {side: it for _path, side, it in group}
            file, entry, item = found.get(0), found.get(1), found.get(2)
            used_by = moved(entry.used_by) if entry else 0
            if file:
                file.used_by, file.found, file.known = used_by | 1, item is not None, entry is not None
                file.stored = ""
                if entry and item and entry.digest == file.digest.hex() and entry.etag == item[0] and entry.begun_size is None:
                    file.stored = f"{entry.etag} {entry.version}"
                else:
                    plan.transfers.append(file)
                    if item and ((entry and entry.digest) or not self.immutable(path)):
                        plan.replaced.append(path)
                    plan.begins = plan.begins or (not self.immutable(path) and not (entry and entry.used_by & 1))
            elif entry and used_by:
                if item:
                    entry.used_by = used_by
                    plan.kept.append((path, entry))
            elif entry:
                ours = item is not None and (item[0] == entry.etag or item[1] == entry.begun_size)
                if ours:
                    plan.deletions.append((path, entry))
                if (ours or item is None) and not self.immutable(path):
                    plan.replaced.append(path)
        plan.transfers.sort(key=self.turn)
        plan.paths = collapsed(
            sorted({url for path in plan.replaced for url in served_paths(path)} | set(manifest.invalidate)), self.params["max_invalidation_paths"]
        )
        moves = [release["id"] for release in releases] != [release["id"] for release in manifest.releases]
        plan.changed = bool(plan.transfers or plan.deletions or moves or manifest.restoring or (manifest.invalidate and self.params["distribution_id"]))
        return plan

    @staticmethod
    def turn(file: File) -> int:
        """When it is its turn: what no page refers to yet, what pages of both releases refer to, pages, and the page of the root."""
        if file.path == ROOT:
            return 4
        if is_html(file.path):
            return 3 if file.found else 2
        return 1 if file.found else 0

    # A release that is put back

    def plan_restoration(self) -> Plan:
        manifest = self.manifest()
        if manifest is None or not manifest.releases:
            self.module.fail_json(msg=f"there is no release to return to: the bucket {self.bucket} has no manifest {self.manifest_key} of a publication")
        target = self.target(manifest)
        files = self.files_of(manifest, target)
        releases = [{**release} for release in manifest.releases]
        current = manifest.releases[0]
        if target["id"] != current["id"]:
            releases = [{**target, "withdrawn": False}, *(release for release in releases if release["id"] != target["id"])]
            releases[1]["withdrawn"] = target["number"] < current["number"]
        plan = self.compare(files, manifest, releases, self.listing())
        plan.begins = True
        self.require_sources(target, plan.transfers)
        return plan

    def target(self, manifest: Manifest) -> dict[str, Any]:
        wanted = self.params["restore"]
        if wanted == PREVIOUS:
            if manifest.restoring:
                wanted = manifest.restoring
            elif not self.intact(manifest):
                return manifest.releases[0]
            elif found := s3_manifest.previous(manifest.releases):
                return found
            else:
                self.module.fail_json(msg=f"there is no release before {manifest.releases[0]['name']} to return to: {self.listed(manifest)}")
        for release in manifest.releases:
            if wanted in (release["name"], release["id"]):
                return release
        self.module.fail_json(msg=f"restore is '{wanted}': there is no such release to return to: {self.listed(manifest)}")

    def intact(self, manifest: Manifest) -> bool:
        """Whether what is served is the manifest's release; it is not after a publication that was interrupted."""
        served = {path: etag for path, etag, _size in self.listing()}
        return all(served.get(path) == entry.etag for path, entry in manifest.entries() if entry.used_by & 1)

    @staticmethod
    def listed(manifest: Manifest) -> str:
        return "the bucket has " + ", ".join(f"{release['name']} ({release['at']})" for release in manifest.releases)

    def files_of(self, manifest: Manifest, target: dict[str, Any]) -> list[File]:
        if target is manifest.releases[0]:
            found: Manifest | None = manifest
        else:
            if not target["manifest"]:
                self.module.fail_json(msg=f"release {target['name']} cannot be put back: the bucket {self.bucket} keeps no versions of its objects")
            found = self.manifest(target["manifest"])
            if found is None:
                self.module.fail_json(msg=f"release {target['name']} cannot be put back: the version {target['manifest']} of {self.manifest_key} is gone")
        return [File(path, 0, bytes.fromhex(entry.digest), entry.version) for path, entry in found.entries() if entry.used_by & 1]

    def require_sources(self, target: dict[str, Any], files: list[File]) -> None:
        """Before anything is changed"""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.params["concurrency"]) as pool:
            gone = [file.path for file, there in zip(files, pool.map(self._has_source, files), strict=True) if not there]
        if gone:
            why = "its version has expired" if any(file.source for file in files) else f"the bucket {self.bucket} keeps no versions of its objects"
            self.module.fail_json(
                msg=f"release {target['name']} cannot be put back: {len(gone)} of its files are gone ({', '.join(gone[:5])}): {why}. Nothing was changed.",
                missing=gone[:LISTED],
            )

    def _has_source(self, file: File) -> bool:
        if not file.source:
            return False
        key = self.prefix + file.path
        try:
            there = self.objects.by_boto3(lambda client: client.head_object(Bucket=self.bucket, Key=key, VersionId=file.source))
        except errors.ClientError as error:
            # A HEAD has no body, so no code but the status; 400 is a version id that this bucket never gave.
            if error.response["Error"]["Code"] in ("404", "400", "NoSuchVersion"):
                return False
            raise
        file.size = there["ContentLength"]
        return True

    # The changes

    def apply(self, plan: Plan) -> str | None:
        """The id of the invalidation; None where there is none."""
        if plan.begins:
            self.note_beginning(plan)
        if self.params["src"]:
            self.upload(plan.transfers)
        else:
            self.copy(plan.transfers)
        for start in range(0, len(plan.deletions), DELETED_AT_ONCE):
            self._delete(plan.deletions[start : start + DELETED_AT_ONCE])
        invalidation_id = self.invalidate(plan.paths) if plan.paths and self.params["distribution_id"] else None
        outstanding = plan.paths if self.params["distribution_id"] and not invalidation_id else []
        entries = merge(((file.path, file.entry) for file in plan.files), plan.kept, key=itemgetter(0))
        s3_manifest.store(self.objects, self.manifest_key, Manifest(plan.releases, outstanding), entries)
        return invalidation_id

    def note_beginning(self, plan: Plan) -> None:
        """Files that the release served so far does not have, and which release is put back, are in the manifest before they are in the bucket: the next run,
        which may be of another release, knows what an interrupted one left."""
        restoring = "" if self.params["src"] else plan.releases[0]["id"]
        begun = {file.path: file for file in plan.transfers if file.known or not file.found}

        def entries() -> Iterator[tuple[str, Entry]]:
            new = ((path, Entry("", "", "", 0)) for path in sorted(path for path, file in begun.items() if not file.known))
            for path, entry in merge(plan.before.entries(), new, key=itemgetter(0)):
                if path in begun and not entry.used_by & 1:
                    entry.begun_size = begun[path].size
                yield path, entry

        s3_manifest.store(self.objects, self.manifest_key, Manifest(plan.before.releases, plan.before.invalidate, restoring), entries())

    def upload(self, files: list[File]) -> None:
        uploader = Uploader(self.objects, self.params["concurrency"])
        meter = Meter(self.module, "uploaded", len(files), sum(file.size for file in files))
        by_path = {file.path: file for file in files}

        def done(key: str, etag: str, version_id: str, size: int) -> None:
            by_path[key[len(self.prefix) :]].stored = stored(etag, version_id)
            meter.count(size)

        for _turn, some in groupby(files, key=self.turn):
            uploader.upload(((self._full(file.path), self.prefix + file.path, self._headers(file.path)) for file in some), done)

    def _headers(self, path: str) -> dict[str, Any]:
        return {"ContentType": content_type(path), "CacheControl": self.cache_control(path)}

    def copy(self, files: list[File]) -> None:
        meter = Meter(self.module, "put back", len(files), sum(file.size for file in files))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.params["concurrency"]) as pool:
            for _turn, some in groupby(files, key=self.turn):
                for size in pool.map(self._copy, list(some)):
                    meter.count(size)

    def _copy(self, file: File) -> int:
        key = self.prefix + file.path
        source = {"Bucket": self.bucket, "Key": key, "VersionId": file.source}
        answer = self.objects.by_boto3(lambda client: client.copy_object(Bucket=self.bucket, Key=key, CopySource=source, MetadataDirective="COPY"))
        file.stored = stored(answer["CopyObjectResult"]["ETag"], answer.get("VersionId"))
        return file.size

    def _delete(self, files: list[tuple[str, Entry]]) -> None:
        """A marker, so that no older version comes to light, and the version itself for good: what the lifecycle keeps of old versions is for files that are
        still served."""
        objects = [{"Key": self.prefix + path} for path, _entry in files]
        objects += [{"Key": self.prefix + path, "VersionId": entry.version} for path, entry in files if entry.version]
        answer = self.objects.by_boto3(lambda client: client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}))
        if failed := answer.get("Errors"):
            self.module.fail_json(msg=f"could not delete {failed[0]['Key']}: {failed[0].get('Message', failed[0].get('Code'))}")

    # CloudFront's side

    @cached_property
    def cloudfront(self) -> Any:
        from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

        return self.module.client("cloudfront", retry_decorator=AWSRetry.jittered_backoff())

    def invalidate(self, paths: list[str]) -> str | None:
        """The invalidation's id; None where it could not be made."""
        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": str(uuid.uuid4())}
        try:
            answer = self.cloudfront.create_invalidation(aws_retry=True, DistributionId=self.params["distribution_id"], InvalidationBatch=batch)
        except (errors.ClientError, errors.BotoCoreError) as error:
            self.module.warn(f"CloudFront may answer with its cached copies until they expire, or the next run invalidates them: {error}")
            return None
        return answer["Invalidation"]["Id"]

    def wait_for(self, invalidation_id: str) -> None:
        progress = Progress(self.module)
        end = time.monotonic() + self.params["wait_timeout_seconds"]
        try:
            while True:
                answer = self.cloudfront.get_invalidation(aws_retry=True, DistributionId=self.params["distribution_id"], Id=invalidation_id)
                if answer["Invalidation"]["Status"] == "Completed":
                    return
                if time.monotonic() >= end:
                    self.module.warn(f"the invalidation {invalidation_id} is not completed after {self.params['wait_timeout_seconds']} s; it goes on")
                    return
                progress.say(f"waiting for the invalidation {invalidation_id}, {end - time.monotonic():.0f} s at most")
                time.sleep(5)
        except (errors.ClientError, errors.BotoCoreError) as error:
            self.module.warn(f"could not follow the invalidation {invalidation_id}: {error}")

    # All of it

    def run(self) -> None:
        src = self.params["src"]
        files = self.local_files() if src else []
        try:
            result = self.publish(lambda: self.plan_publication(files) if src else self.plan_restoration(), files)
        except s3_manifest.Unreadable as error:
            self.module.fail_json(msg=f"the manifest {self.manifest_key} in the bucket {self.bucket} is not readable: {error}")
        except (errors.ClientError, errors.BotoCoreError) as error:
            self.module.fail_json_aws(error, msg=f"could not publish {src} to the bucket {self.bucket}" if src else "could not put a release back")
        self.module.exit_json(**result)

    def publish(self, plan_now: Callable[[], Plan], files: list[File]) -> dict[str, Any]:
        plan = None if self.certain(files) else plan_now()
        invalidation_id = None
        if plan is None or plan.changed:
            with DeployLock(self.module) as lock:
                if plan is None or lock.held:
                    plan = plan_now()  # what was read before may have changed meanwhile
                if plan.changed and not self.module.check_mode:
                    invalidation_id = self.apply(plan)
        if invalidation_id and self.params["wait"]:
            self.wait_for(invalidation_id)
        return {**self.result(plan), **({"invalidation_id": invalidation_id} if invalidation_id else {})}

    def certain(self, files: list[File]) -> bool:
        """Whether the manifest alone says that there is something to do, so that the bucket is listed once, under the lock."""
        if not files or self.module.check_mode or not self.params["lock"]:
            return False
        manifest = self.manifest()
        return manifest is None or not manifest.releases or manifest.releases[0]["id"] != self.release_of(manifest, files)["id"]

    def result(self, plan: Plan) -> dict[str, Any]:
        paths = plan.paths if plan.changed else []
        return {
            "changed": plan.changed,
            "release": s3_manifest.summary(plan.releases[0]),
            "uploaded": [self.prefix + file.path for file in plan.transfers[:LISTED]],
            "uploaded_count": len(plan.transfers),
            "unchanged": len(plan.files) - len(plan.transfers),
            "deleted": [self.prefix + path for path, _entry in plan.deletions[:LISTED]],
            "deleted_count": len(plan.deletions),
            "changed_paths": paths,
            "bytes": sum(file.size for file in plan.transfers),
            "diff": {"prepared": self.diff(plan, paths)},
        }

    def diff(self, plan: Plan, paths: list[str]) -> str:
        lines = []
        now, then = plan.before.releases[:1], plan.releases[0]
        if not now or now[0]["id"] != then["id"]:
            lines.append(f"release {now[0]['name'] if now else '(none)'} -> {then['name']}")
        for file in plan.transfers[:LISTED]:
            how = f"{file.size} bytes, {content_type(file.path)}, {self.cache_control(file.path)}" if self.params["src"] else f"version {file.source}"
            lines.append(f"{'upload' if self.params['src'] else 'put back'} {self.prefix}{file.path} ({how})")
        lines += [f"and {len(plan.transfers) - LISTED} more files"] if len(plan.transfers) > LISTED else []
        lines += [f"delete {self.prefix}{path}" for path, _entry in plan.deletions[:LISTED]]
        lines += [f"and {len(plan.deletions) - LISTED} more deletions"] if len(plan.deletions) > LISTED else []
        lines += [f"invalidate {path}" for path in paths]
        return "".join(f"{line}\n" for line in lines)


def main() -> None:
    cache_control = {
        "immutable": {"type": "str", "default": "public, max-age=31536000, immutable"},
        "html": {"type": "str", "default": "no-cache"},
        "other": {"type": "str", "default": "public, max-age=300"},
    }
    module = LazyAWSModule(
        argument_spec={
            "src": {"type": "path"},
            "restore": {"type": "str"},
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": ""},
            "manifest_key": {"type": "str", "required": True, "no_log": False},
            "release": {"type": "dict", "default": {}, "options": {key: {"type": "str", "default": ""} for key in ("name", "commit", "by")}},
            "releases": {"type": "int", "default": 5},
            "immutable_patterns": {"type": "list", "elements": "str", "default": ["assets/*"]},
            "cache_control": {"type": "dict", "default": {}, "options": cache_control},
            "distribution_id": {"type": "str"},
            "max_invalidation_paths": {"type": "int", "default": 100},
            "wait": {"type": "bool", "default": False},
            "wait_timeout_seconds": {"type": "int", "default": 300},
            "concurrency": {"type": "int", "default": 64},
            **LOCK_OPTIONS,
            **PROGRESS_OPTIONS,
        },
        mutually_exclusive=[("src", "restore")],
        required_one_of=[("src", "restore")],
        supports_check_mode=True,
    )
    Publisher(module).run()


if __name__ == "__main__":
    main()
