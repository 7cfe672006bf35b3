# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a VPC of the role vpc can have a CIDR block."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vpc_cidr
version_added: 0.1.0
short_description: Whether the subnets of the role vpc fit into a CIDR block
description:
  - True for an IPv4 CIDR block of C(/16) to C(/22) without host bits.
options:
  _input:
    description: The CIDR block.
    type: str
    required: true
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The subnets fit
  ansible.builtin.assert:
    that: vpc_cidr is pulsegrid.aws.vpc_cidr
"""

RETURN = r"""
_value:
  description: Whether they fit.
  type: bool
"""

from ansible_collections.pulsegrid.aws.plugins.filter.vpc_subnets import network


def vpc_cidr(value: object) -> bool:
    try:
        network(str(value))
    except ValueError:
        return False
    return True


class TestModule:
    def tests(self) -> dict[str, object]:
        return {"vpc_cidr": vpc_cidr}
