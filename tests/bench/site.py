"""A site as a React build makes it: files whose names carry a hash of their content, a few whose names stay, one page."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

FILES = 2000
SIZE = 60 * 1000 * 1000
# Share of the hashed files, and the median size in bytes with the spread of its logarithm
KINDS = {"js": (0.70, 9000, 1.1), "css": (0.08, 4000, 1.0), "svg": (0.08, 1500, 0.8), "webp": (0.10, 40000, 0.9), "woff2": (0.04, 25000, 0.4)}
# Their names stay from build to build
OTHERS = {"favicon.ico": 15086, "manifest.webmanifest": 492, "robots.txt": 67, "logo192.png": 5347, "logo512.png": 9664, "asset-manifest.json": 180000}
ENTRY = 512 * 1024


def sizes(files: int, total: int, chance: random.Random) -> list[tuple[str, int]]:
    """Kind and size of each hashed file, which together with all others have the total size."""
    count = files - len(OTHERS) - 1
    found = []
    for kind, (share, median, spread) in KINDS.items():
        found += [(kind, int(chance.lognormvariate(0, spread) * median)) for _number in range(round(count * share))]
    found = [("js", ENTRY), *found][:count] + [("js", 9000)] * (count - 1 - len(found))
    chance.shuffle(found)
    scale = (total - sum(OTHERS.values())) / sum(size for _kind, size in found)
    return [(kind, max(64, int(size * scale))) for kind, size in found]


def build(directory: Path, files: int = FILES, total: int = SIZE, changed: int = 0) -> None:
    """A build from nothing, as `vite build` empties its directory first: every file is written anew, with the time of now.
    Of the same source every build has the same bytes. After a change, that many files have other content: the page and hashed files, which get new names."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "assets").mkdir(parents=True)
    page = ["<!doctype html><html><head>"]
    for number, (kind, size) in enumerate(sizes(files, total, random.Random(files))):
        content = random.Random(f"{number} {'changed' if number < changed - 1 else ''}").randbytes(size)
        name = f"assets/part{number}-{hashlib.sha256(content).hexdigest()[:8]}.{kind}"
        (directory / name).write_bytes(content)
        if number < 20:
            page.append(f'<link rel="modulepreload" href="/{name}">')
    for name, size in OTHERS.items():
        (directory / name).write_bytes(random.Random(name).randbytes(size))
    (directory / "index.html").write_text("\n".join([*page, "</head><body></body></html>"]), encoding="utf-8")
