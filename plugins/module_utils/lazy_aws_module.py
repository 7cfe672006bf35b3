# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AnsibleAWSModule for a module that can do without boto3: it is imported when it is needed, as that takes as long as such a module runs.

A module that uses it has amazon.aws.common.modules and amazon.aws.region.modules among its documentation fragments.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback


def from_environment(*names: str) -> tuple[Any, list[str]]:
    return env_fallback, list(names)


# As in amazon.aws.plugins.module_utils.modules, which imports boto3
CONNECTION_OPTIONS = {
    "access_key": {
        "aliases": ["aws_access_key_id", "aws_access_key"],
        "fallback": from_environment("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
        "no_log": False,
    },
    "secret_key": {
        "aliases": ["aws_secret_access_key", "aws_secret_key"],
        "fallback": from_environment("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
        "no_log": True,
    },
    "session_token": {"aliases": ["aws_session_token"], "fallback": from_environment("AWS_SESSION_TOKEN"), "no_log": True},
    "profile": {"aliases": ["aws_profile"], "fallback": from_environment("AWS_PROFILE", "AWS_DEFAULT_PROFILE")},
    "endpoint_url": {"aliases": ["aws_endpoint_url"], "fallback": from_environment("AWS_URL")},
    "validate_certs": {"type": "bool", "default": True},
    "aws_ca_bundle": {"type": "path", "fallback": from_environment("AWS_CA_BUNDLE")},
    "aws_config": {"type": "dict"},
    "debug_botocore_endpoint_logs": {"type": "bool", "default": False, "fallback": from_environment("ANSIBLE_DEBUG_BOTOCORE_LOGS")},
    "region": {"aliases": ["aws_region"], "fallback": from_environment("AWS_REGION", "AWS_DEFAULT_REGION")},
}


class Errors:
    """botocore.exceptions, imported when one is looked for; `except errors.ClientError` looks for it only when there is an error."""

    def __getattr__(self, name: str) -> Any:
        import botocore.exceptions

        return getattr(botocore.exceptions, name)


errors = Errors()


class LazyAWSModule:
    def __init__(self, argument_spec: dict[str, Any], **options: Any) -> None:
        self._module = AnsibleModule(argument_spec={**CONNECTION_OPTIONS, **argument_spec}, **options)
        self.params = self._module.params
        if self.params["debug_botocore_endpoint_logs"]:
            # Its result tells what botocore logged.
            self.exit_json, self.fail_json = self.aws.exit_json, self.aws.fail_json

    @cached_property
    def aws(self) -> Any:
        """The AnsibleAWSModule around the module that there is already."""
        from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

        settings = AnsibleAWSModule.default_settings
        AnsibleAWSModule.default_settings = {**settings, "module_class": lambda **_options: self._module}
        try:
            return AnsibleAWSModule(argument_spec={})
        finally:
            AnsibleAWSModule.default_settings = settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module if hasattr(self._module, name) else self.aws, name)
