"""docs/benchmarks.md: the bounds of all sections in one table, then each section, which can be measured and written alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

Bound = tuple[str, str, bool]
HEAD = ["section", "bound", "measured", "holds"]


@dataclass
class Section:
    title: str
    bounds: list[Bound]
    lines: list[str]

    @property
    def rows(self) -> list[str]:
        return [row([self.title, bound, measured, "yes" if holds else "**no**"]) for bound, measured, holds in self.bounds]


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def document(text: str, section: Section, machine: list[str]) -> str:
    """The text with this section anew. Others keep what they have, and their rows among the bounds."""
    _head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    bodies = {title: body.strip() for title, _newline, body in (part.partition("\n") for part in parts)}
    rows = [line for line in bodies.pop("Bounds", "").splitlines() if line.startswith(tuple(f"| {title} |" for title in bodies if title != section.title))]
    bodies[section.title] = "\n".join(section.lines).strip()
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; nothing here is typed by hand. Seconds are wall time; of several runs the median.",
            "",
            f"Machine: {', '.join(machine)}.",
            "",
            "## Bounds",
            "",
            row(HEAD),
            "|" + "---|" * len(HEAD),
            *rows,
            *section.rows,
            *(line for title, body in bodies.items() for line in ("", f"## {title}", "", body)),
            "",
        ]
    )
