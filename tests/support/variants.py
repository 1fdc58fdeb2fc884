"""The long tests have a short variant; `make test LONG=1` runs them whole."""

import os
from typing import Final, TypeVar

T = TypeVar("T")
LONG: Final = bool(os.environ.get("LONG"))


def short_or_long(short: T, whole: T) -> T:
    """Choose the size of a test: `short` in every run, `whole` before a release."""
    return whole if LONG else short
