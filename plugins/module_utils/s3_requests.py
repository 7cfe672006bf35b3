# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests to a bucket that are signed and sent here.

boto3 spends 1.3 ms of processor time on a request, of which a process does one at a time, and 0.3 s on being imported. Where the credentials are given
and nothing but the region or an endpoint says where the bucket is, as in a pipeline, requests are made without it. Elsewhere boto3 builds one request and
does not send it, and the others are made like that one.

What S3 does not simply accept is left to boto3, as it knows what can be repeated, where the bucket is and what an error means.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urlsplit

from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible_collections.pulsegrid.aws.plugins.module_utils.http_exchange import CHUNK, Answer, Connection

KEY = "key"
EMPTY_SHA256 = hashlib.sha256().hexdigest()
# Of these variables we know what they mean, or that they mean nothing to S3; another AWS_* may say something that only boto3 understands.
KNOWN_VARIABLES = re.compile(
    "AWS_(ACCESS_KEY(_ID)?|SECRET_(ACCESS_)?KEY|SESSION_TOKEN|(DEFAULT_)?REGION|URL|ENDPOINT_URL(_.*)?|CA_BUNDLE|EC2_METADATA_DISABLED|PAGER|DEFAULT_OUTPUT)"
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Of the partition "aws"; other partitions have other names.
REGION = re.compile("(af|ap|ca|eu|il|me|mx|sa|us)-(central|east|north|northeast|northwest|south|southeast|southwest|west)-[0-9]+")
BUCKET = re.compile("[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None


class NoBody:
    @staticmethod
    def stream() -> list[bytes]:
        return []


def chunks(content: IO[bytes]) -> Iterator[bytes]:
    content.seek(0)
    while chunk := content.read(CHUNK):
        yield chunk


@dataclass
class Requests:
    url: str  # of the object with the empty key
    region: str
    signing_name: str
    user_agent: str
    credentials: Callable[[], Any]
    tls: Any = None

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        self.host, self.path = address.netloc, address.path
        self.address = address.hostname or "", address.port or (443 if self.tls else 80)
        self.idle: list[Connection] = []

    def get(self, key: str = "", query: dict[str, str] | None = None, into: IO[bytes] | None = None) -> Answer | None:
        """None where there is no answer. The body of a 200 goes into the file."""
        return self._send("GET", key, query or {}, {"x-amz-content-sha256": EMPTY_SHA256}, None, into)

    def put(self, key: str, content: IO[bytes], headers: dict[str, str]) -> Answer | None:
        crc32 = size = 0
        sha256 = hashlib.sha256()
        body: Any = None
        for chunk in chunks(content):
            body = chunk if size == 0 else content
            crc32, size = zlib.crc32(chunk, crc32), size + len(chunk)
            if not self.tls:
                sha256.update(chunk)
        if body is content:
            content.seek(0)
        signed = {
            **headers,
            "x-amz-checksum-crc32": base64.b64encode(crc32.to_bytes(4, "big")).decode(),
            # Over TLS the checksum alone is signed, as botocore does.
            "x-amz-content-sha256": "UNSIGNED-PAYLOAD" if self.tls else sha256.hexdigest(),
            "x-amz-sdk-checksum-algorithm": "CRC32",
        }
        return self._send("PUT", key, {}, signed, body, None, {"content-length": str(size)})

    def _send(
        self, method: str, key: str, query: dict[str, str], headers: dict[str, str], body: Any, into: IO[bytes] | None, unsigned: dict[str, str] | None = None
    ) -> Answer | None:
        path = self.path + quote(key, safe="/~") if key else self.path.rstrip("/") or "/"
        asked = encoded(query)
        headers = {**headers, "host": self.host, "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())}
        headers["authorization"] = self.authorization(method, path, asked, headers)
        headers |= {"user-agent": self.user_agent, **(unsigned or {})}
        connection = None
        try:
            connection = self._connection()
            answer = connection.exchange(method, f"{path}?{asked}" if asked else path, headers, body, into)
        except (OSError, ValueError):
            if connection:
                connection.close()
            return None
        self.idle.append(connection)
        return answer

    def _connection(self) -> Connection:
        """One of those that are not in use, else a new one."""
        while self.idle:
            try:
                connection = self.idle.pop()
            except IndexError:  # another thread was faster
                break
            if connection.usable:
                return connection
            connection.close()
        return Connection(*self.address, self.tls)

    def authorization(self, method: str, path: str, query: str, headers: dict[str, str]) -> str:
        """Signature version 4 of a request, of which all headers are signed. botocore needs five times as long."""
        credentials = self.credentials()
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        date = headers["x-amz-date"]
        scope = f"{date[:8]}/{self.region}/{self.signing_name}/aws4_request"
        lines = [f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items())]
        names = ";".join(sorted(headers))
        request = f"{method}\n{path}\n{query}\n{''.join(lines)}\n{names}\n{headers['x-amz-content-sha256']}"
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{credentials.secret_key}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.digest(key, part.encode(), "sha256")
        return f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"


def encoded(query: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


def from_options(params: dict[str, Any], bucket: str) -> Requests | None:
    """Without boto3; None where it may know better."""
    where = os.environ
    region, endpoint = params["region"], params["endpoint_url"] or where.get("AWS_ENDPOINT_URL_S3") or where.get("AWS_ENDPOINT_URL")
    if (
        not (params["access_key"] and params["secret_key"] and region and BUCKET.fullmatch(bucket))
        or "--" in bucket  # of another kind
        or not (endpoint or REGION.fullmatch(region))
        or params["profile"]
        or params["aws_config"]
        or params["debug_botocore_endpoint_logs"]
        or any(name.startswith("AWS_") and value and not KNOWN_VARIABLES.fullmatch(name) for name, value in where.items())
        or any(os.path.exists(os.path.expanduser(path)) for path in ("~/.aws/config", "~/.aws/credentials"))
        or any(where.get(name) or where.get(name.upper()) for name in PROXIES)
        or sys.platform != "linux"  # elsewhere the system has proxies too
    ):
        return None
    host = "s3.amazonaws.com" if region == "us-east-1" else f"s3.{region}.amazonaws.com"  # as boto3 has it
    url = f"{endpoint.rstrip('/')}/{bucket}/" if endpoint else f"https://{bucket}.{host}/"
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or address.query or address.username or not address.hostname:
        return None
    credentials = Credentials(params["access_key"], params["secret_key"], params["session_token"])
    try:
        tls = tls_context((params["aws_ca_bundle"] or True) if params["validate_certs"] else False) if address.scheme == "https" else None
    except OSError:  # what is wrong with the authorities, boto3 says
        return None
    return Requests(url, region, "s3", f"APN/1.0 Ansible/{ansible_version} pulsegrid.aws", lambda: credentials, tls)


def tls_context(verify: bool | str) -> Any:
    """With the authorities that botocore trusts: those of a file, or of certifi and where that is missing its own."""
    import ssl
    from importlib.util import find_spec

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    if verify is True:
        spec = find_spec("certifi") or find_spec("botocore")
        verify = os.path.join(os.path.dirname(spec.origin), "cacert.pem") if spec and spec.origin else ""
        if not os.path.exists(verify):  # a distribution's certifi has the system's
            context.load_default_certs()
            return context
    context.load_verify_locations(**{"capath" if os.path.isdir(verify) else "cafile": verify})
    return context


def from_client(client: Any, bucket: str) -> Requests | None:
    """None where only boto3 knows the way: through a proxy, with a client certificate, with another signature than version 4."""
    try:
        return _from_client(client, bucket)
    except (AttributeError, KeyError, OSError):  # another botocore, whose inside is not the one that is looked at; authorities that cannot be read
        return None


def _from_client(client: Any, bucket: str) -> Requests | None:
    import botocore.awsrequest

    signed: dict[str, Any] = {}

    def before_sign(**about: Any) -> None:
        signed.update(about)

    def before_send(request: Any, **_about: Any) -> Any:
        signed["sent"] = request
        return botocore.awsrequest.AWSResponse(request.url, 200, {"ETag": '""'}, NoBody())

    events = client.meta.events
    events.register_first("before-sign.s3.PutObject", before_sign)
    events.register_first("before-send.s3.PutObject", before_send)
    try:
        client.put_object(Bucket=bucket, Key=KEY, Body=b"")
    finally:
        events.unregister("before-sign.s3.PutObject", before_sign)
        events.unregister("before-send.s3.PutObject", before_send)
    sent = signed["sent"]
    scope = text(sent.headers.get("Authorization", "")).partition("Credential=")[2].split(",")[0].split("/")
    url = urlsplit(sent.url)
    session = client._endpoint.http_session
    if (
        signed.get("signature_version") not in ("s3v4", "v4")
        or len(scope) != 5
        or not url.path.endswith("/" + KEY)
        or url.query
        or session._proxy_config.proxy_url_for(sent.url)
        or session._cert_file
    ):
        return None
    tls = tls_context(session._verify) if url.scheme == "https" else None
    credentials = client._request_signer._credentials.get_frozen_credentials
    return Requests(sent.url[: -len(KEY)], scope[2], scope[3], text(sent.headers.get("User-Agent", "")), credentials, tls)


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
