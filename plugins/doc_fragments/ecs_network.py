# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a module that say where a service's tasks run and who reaches them (module_utils/task_definition.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  subnets:
    description: IDs of the subnets in which the tasks run.
    type: list
    elements: str
    default: []
  security_groups:
    description: IDs of the tasks' security groups.
    type: list
    elements: str
    default: []
  assign_public_ip:
    description: Whether the tasks get public addresses.
    type: bool
    default: false
  load_balancers:
    description: The target groups in which the tasks are registered.
    type: list
    elements: dict
    default: []
    suboptions:
      target_group_arn:
        description: ARN of the target group.
        type: str
        required: true
      container_name:
        description: Name of the container that answers.
        type: str
        required: true
      container_port:
        description: The port on which it answers.
        type: int
        required: true
"""
