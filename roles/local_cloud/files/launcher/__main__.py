# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MiniStack, with what it gets wrong mended."""

from ministack.app import main

main()
