# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""S3: a bucket is private."""

from __future__ import annotations

from mending import mend
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy, pin_request_origin
from ministack.services import s3


@mend("services.s3:handle_request", "0856144f19e7")
def strangers_are_refused(upstream):
    """A request without credentials reads and writes every bucket, unless MiniStack checks each signature and every policy of the account (AUTH=true)."""

    async def handle_request(method, path, headers, body, query_params, *arguments, internal=False, **named):
        bucket, key = s3._parse_bucket_key(path, headers)
        if not internal and method != "OPTIONS" and not s3._request_access_key(method, key, headers, query_params, body):
            owner = s3._bucket_owner_account(bucket) if bucket else None
            if not owner or not s3._foreign_bucket_allows(owner, bucket, key, method, query_params, ""):
                return s3._error("AccessDenied", "Access Denied", 403, path)
        return await upstream(method, path, headers, body, query_params, *arguments, internal=internal, **named)

    return handle_request


@mend("services.s3:serve_cloudfront_origin_fetch", "a0742d203d91")
def a_missing_object_is_missing(upstream):
    """CloudFront reads a bucket as if without TLS, and is told 403 of an object that is not there also when it may list the bucket, where S3 says 404."""

    def serve_cloudfront_origin_fetch(bucket_name, key, method, headers, source_arn="", oai_id=""):
        pin_request_origin("127.0.0.1", True)
        bucket = s3._ensure_bucket(bucket_name)
        owner = s3._bucket_owner_account(bucket_name) or s3.get_account_id()
        policy = s3._bucket_policies.get_scoped(owner, None, bucket_name)
        if bucket and key not in bucket["objects"] and policy and source_arn:
            asked = EvalContext(
                principal_arn="*",
                principal_type="Service",
                principal_account="",
                action="s3:ListBucket",
                resource_arn=f"arn:aws:s3:::{bucket_name}",
                region=s3.get_region(),
                service_context={"aws:sourcearn": source_arn},
            )
            if evaluate_resource_policy(policy, asked, service="cloudfront.amazonaws.com").decision == "Allow":
                return s3._error("NoSuchKey", "The specified key does not exist.", 404, f"/{bucket_name}/{key}")
        return upstream(bucket_name, key, method, headers, source_arn, oai_id)

    return serve_cloudfront_origin_fetch
