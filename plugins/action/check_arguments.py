# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the variables of several roles against their argument specs and against each other, before the first role starts."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.pulsegrid.aws.plugins.plugin_utils.role_files import as_in_role, role_file

# What roles and the first AWS call find out
KNOWN_LATER = re.compile(r"_outputs|alb_origin_headers|pulsegrid_caller")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        errors: list[str] = list(self._task.args.get("wrong", []))
        checked = 0
        for role in [] if errors else self._task.args["roles"]:
            options = self._options(role)
            values = self._known_values(options, variables)
            checked += len(values)
            # With values of the wrong type the role's own checks cannot be made.
            errors += self._errors(options, values) or self._wrong(role, variables)
            errors += self._misspelt(role, options, variables)
        if errors:
            return {"failed": True, "msg": "\n".join(errors)}
        return {"changed": False, "checked": checked}

    @staticmethod
    def _options(role: str) -> dict[str, Any]:
        return role_file(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]

    def _wrong(self, role: str, variables: dict[str, Any]) -> list[str]:
        """What the assertion in the role's preflight says, without the third of a second that including the role takes."""
        [assertion] = role_file(role, "tasks/preflight.yml")
        wrong = as_in_role(self._templar, role, variables, assertion["vars"]["wrong"], assertion["vars"])
        return [check["otherwise"] for check in wrong]

    def _known_values(self, options: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for name in options:
            if name in variables:
                try:
                    values[name] = self._templar.template(variables[name])
                except AnsibleUndefinedVariable as error:
                    if not KNOWN_LATER.search(str(error)):
                        raise AnsibleError(f"{name} cannot be read: {error}") from error
        return values

    @staticmethod
    def _errors(options: dict[str, Any], values: dict[str, Any]) -> list[str]:
        """The validator's messages, each with the variable's value: its own names the value only for choices."""
        errors = []
        for name, value in values.items():
            outcome = ArgumentSpecValidator({name: {**options[name], "required": False}}).validate({name: value})
            shown = "" if options[name].get("no_log") else f" ({name}: {value!r})"
            errors += [f"{message}{shown}" for message in outcome.error_messages]
        return errors

    @staticmethod
    def _misspelt(role: str, options: dict[str, Any], variables: dict[str, Any]) -> list[str]:
        """Variables that look like one of the role's inputs and are none, nor one of the role's own."""
        known = {*options, *role_file(role, "vars/main.yml"), f"{role}_outputs"}
        return [
            f"{name} is no variable of the role {role}; did you mean {close[0]}?"
            for name in variables
            if name.startswith(f"{role}_") and name not in known and (close := get_close_matches(name, options, n=1, cutoff=0.9))
        ]
