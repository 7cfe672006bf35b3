# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module says to people in columns."""

from __future__ import annotations

from collections.abc import Sequence


def lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for the names of the columns and one for each row, the columns as wide as they must be; nothing where there is no row."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (columns, *rows)]
