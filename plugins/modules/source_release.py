#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is documentation; the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: source_release
version_added: 0.1.0
short_description: Name the release that a source directory is
description:
  - The name is the last git commit that touched the directory, so that a commit elsewhere in the repository is no new release. Uncommitted changes add a digest
    of the directory's content. Outside of git the digest alone is the name.
  - Files that git ignores do not count. Outside of git, I(exclude) does not.
  - It looks at the directory on the controller, also where the task is delegated, and as the user who runs Ansible.
  - M(ansible.builtin.git) tells the commit of a whole checkout only, and not what was changed in it.
options:
  path:
    description: The source directory, on the controller. A relative path begins at the playbook's directory.
    type: path
    required: true
  exclude:
    description: Names of files and directories that do not count outside of git.
    type: list
    elements: str
    default: [.git, dist, node_modules]
extends_documentation_fragment:
  - pulsegrid.aws.attributes.info
author:
  - PulseGrid maintainers (@pulsegrid)
"""

EXAMPLES = r"""
- name: The release is known
  pulsegrid.aws.source_release:
    path: files/frontend
  register: source
"""

RETURN = r"""
release:
  description: The name of the release, of letters, digits and hyphens.
  returned: success
  type: str
  sample: 3f9c2b7a1d04-9a41c07e55d2
commit:
  description: The last commit that touched the directory, 12 digits; empty outside of git.
  returned: success
  type: str
  sample: 3f9c2b7a1d04
dirty:
  description: Whether the directory differs from that commit.
  returned: success
  type: bool
  sample: true
"""
