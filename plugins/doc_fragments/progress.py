# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option of a module that says how far it is while it runs (module_utils/progress.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_to:
    description:
      - A named pipe to which the module writes a line of text every few seconds that says how far it is.
      - The action plugin of the same name makes it and shows the lines while the task runs, where the connection is local.
    type: path
"""
