# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How upstream functions are replaced, and how a new MiniStack release is noticed."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("pulsegrid.mends")
_mends: list[tuple[str, str, str, Callable[[Any], Any]]] = []


def mend(target: str, source: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a mend of one upstream function.

    target is `module:function` in the package ministack; source is the fingerprint of the function's text for which the mend was written. Where the text is
    another one, upstream has changed: the function is left as it is, and the log says that the mend must be looked at, and perhaps deleted.
    The decorated function gets the upstream function and returns what takes its place. A function can be mended more than once: the later mend gets the earlier
    one's function.
    """

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        module, name = target.split(":")
        _mends.append((f"ministack.{module}", name, source, make))
        return make

    return register


def fingerprint(function: Any) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


def apply() -> list[str]:
    """Apply every mend; the targets of those that no longer fit."""
    unfit = []
    for module_name, name, source, make in _mends:
        module = importlib.import_module(module_name)
        upstream = getattr(module, name, None)
        if upstream is None or fingerprint(upstream) != source:
            found = fingerprint(upstream) if upstream else "missing"
            logger.error("%s.%s is not what it was when its mend was written (%s, now %s): NOT MENDED. %s", module_name, name, source, found, make.__doc__)
            unfit.append(f"{module_name}.{name}")
            continue
        replacement = make(upstream)
        if replacement is not upstream:
            replacement.__wrapped__ = upstream  # inspect.getsource looks through it at the text that fingerprints are of
        setattr(module, name, replacement)
        for table in [value for value in vars(module).values() if isinstance(value, dict)]:
            for key in [key for key, value in table.items() if value is upstream]:
                table[key] = replacement
    logger.info("%d mends applied", len(_mends) - len(unfit))
    return unfit
