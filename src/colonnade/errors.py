"""Everything that can go wrong, as one tree.

::

    ColonnadeError            exit 1   the operation failed
    ├── SpecError             exit 2   the stack file is wrong: file, line, key, suggestion
    ├── UsageError            exit 2   the command was called wrongly
    ├── RefusedError          exit 3   it could lose data or availability; names the flag that insists
    └── UnreachableError      exit 4   a machine could not be reached

Each says what happened and, in ``do``, what to do next. Nobody but the command line's outermost layer
turns one into an exit code.
"""

from typing import ClassVar


class ColonnadeError(Exception):
    """The operation failed; ``where`` is the machine or file, ``do`` is the way out."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n{self.do}" if self.do else head


class SpecError(ColonnadeError):
    """The stack file cannot be used as it is; ``where`` is ``file:line``."""

    exit_code: ClassVar[int] = 2


class UsageError(ColonnadeError):
    """The command was given something that makes no sense."""

    exit_code: ClassVar[int] = 2


class RefusedError(ColonnadeError):
    """Done without being insisted on, it could lose data or availability."""

    exit_code: ClassVar[int] = 3


class UnreachableError(ColonnadeError):
    """A machine could not be reached over SSH."""

    exit_code: ClassVar[int] = 4
