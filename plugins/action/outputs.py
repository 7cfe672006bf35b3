# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the module of the same name find what several roles made, and make the roles' outputs of it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pulsegrid.aws.plugins.plugin_utils.role_files import as_in_role, role_file


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = {**(task_vars or {}), **self._names(task_vars or {})}
        roles = self._task.args.get("roles") or []
        known = {role: declared for role in roles if (declared := role_file(role, "meta/outputs.yml"))}
        queries = {role: as_in_role(self._templar, role, variables, declared["query"], {}) for role, declared in known.items()}
        # Roles that it does not know the module refuses.
        found = self._execute_module(module_args={**self._task.args, "queries": queries}, task_vars=variables)
        if found.get("failed"):
            return found
        outputs = {}
        for role, declared in known.items():
            of_role = {f"{role}_found": found["found"][role], f"{role}_caller": found["caller"], "region": found["region"]}
            for name, value in declared.get("vars", {}).items():  # each once, not in each output that it is part of
                of_role[name] = as_in_role(self._templar, role, variables, value, of_role)
            outputs[f"{role}_outputs"] = as_in_role(self._templar, role, variables, declared["outputs"], of_role)
        return {"changed": False, "outputs": outputs, "caller": found["caller"], "invocation": found.get("invocation", {})}

    def _names(self, variables: dict[str, Any]) -> dict[str, Any]:
        """What most variables are made of, templated once instead of in each of them."""
        return {name: self._templar.template(variables[name]) for name in ("pulsegrid_environment", "pulsegrid_name") if name in variables}
