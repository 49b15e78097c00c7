"""Amounts of memory: bytes to calculate with, shown as they were written."""

import re
from typing import Final, Self

from colonnade.spec.refusal import matches, refused, shown

SIZE_PATTERN: Final = r"^[1-9][0-9]{0,5}[KMG]$"
_UNIT_BYTES: Final = {"K": 1024, "M": 1024**2, "G": 1024**3}


class Size(int):
    """An amount of memory in bytes, shown as it was written (``128M``); ``ValueError`` if it is none."""

    written: str

    def __new__(cls, written: str) -> Self:
        """Read a whole number and its unit."""
        if not matches(SIZE_PATTERN, written):
            raise ValueError(f"no size: {written!r}")
        size = super().__new__(cls, int(written[:-1]) * _UNIT_BYTES[written[-1]])
        size.written = written
        return size

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # int's own would give the bytes
        return (self.written,)

    def __str__(self) -> str:
        return self.written

    def __repr__(self) -> str:
        return f"Size({self.written!r})"


def _size(value: object, least: Size) -> Size:
    if isinstance(value, Size):
        size = value
    elif isinstance(value, str) and matches(SIZE_PATTERN, value):
        size = Size(value)
    else:
        example = f'write a whole number and its unit in quotes, such as "{least}"; units: K, M, G (1024 each)'
        near = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*([kmgKMG])i?[bB]?\s*", str(value))
        do = f'did you mean "{near[1]}{near[2].upper()}"?' if near else example
        raise refused(f"is {shown(value)}, which is no size", do)
    if size < least:
        raise refused(f"is {size}, which is too small", f'write at least "{least}"')
    return size


def memory_size(value: object) -> Size:
    """Read how much of a server's memory may be used."""
    return _size(value, Size("64M"))


def buffer_pool_size(value: object) -> Size:
    """Read the size of MySQL's buffer pool."""
    return _size(value, Size("32M"))
