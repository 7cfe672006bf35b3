# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lock for one who deploys: an object in S3, written on the condition that there is none.

with DeployLock(module) as lock:
    if lock.held:
        ...  # what was read before may have changed meanwhile
    ...
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import FrameType, TracebackType
from typing import Any

from ansible_collections.pulsegrid.aws.plugins.module_utils.lazy_aws_module import errors
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import Progress

LOCK_OPTIONS = {
    "lock": {
        "type": "dict",
        "options": {
            "bucket": {"required": True},
            "key": {"default": "deploy.lock", "no_log": False},
            "holder": {"required": True},
            "why": {"default": ""},
            "expires_seconds": {"type": "int", "default": 3600},
            "wait_seconds": {"type": "int", "default": 0},
        },
    }
}

TRY_AGAIN_SECONDS = 5
SAY_AGAIN_SECONDS = 30
# So often the lock may pass from one to another just before we take it.
LOST_RACES = 20
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal that would have ended the module. No handler of errors in between is to take it for one."""


@dataclass(frozen=True)
class Held:
    """A lock as it is in the bucket. Times are S3's."""

    etag: str
    holder: str
    why: str
    since: datetime
    expires: datetime | None
    now: datetime
    token: str = ""

    @property
    def expired(self) -> bool:
        return self.expires is not None and self.now >= self.expires

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.holder} since {self.since:%Y-%m-%d %H:%M:%S} UTC{why}"

    @property
    def result(self) -> dict[str, str]:
        return {"holder": self.holder, "why": self.why, "since": self.since.isoformat(), "expires": self.expires.isoformat() if self.expires else ""}


class LockObject:
    """The object that is the lock. Each of its methods is one request."""

    def __init__(self, module: Any, bucket: str, key: str) -> None:
        self.module = module
        self.where = {"Bucket": bucket, "Key": key}
        self.uri = f"s3://{bucket}/{key}"

    @cached_property
    def client(self) -> Any:
        from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

        # S3 answers so when two write at the same moment, to both of them if need be.
        retry = AWSRetry.jittered_backoff(retries=8, catch_extra_error_codes=["ConditionalRequestConflict"])
        return self.module.client("s3", retry_decorator=retry)

    def write(self, content: dict[str, Any], etag: str | None = None) -> str | None:
        """Write it where there is none, or in place of the one with the ETag; the new one's ETag, None where the condition does not hold."""
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        body = json.dumps(content, sort_keys=True).encode()
        try:
            return self.client.put_object(aws_retry=True, **self.where, Body=body, ContentType="application/json", **condition)["ETag"]
        except errors.ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "NoSuchKey"):
                return None
            raise

    def read(self) -> Held | None:
        from email.utils import parsedate_to_datetime

        try:
            answer = self.client.get_object(aws_retry=True, **self.where)
        except errors.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        since = answer["LastModified"]
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        try:
            content = json.loads(answer["Body"].read())
            seconds = content["expires_seconds"]
            expires = None if seconds is None else since + timedelta(seconds=seconds)
            return Held(answer["ETag"], str(content["holder"]), str(content["why"]), since, expires, now, str(content["token"]))
        except (ValueError, KeyError, TypeError):
            return Held(answer["ETag"], "somebody", "the object is no lock that this collection wrote", since, None, now)

    def remove(self, etag: str) -> bool:
        """Remove the one with the ETag; False where it is gone, or another is in its place."""
        try:
            self.client.delete_object(aws_retry=True, **self.where, IfMatch=etag)
        except errors.ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "NoSuchKey"):
                return False
            raise
        return True


def content_of(holder: str, why: str, expires_seconds: int | None) -> dict[str, Any]:
    return {"holder": holder, "why": why, "expires_seconds": expires_seconds, "token": uuid.uuid4().hex}


class DeployLock:
    """Held while its block runs. Without the option lock, and in check mode, the block runs without it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.options = module.params.get("lock")
        self.etag: str | None = None
        self.uncertain = False  # whether a request to write it has no answer
        self.handlers: dict[int, Any] = {}
        if not self.options:
            return
        for name, least in (("expires_seconds", 1), ("wait_seconds", 0)):
            if self.options[name] < least:
                module.fail_json(msg=f"lock.{name} is {self.options[name]}: allowed are whole numbers from {least}.")
        for name in ("bucket", "key", "holder"):
            if not self.options[name].strip():
                module.fail_json(msg=f"lock.{name} is '{self.options[name]}': it must not be empty.")
        self.object = LockObject(module, self.options["bucket"], self.options["key"])
        self.content = content_of(self.options["holder"], self.options["why"], self.options["expires_seconds"])
        self.progress = Progress(module)

    @property
    def held(self) -> bool:
        return self.etag is not None

    def __enter__(self) -> DeployLock:
        if not self.options:
            return self
        if self.module.check_mode:
            self.warn_if_held()
            return self
        self.catch_signals()
        try:
            self.take()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for number in self.handlers:
            signal.signal(number, signal.SIG_IGN)
        if self.held or self.uncertain:
            self.release()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers = {}
        if isinstance(error, Interrupted):
            self.module.fail_json(msg=f"ended by the signal {error}")

    def catch_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
            self.handlers = {number: signal.signal(number, self.interrupt) for number in heard}

    @staticmethod
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number).name)

    def take(self) -> None:
        end = time.monotonic() + self.options["wait_seconds"]
        said, lost = float("-inf"), 0
        while True:
            try:
                held = self.attempt()
            except (errors.ClientError, errors.BotoCoreError) as error:
                self.fail(error)
            if self.held:
                return
            now = time.monotonic()
            if held is None or held.expired:  # another was faster
                lost += 1
                if lost > LOST_RACES:
                    self.module.fail_json(msg=f"The deploy lock {self.object.uri} was taken by others {lost} times just before it could be taken.")
                time.sleep(random.uniform(0, 0.5))
                continue
            if held.expires is None or now >= end:
                self.refuse(held)
            if now - said >= SAY_AGAIN_SECONDS:
                self.progress.say(f"waiting for the deploy lock, which {held} holds; {end - now:.0f} s at most")
                said = now
            time.sleep(min(TRY_AGAIN_SECONDS, end - now))

    def attempt(self) -> Held | None:
        """Try to take it; otherwise who holds it."""
        self.uncertain = True
        self.etag = self.object.write(self.content)
        if self.etag:
            return None
        held = self.object.read()
        if held and held.token == self.content["token"]:  # the answer to our own request was lost, and it was sent again
            self.etag = held.etag
        elif held and held.expired:
            self.etag = self.object.write(self.content, held.etag)
            if self.etag:
                self.module.warn(f"The deploy lock of {held} had expired and was taken over.")
        self.uncertain = False
        return held

    def release(self) -> None:
        """Remove it if it is ours. That this fails is not what the module fails for."""
        try:
            if not self.held and (held := self.object.read()) and held.token == self.content["token"]:
                self.etag = held.etag
            if self.etag and not self.object.remove(self.etag):
                self.say_again(f"The deploy lock {self.object.uri} expired meanwhile: another has taken it, or it was removed.")
        except (errors.ClientError, errors.BotoCoreError) as error:
            seconds = self.options["expires_seconds"]
            self.say_again(
                f"The deploy lock {self.object.uri} could not be removed; it expires {seconds} s after it was taken, or unlock.yml removes it: {error}"
            )
        self.etag, self.uncertain = None, False

    def say_again(self, text: str) -> None:
        self.module.warn(text)
        self.progress.say(text)  # the module may have given its result, with its warnings, already

    def warn_if_held(self) -> None:
        try:
            held = self.object.read()
        except (errors.ClientError, errors.BotoCoreError) as error:
            if getattr(error, "response", {}).get("Error", {}).get("Code") != "NoSuchBucket":
                self.fail(error)
            return
        if held and not held.expired:
            self.module.warn(refusal(held))

    def refuse(self, held: Held) -> None:
        self.module.fail_json(msg=refusal(held), lock=held.result)

    def fail(self, error: Exception) -> None:
        self.module.fail_json_aws(error, msg=f"could not take the deploy lock {self.object.uri}")


def refusal(held: Held) -> str:
    if held.expires is None:
        return f"Deploys are frozen by {held}. The playbook unlock.yml ends the freeze."
    seconds = (held.expires - held.now).total_seconds()
    when = f"{held.expires:%Y-%m-%d %H:%M:%S} UTC, in {seconds / 60:.0f} min"
    return f"The deploy lock is held by {held}. It expires at {when}; the playbook unlock.yml removes it now."
