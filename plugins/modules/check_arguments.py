#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is documentation; the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: check_arguments
version_added: 0.1.0
short_description: Check the variables of several roles of this collection at once
description:
  - Ansible checks a role's variables when the role starts. In a play of several roles the last role's mistakes would be found after the first roles
    have changed the account; this action finds all of them before the first AWS call.
  - A value that still depends on another role's output (C(vpc_outputs.vpc_id)) cannot be known yet. It is passed over here and checked when its role starts.
    M(ansible.builtin.validate_argument_spec) would fail there, which is why this action exists.
  - What the assertion in C(tasks/preflight.yml) of each role says of its variables is checked too; including the roles for that takes much longer.
  - Undocumented variables that begin with the name of a role and an underscore are reported, so that a misspelt variable does not silently do nothing.
options:
  roles:
    description: Names of roles.
    type: list
    elements: str
    required: true
  wrong:
    description: What the caller has found wrong itself. It is said first, and the roles' variables, which may follow from it, are not looked at.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The roles' variables are valid
  pulsegrid.aws.check_arguments:
    roles: [vpc, rds]
    wrong: "{{ [] if shop_currency in ['EUR', 'USD'] else ['shop_currency is ' ~ shop_currency ~ ': allowed are EUR and USD.'] }}"
"""

RETURN = r"""
checked:
  description: How many variables were checked.
  returned: success
  type: int
  sample: 42
"""
