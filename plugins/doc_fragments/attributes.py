# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of pulsegrid.aws say of check mode, diff mode and defaults. A module that has more to say overrides it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts the change and changes nothing.
    support: full
  diff_mode:
    description: Shows the properties before and after.
    support: full
"""

    # Of a module that calls AWS, besides
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Defaults for all modules of this collection that call AWS are set with C(group/pulsegrid.aws.aws) in C(module_defaults).
    support: full
    membership:
      - pulsegrid.aws.aws
"""

    # Of a module that only reads, in place of the above
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Nothing is changed, in check mode or without.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""
