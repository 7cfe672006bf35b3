# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module of this name, with its progress shown while it runs."""

from __future__ import annotations

from ansible_collections.pulsegrid.aws.plugins.plugin_utils.live import LiveAction


class ActionModule(LiveAction):
    pass
