"""A picture of other code than that beside it is found."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from contracts import pictures

from ..conftest import CHECKOUT


def chunks(picture: bytes) -> list[bytes]:
    """Their kinds, each with the right checksum."""
    kinds, at = [], 8
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        kind, checksum = picture[at + 4 : at + 8], picture[at + 8 + size : at + 12 + size]
        assert checksum == struct.pack(">I", zlib.crc32(picture[at + 4 : at + 8 + size]))
        kinds.append(kind)
        at += size + 12
    return kinds


def test_a_picture_is_of_the_code_that_it_was_marked_with(tmp_path: Path) -> None:
    code, picture = tmp_path / "network.py", tmp_path / "network.png"
    code.write_text("draw()")
    assert pictures.problems(tmp_path) == ["network.png is not what network.py draws: make picture"]

    unmarked = (CHECKOUT / "docs/images/architecture.png").read_bytes()
    picture.write_bytes(unmarked)
    assert pictures.problems(tmp_path) != []
    pictures.mark(picture)
    assert pictures.problems(tmp_path) == []
    assert chunks(picture.read_bytes()) == [*chunks(unmarked)[:-1], b"tEXt", b"IEND"]

    code.write_text("draw(more)")
    assert pictures.problems(tmp_path) != []
