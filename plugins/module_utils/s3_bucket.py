# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a publication asks of its bucket: by requests of our own (s3_requests) where that is possible, else by boto3."""

from __future__ import annotations

import os
import shutil
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import unquote_plus

from ansible_collections.pulsegrid.aws.plugins.module_utils import s3_requests
from ansible_collections.pulsegrid.aws.plugins.module_utils.ahead import Ahead
from ansible_collections.pulsegrid.aws.plugins.module_utils.lazy_aws_module import errors

T = TypeVar("T")
HEADERS = {"ContentType": "content-type", "CacheControl": "cache-control"}
# Codes of S3 for an object that is not there, or no longer
MISSING = ("NoSuchKey", "NoSuchVersion")


class Item(NamedTuple):
    key: str
    etag: str
    size: int


@dataclass
class Page:
    items: list[Item]
    following: str  # the token that asks for the next one


class Stored(NamedTuple):
    etag: str
    version: str
    size: int


class Bucket:
    def __init__(self, module: Any, name: str, concurrency: int = 1) -> None:
        self.module = module
        self.name = name
        self.concurrency = concurrency
        self.lock = threading.Lock()
        self._client: Any = None
        self.requests = s3_requests.from_options(module.params, name)
        self.proven = False  # whether our own requests are answered
        if not self.requests:
            self._requests_of_boto3()

    def _requests_of_boto3(self) -> None:
        self.requests = s3_requests.from_client(self.client, self.name)
        self.proven = True

    @property
    def client(self) -> Any:
        with self.lock:
            if self._client is None:
                import botocore.config

                self._client = self.module.client("s3", config=botocore.config.Config(max_pool_connections=self.concurrency))
            return self._client

    def by_boto3(self, call: Callable[[Any], T]) -> T:
        """What call does with boto3's client, again and again where that may help."""
        from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

        return AWSRetry.jittered_backoff()(call)(self.client)

    def _direct(self, send: Callable[[s3_requests.Requests], s3_requests.Answer | None], accepted: Callable[[s3_requests.Answer], T | None]) -> T | None:
        """What is accepted of the answer to a request of our own; None where boto3 has to ask."""
        with self.lock:
            requests = self.requests
        answer = send(requests) if requests else None
        outcome = accepted(answer) if answer else None
        if outcome is not None:
            self.proven = True
        elif not self.proven:  # the first request: the bucket may be elsewhere, the credentials may be no longer valid
            self._requests_of_boto3()
        return outcome

    def read(self, key: str, version: str, into: IO[bytes]) -> str | None:
        """The version of the object that was read; None where there is none."""

        def accepted(answer: s3_requests.Answer) -> tuple[bool, str] | None:
            if answer.status == 200:
                return True, answer.headers.get("x-amz-version-id", "")
            return (False, "") if answer.status == 404 and any(f"<Code>{code}</Code>".encode() in answer.body for code in MISSING) else None

        def read(client: Any) -> tuple[bool, str]:
            into.seek(0)
            into.truncate()
            try:
                answer = client.get_object(Bucket=self.name, Key=key, **({"VersionId": version} if version else {}))
            except errors.ClientError as error:
                if error.response["Error"]["Code"] in MISSING:
                    return False, ""
                raise
            shutil.copyfileobj(answer["Body"], into)
            return True, answer.get("VersionId", "")

        query = {"versionId": version} if version else {}
        found, version_id = self._direct(lambda requests: requests.get(key, query, into), accepted) or self.by_boto3(read)
        return version_id if found else None

    def page(self, prefix: str, token: str = "") -> Page:
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", **({"continuation-token": token} if token else {})}

        def listed(client: Any) -> Page:
            answer = client.list_objects_v2(Bucket=self.name, Prefix=prefix, **({"ContinuationToken": token} if token else {}))
            items = [Item(item["Key"], item["ETag"].strip('"'), item["Size"]) for item in answer.get("Contents", [])]
            return Page(items, answer["NextContinuationToken"] if answer.get("IsTruncated") else "")

        return self._direct(lambda requests: requests.get(query=query), page_of) or self.by_boto3(listed)

    def pages(self, prefix: str) -> Iterator[Page]:
        """The first one is asked for now, and each next one before the one before it is done with."""
        return self._pages(prefix, Ahead(lambda: self.page(prefix)))

    def _pages(self, prefix: str, asked: Ahead[Page] | None) -> Iterator[Page]:
        while asked:
            page = asked.result()
            token = page.following
            asked = Ahead(lambda token=token: self.page(prefix, token)) if token else None
            yield page

    def write(self, key: str, content: IO[bytes], headers: dict[str, str]) -> Stored:
        """Headers are arguments of PutObject."""

        def accepted(answer: s3_requests.Answer) -> Stored | None:
            etag = answer.headers.get("etag")
            return Stored(etag, answer.headers.get("x-amz-version-id", ""), content.tell()) if answer.status == 200 and etag else None

        def put(client: Any) -> Stored:
            content.seek(0)
            answer = client.put_object(Bucket=self.name, Key=key, Body=content, **headers)
            content.seek(0, os.SEEK_END)
            return Stored(answer["ETag"], answer.get("VersionId", ""), content.tell())

        own = {HEADERS[name]: value for name, value in headers.items()}
        return self._direct(lambda requests: requests.put(key, content, own), accepted) or self.by_boto3(put)


def page_of(answer: s3_requests.Answer) -> Page | None:
    if answer.status != 200:
        return None
    try:
        root = ET.fromstring(answer.body)
        space = root.tag.removesuffix("ListBucketResult")
        if space == root.tag:
            return None
        decoded = unquote_plus if root.findtext(f"{space}EncodingType") == "url" else str
        key, etag, size = f"{space}Key", f"{space}ETag", f"{space}Size"
        found = root.iter(f"{space}Contents")
        items = [Item(decoded(item.findtext(key, "")), item.findtext(etag, "").strip('"'), int(item.findtext(size, ""))) for item in found]
    except (ET.ParseError, ValueError):
        return None
    return Page(items, root.findtext(f"{space}NextContinuationToken", "") if root.findtext(f"{space}IsTruncated") == "true" else "")
