# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: a new version of a managed policy can become the default one."""

from __future__ import annotations

from mending import mend
from ministack.services import iam


def set_default_policy_version(params):
    policy = iam._policies.get(iam._p(params, "PolicyArn"))
    wanted = iam._p(params, "VersionId")
    if not policy or wanted not in policy["Versions"]:
        return iam._error(404, "NoSuchEntity", "Policy version not found.", ns="iam")
    for version in policy["Versions"].values():
        version["IsDefaultVersion"] = version["VersionId"] == wanted
    policy["DefaultVersionId"] = wanted
    return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")


@mend("services.iam:_delete_policy_version", "bd7cf9c0f68c")
def there_is_an_action_more(upstream):
    """SetDefaultPolicyVersion is missing: it comes beside its neighbour, where there is none yet."""
    for actions in [value for value in vars(iam).values() if isinstance(value, dict) and value.get("DeletePolicyVersion") is upstream]:
        actions.setdefault("SetDefaultPolicyVersion", set_default_policy_version)
    return upstream
