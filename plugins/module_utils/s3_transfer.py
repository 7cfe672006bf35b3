# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploads of many files to S3 in parallel, in bounded memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from ansible_collections.pulsegrid.aws.plugins.module_utils.s3_bucket import Bucket

Upload = tuple[str, str, dict[str, str]]  # the file's path, the object's key, arguments of PutObject
Uploaded = tuple[str, str, str, int]  # key, ETag, version and size


class Uploader:
    def __init__(self, bucket: Bucket, concurrency: int) -> None:
        self.bucket = bucket
        self.concurrency = concurrency

    def upload(self, files: Iterable[Upload], done: Callable[[str, str, str, int], None]) -> None:
        """Upload all files. For each one that is uploaded done(key, etag, version_id, size) is called, in the caller's thread; the version is empty in a
        bucket without versions. After an error no other upload begins, and when those that were running have ended it is raised."""
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
        while one := waiting.get():
            try:
                ended.put(self._put(*one))
            except BaseException as error:  # it is raised in the caller's thread
                ended.put(error)

    def _put(self, path: str, key: str, headers: dict[str, str]) -> Uploaded:
        with open(path, "rb", buffering=0) as content:
            return key, *self.bucket.write(key, content, headers)
