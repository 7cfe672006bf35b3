# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploads of many files to S3 in parallel, in bounded memory.

boto3 spends 1.3 ms of processor time on a PutObject, of which a process does one at a time. Here it builds one request and does not send it. The others are
made like that one, signed here and sent over connections of http.client, in a fraction of the time. What S3 does not simply accept, boto3 sends
again, as it knows what can be repeated, where the bucket is and what an error means.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import os
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import quote, urlsplit

try:
    import botocore.awsrequest
    import botocore.httpsession
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

Upload = tuple[str, str, dict[str, Any]]  # the file's path, the object's key, arguments of PutObject
Uploaded = tuple[str, str, str, int]  # key, ETag, version and size
HEADERS = {"ContentType": "Content-Type", "CacheControl": "Cache-Control"}
IN_MEMORY = 1 << 20  # larger files go by boto3, which reads them in pieces
SECONDS = 60
KEY = "key"


@dataclass
class Pattern:
    """What botocore made of a PutObject of the object KEY."""

    url: str
    user_agent: str
    region: str
    signing_name: str

    def authorization(self, credentials: Any, path: str, headers: dict[str, str]) -> str:
        """Signature version 4 of a PUT without a query, of which all headers are signed. botocore needs five times as long."""
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        date = headers["x-amz-date"]
        scope = f"{date[:8]}/{self.region}/{self.signing_name}/aws4_request"
        lines = [f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items())]
        names = ";".join(sorted(headers))
        request = f"PUT\n{path}\n\n{''.join(lines)}\n{names}\n{headers['x-amz-content-sha256']}"
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{credentials.secret_key}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.digest(key, part.encode(), "sha256")
        return f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"


class NoBody:
    @staticmethod
    def stream() -> list[bytes]:
        return []


class Uploader:
    def __init__(self, client: Any, bucket: str, concurrency: int) -> None:
        self.bucket = bucket
        self.concurrency = concurrency
        self.client = client
        self.threads = threading.local()
        self.pattern: Pattern | None = None
        self.tls: ssl.SSLContext | None = None

    def upload(self, files: Iterable[Upload], done: Callable[[str, str, str, int], None]) -> None:
        """Upload all files. For each one that is uploaded done(key, etag, version_id, size) is called, in the caller's thread; the version is empty in a
        bucket without versions. After an error no other upload begins, and when those that were running have ended it is raised."""
        try:
            self.pattern = self._pattern()
        except (AttributeError, KeyError):  # another botocore, whose inside is not the one that is looked at
            self.pattern = None
        ended: SimpleQueue[Uploaded | BaseException] = SimpleQueue()
        waiting: SimpleQueue[Upload | None] = SimpleQueue()
        threads: list[threading.Thread] = []
        left = iter(files)
        running = 0
        error: BaseException | None = None
        try:
            while True:
                while error is None and running < 2 * self.concurrency and (one := next(left, None)):
                    waiting.put(one)
                    running += 1
                    if len(threads) < min(running, self.concurrency):
                        threads.append(threading.Thread(target=self._work, args=(waiting, ended), daemon=True))
                        threads[-1].start()
                if not running:
                    break
                outcome = ended.get()
                running -= 1
                if isinstance(outcome, BaseException):
                    error = error or outcome
                    running -= self._forget(waiting)
                else:
                    done(*outcome)
        finally:
            self._forget(waiting)
            for _thread in threads:
                waiting.put(None)
            for thread in threads:
                thread.join()
        if error:
            raise error

    @staticmethod
    def _forget(waiting: SimpleQueue[Upload | None]) -> int:
        """How many uploads will not begin."""
        forgotten = 0
        with contextlib.suppress(Empty):
            while True:
                waiting.get_nowait()
                forgotten += 1
        return forgotten

    def _work(self, waiting: SimpleQueue[Upload | None], ended: SimpleQueue[Uploaded | BaseException]) -> None:
        try:
            while one := waiting.get():
                try:
                    ended.put(self._put(*one))
                except BaseException as error:  # it is raised in the caller's thread
                    ended.put(error)
        finally:
            if connection := getattr(self.threads, "connection", None):
                connection.close()

    def _put(self, path: str, key: str, headers: dict[str, Any]) -> Uploaded:
        return self._put_directly(path, key, headers) or self._put_by_boto3(path, key, headers)

    @AWSRetry.jittered_backoff()
    def _put_by_boto3(self, path: str, key: str, headers: dict[str, Any]) -> Uploaded:
        with open(path, "rb") as content:
            answer = self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **headers)
            return key, answer["ETag"], answer.get("VersionId", ""), content.tell()

    def _pattern(self) -> Pattern | None:
        """None where only boto3 knows the way: through a proxy, with a client certificate, with another signature than version 4."""
        signed: dict[str, Any] = {}

        def before_sign(**about: Any) -> None:
            signed.update(about)

        def before_send(request: Any, **_about: Any) -> Any:
            signed["sent"] = request
            return botocore.awsrequest.AWSResponse(request.url, 200, {"ETag": '""'}, NoBody())

        events = self.client.meta.events
        events.register_first("before-sign.s3.PutObject", before_sign)
        events.register_first("before-send.s3.PutObject", before_send)
        try:
            self.client.put_object(Bucket=self.bucket, Key=KEY, Body=b"")
        finally:
            events.unregister("before-sign.s3.PutObject", before_sign)
            events.unregister("before-send.s3.PutObject", before_send)
        sent = signed["sent"]
        authorization = sent.headers.get("Authorization", b"")
        scope = (authorization.decode() if isinstance(authorization, bytes) else authorization).partition("Credential=")[2].split(",")[0].split("/")
        url = urlsplit(sent.url)
        session = self.client._endpoint.http_session
        if (
            signed.get("signature_version") not in ("s3v4", "v4")
            or len(scope) != 5
            or not url.path.endswith("/" + KEY)
            or url.query
            or session._proxy_config.proxy_url_for(sent.url)
            or session._cert_file
        ):
            return None
        if url.scheme == "https":
            self.tls = botocore.httpsession.create_urllib3_context()
            if session._verify:
                self.tls.verify_mode, self.tls.check_hostname = ssl.CERT_REQUIRED, True
                self.tls.load_verify_locations(botocore.httpsession.get_cert_path(session._verify))
            else:
                self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        agent = sent.headers.get("User-Agent", b"")
        return Pattern(sent.url[: -len(KEY)], agent.decode() if isinstance(agent, bytes) else agent, scope[2], scope[3])

    def _put_directly(self, path: str, key: str, headers: dict[str, Any]) -> Uploaded | None:
        """None where S3 did not accept it."""
        if not self.pattern or not headers.keys() <= HEADERS.keys() or os.path.getsize(path) > IN_MEMORY:
            return None
        with open(path, "rb") as file:
            content = file.read()
        url = self.pattern.url + quote(key, safe="/~")
        host, _slash, rest = url.partition("://")[2].partition("/")
        sent = {HEADERS[name].lower(): value for name, value in headers.items()}
        sent["host"] = host
        sent["x-amz-checksum-crc32"] = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
        # Over TLS the checksum alone is signed, as botocore does.
        sent["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD" if self.tls else hashlib.sha256(content).hexdigest()
        sent["x-amz-date"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        sent["x-amz-sdk-checksum-algorithm"] = "CRC32"
        credentials = self.client._request_signer._credentials.get_frozen_credentials()
        sent["authorization"] = self.pattern.authorization(credentials, "/" + rest, sent)
        sent["user-agent"] = self.pattern.user_agent
        try:
            connection = self._connection(url)
            connection.request("PUT", "/" + rest, body=content, headers=sent)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.threads.connection = None
            return None
        etag = answer.getheader("ETag")
        if answer.status != 200 or not etag:
            return None
        return key, etag, answer.getheader("x-amz-version-id") or "", len(content)

    def _connection(self, url: str) -> http.client.HTTPConnection:
        connection = getattr(self.threads, "connection", None)
        if connection is None:
            host = urlsplit(url).netloc
            connection = http.client.HTTPSConnection(host, timeout=SECONDS, context=self.tls) if self.tls else http.client.HTTPConnection(host, timeout=SECONDS)
            self.threads.connection = connection
        return connection
