"""A picture carries the hash of the code that drew it, so that a stale one is known without drawing it."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

KEY = b"Source"
END = b"\0\0\0\0IEND"  # how the last chunk of a PNG file begins


def _mark(code: Path) -> bytes:
    text = KEY + b"\0" + hashlib.sha256(code.read_bytes()).hexdigest().encode()
    return struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))


def mark(picture: Path) -> None:
    """Say in the picture what code it is of."""
    before, end, after = picture.read_bytes().rpartition(END)
    picture.write_bytes(before + _mark(picture.with_suffix(".py")) + end + after)


def problems(directory: Path) -> list[str]:
    pictures = [code.with_suffix(".png") for code in sorted(directory.glob("*.py"))]
    return [f"{picture.name} is not what {picture.stem}.py draws: make picture" for picture in pictures if not _is_of(picture)]


def _is_of(picture: Path) -> bool:
    return picture.exists() and _mark(picture.with_suffix(".py")) in picture.read_bytes()
