# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploads of many files to S3 in parallel, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

try:
    import botocore.config
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

Upload = tuple[str, str, dict[str, Any]]  # the file's path, the object's key, arguments of PutObject


class Uploader:
    def __init__(self, module: AnsibleAWSModule, bucket: str, concurrency: int) -> None:
        self.bucket = bucket
        self.concurrency = concurrency
        self.client = module.client("s3", config=botocore.config.Config(max_pool_connections=concurrency))

    def upload(self, files: Iterable[Upload], done: Callable[[str, str, str, int], None]) -> None:
        """Upload all files. For each one that is uploaded done(key, etag, version_id, size) is called, in the caller's thread; the version is empty in a
        bucket without versions. After an error no other upload begins, and when those that were running have ended it is raised."""
        running: set[Future[tuple[str, str, str, int]]] = set()
        left = iter(files)
        error: BaseException | None = None
        with ThreadPoolExecutor(self.concurrency) as pool:
            while True:
                while error is None and len(running) < 2 * self.concurrency and (one := next(left, None)):
                    running.add(pool.submit(self._put, *one))
                if not running:
                    break
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    if future.cancelled():
                        continue
                    if failure := future.exception():
                        error = error or failure
                        for other in running:
                            other.cancel()
                    else:
                        done(*future.result())
        if error:
            raise error

    @AWSRetry.jittered_backoff()
    def _put(self, path: str, key: str, headers: dict[str, Any]) -> tuple[str, str, str, int]:
        with open(path, "rb") as content:
            answer = self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **headers)
            return key, answer["ETag"], answer.get("VersionId", ""), content.tell()
