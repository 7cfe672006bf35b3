# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the module of the same name find what several roles made, and make the roles' outputs of it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pulsegrid.aws.plugins.plugin_utils.role_files import ROLES, role_file


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        roles = self._task.args.get("roles") or []
        known = [role for role in roles if (ROLES / role / "meta" / "outputs.yml").is_file()]
        files = {role: {name: role_file(role, name) for name in ("defaults/main.yml", "vars/main.yml", "meta/outputs.yml")} for role in known}
        queries = {role: self.templated(files[role], "query", variables) for role in known}
        # Roles that it does not know the module refuses.
        found = self._execute_module(module_args={**self._task.args, "queries": queries}, task_vars=variables)
        if found.get("failed"):
            return found
        outputs = {}
        for role in known:
            of_role = {f"{role}_found": found["found"][role], f"{role}_caller": found["caller"], "region": found["region"]}
            outputs[f"{role}_outputs"] = self.templated(files[role], "outputs", variables, of_role)
        return {"changed": False, "outputs": outputs, "caller": found["caller"], "invocation": found.get("invocation", {})}

    def templated(self, files: dict[str, Any], key: str, variables: dict[str, Any], found: dict[str, Any] | None = None) -> Any:
        """A part of the role's meta/outputs.yml, with the role's own variables as if the role ran: its defaults lose, its vars win."""
        defaults, own, outputs = files.values()
        available = {**defaults, **variables, **own, **outputs.get("vars", {}), **(found or {})}
        return self._templar.copy_with_new_env(available_variables=available).template(outputs[key])
