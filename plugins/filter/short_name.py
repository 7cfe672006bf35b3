# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A name that fits a service's limit."""

from __future__ import annotations

DOCUMENTATION = r"""
name: short_name
version_added: 0.2.0
short_description: A name that fits a service's limit, and collides with no other
description:
  - A name within the limit stays as it is. A longer one is cut, and ends in a hyphen and six hexadecimal digits of its SHA-256 hash, so that two long names
    with the same beginning stay two.
  - The same name always gives the same short name, by which the resource is found again.
positional: limit
options:
  _input:
    description: The name.
    type: str
    required: true
  limit:
    description: How many characters the service allows, at least 12.
    type: int
    required: true
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: A load balancer's name has at most 32 characters
  ansible.builtin.debug:
    msg: "{{ 'a-product-with-a-long-name-production' | pulsegrid.aws.short_name(32) }}"
"""

RETURN = r"""
_value:
  description: The name, of at most O(limit) characters.
  type: str
  sample: a-product-with-a-long-nam-30d1e1
"""

from hashlib import sha256

from ansible.errors import AnsibleFilterError

DIGITS = 6


def short_name(name: str, limit: int) -> str:
    if limit < 2 * DIGITS:
        raise AnsibleFilterError(f"short_name: the limit is {limit}, allowed is {2 * DIGITS} or more")
    if len(name) <= limit:
        return name
    return f"{name[: limit - DIGITS - 1].rstrip('-')}-{sha256(name.encode()).hexdigest()[:DIGITS]}"


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"short_name": short_name}
