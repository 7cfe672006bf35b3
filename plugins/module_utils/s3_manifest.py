# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The manifest of a site in S3: which releases there are, and which files each of them has.

It is one JSON document with a line for each file, in the order of S3's listing, so that it is read and written line by line whatever its size:

    {"version": 2, "releases": [...], "invalidate": [...], "restoring": "", "files": {
    "assets/index-4f1c2a.js": ["digest", "ETag", "version id", 3],
    ...
    }}

releases: what was served last comes first, and is what is served. Each has id (of the content), name, commit, by, at, index_sha256, withdrawn (whether it was
    rolled back from) and manifest: the version of the manifest of the time when it was served last, empty for the first one, which this manifest is of.
invalidate: paths whose invalidation is still to be made.
restoring: id of the release that is being put back, from the beginning to the end of a rollback.
files: what was uploaded: digest of headers and content, and the releases that have a file at this path: bit n stands for releases[n]. A fifth value is the
    size of a file whose upload was begun.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_bucket import Bucket

VERSION = 2
END = "}}"
ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class Unreadable(Exception):
    """The object is no manifest."""


@dataclass(slots=True)
class Entry:
    digest: str
    etag: str
    version: str
    used_by: int
    begun_size: int | None = None


@dataclass
class Manifest:
    releases: list[dict[str, Any]] = field(default_factory=list)
    invalidate: list[str] = field(default_factory=list)
    restoring: str = ""
    content: Any = None

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Path and entry of each file, sorted by path."""
        if self.content is None:
            return
        self.content.seek(0)
        self.content.readline()
        for line in self.content:
            if (text := line.strip()) != END.encode():
                ((path, values),) = json.loads(f"{{{text.rstrip(b',').decode()}}}").items()
                yield path, Entry(*values)


def known_version(version_id: str | None) -> str:
    """A version that stays what it is: an object without versions has the version null, which is overwritten."""
    return "" if version_id in (None, "null") else version_id


def fetch(bucket: Bucket, key: str, version: str = "") -> Manifest | None:
    """The manifest, or a version of it; None where there is none."""
    content = tempfile.TemporaryFile()  # noqa: SIM115  it is open as long as the manifest
    version_id = bucket.read(key, version, content)
    if version_id is None:
        return None
    try:
        content.seek(-min(8, content.tell()), 2)
        if content.read().strip()[-len(END) :] != END.encode():
            raise Unreadable("it has no end")
        content.seek(0)
        header = json.loads(content.readline().strip() + END.encode())
        if header["version"] != VERSION:
            raise Unreadable(f"its version is {header['version']}")
        manifest = Manifest(header["releases"], header["invalidate"], header["restoring"], content)
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(str(error)) from error
    for release in manifest.releases[:1]:
        release["manifest"] = known_version(version_id)
    return manifest


def store(bucket: Bucket, key: str, manifest: Manifest, entries: Iterable[tuple[str, Entry]]) -> None:
    """Write the manifest with these files, which are sorted by path."""
    releases = [{**release, "manifest": release["manifest"] if number else ""} for number, release in enumerate(manifest.releases)]
    header = {"version": VERSION, "releases": releases, "invalidate": manifest.invalidate, "restoring": manifest.restoring}
    with tempfile.TemporaryFile() as body:
        body.write((json.dumps(header)[:-1] + ', "files": {').encode())
        separator = "\n"
        for path, entry in entries:
            values = [entry.digest, entry.etag, entry.version, entry.used_by, *([] if entry.begun_size is None else [entry.begun_size])]
            body.write(f"{separator}{ENCODE(path)}: {ENCODE(values)}".encode())
            separator = ",\n"
        body.write(f"\n{END}\n".encode())
        bucket.write(key, body, {"ContentType": "application/json", "CacheControl": "no-store"})


def previous(releases: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The release to go back to: the one that was served before, leaving out those that were rolled back from."""
    return next((release for release in releases[1:] if not release["withdrawn"]), None)


def summary(release: dict[str, Any]) -> dict[str, Any]:
    """What a module returns of a release."""
    return {key: release[key] for key in ("id", "name", "commit", "by", "at", "index_sha256", "withdrawn")}
