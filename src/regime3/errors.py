"""Every error regime3 raises on purpose, in one tree.

    Regime3Error
    ├── SettingsError       a setting is unknown or impossible: file, line, fix
    ├── LabError            the folder is not a lab, or is already one
    │   └── LabLocked       another process holds it
    ├── InputRefused        a file or a row that cannot be trained: place and reason
    ├── ModelError          a model folder or tokenizer that cannot be used
    ├── SealError           a checkpoint problem
    │   ├── SealDamaged     its bytes are not what its manifest promises
    │   └── SealMissing     no such checkpoint
    ├── DiskFull            too little room to go on safely
    ├── TrainerFatal        the worker died too often; a person has to look
    ├── LanguageError       a term, trace or code string that the language refuses
    ├── StepLost            a step broke half-way: go back to the head checkpoint
    ├── NodeRefused         the node does not do what was asked: HTTP status, code, parameter
    └── Unavailable         something optional is not installed or not running

A message says what is wrong and where; `next_command`, where there is one, is what to type
next. `exit_code` is what a command line ends with. Anything else that escapes is our own bug.
"""

from __future__ import annotations


class Regime3Error(Exception):
    """The root. `message` is one or two sentences; `next_command` is typed as it stands."""

    exit_code = 1

    def __init__(self, message: str, next_command: str | None = None) -> None:
        self.message = message
        self.next_command = next_command
        super().__init__(message if next_command is None else f"{message}\n  next: {next_command}")


class SettingsError(Regime3Error):
    """A setting that cannot be honoured. `place` is FILE:LINE, an environment name or a flag."""

    exit_code = 3

    def __init__(self, place: str, reason: str, fix: str) -> None:
        self.place, self.reason, self.fix = place, reason, fix
        super().__init__(f"{place}: {reason}. {fix}", "r3 config --origin")


class LabError(Regime3Error):
    """The folder is not a lab, or cannot become one."""

    exit_code = 3


class LabLocked(LabError):
    """Another process holds the lab. `holder` is what it wrote about itself (pid and role)."""

    exit_code = 4

    def __init__(self, what: str, holder: str) -> None:
        self.holder = holder
        super().__init__(f"{what} is already running: {holder or 'holder unknown'}", "r3 status")


class InputRefused(Regime3Error):
    """A file or row that cannot be trained. `line` is 1-based, None for the whole file."""

    exit_code = 1

    def __init__(
        self,
        reason: str,
        *,
        file: str = "",
        line: int | None = None,
        next_command: str | None = None,
    ) -> None:
        self.reason, self.file, self.line = reason, file, line
        place = f"{file}:{line}: " if line is not None else f"{file}: " if file else ""
        super().__init__(place + reason, next_command)


class ModelError(Regime3Error):
    """A model folder, hub id or tokenizer that cannot be used."""


class SealError(Regime3Error):
    """A checkpoint cannot be written, read or rolled back to."""


class SealDamaged(SealError):
    """The bytes on disk are not those that the manifest promises."""

    def __init__(self, number: int, reason: str) -> None:
        self.number, self.reason = number, reason
        super().__init__(f"checkpoint {number} is damaged: {reason}", "r3 checkpoints --verify")


class SealMissing(SealError):
    """No checkpoint of that number, or none at all."""


class DiskFull(Regime3Error):
    """Too little room: `free_bytes` is there, `needed_bytes` is wanted."""

    exit_code = 5

    def __init__(self, where: str, free_bytes: int, needed_bytes: int) -> None:
        self.free_bytes, self.needed_bytes = free_bytes, needed_bytes
        super().__init__(
            f"{where}: {free_bytes / 1e9:.2f} GB free, {needed_bytes / 1e9:.2f} GB needed",
            "r3 doctor",
        )


class TrainerFatal(Regime3Error):
    """The worker died too often in a row; training waits for a person."""

    exit_code = 6


class StepLost(Regime3Error):
    """The weights in memory belong to no step; only a fresh process at the head helps."""

    exit_code = 8


class NodeRefused(Regime3Error):
    """The node answers no. `status` is the HTTP status, `code` a word for programs, `param` names
    the field at fault; `retry_after_s` is set when the same request may do later."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        next_command: str | None = None,
    ) -> None:
        self.status, self.code, self.param = status, code, param
        self.retry_after_s = retry_after_s
        super().__init__(message, next_command)


class Unavailable(Regime3Error):
    """An optional part is not installed or not running."""

    exit_code = 7


class LanguageError(Regime3Error):
    """A term, step, code or line of English that the language refuses.

    `text` and `position` (0-based, in characters) give the place; the message draws a caret under
    it. `path` is the place inside a term (argument numbers from the root) where only that is known.
    """

    SHOWN_MAX = 60

    def __init__(
        self,
        reason: str,
        text: str = "",
        position: int | None = None,
        path: tuple[int, ...] = (),
    ) -> None:
        self.reason, self.text, self.position, self.path = reason, text, position, path
        place = "" if position is None else self._place(text, position)
        super().__init__(reason + place)

    @classmethod
    def _place(cls, text: str, position: int) -> str:
        """Line, column, and the line itself, cut around the place, with a caret below."""
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        line = text[start : end if end >= 0 else len(text)]
        column = position - start
        number = text.count("\n", 0, position) + 1
        left = max(0, column - cls.SHOWN_MAX)
        shown = line[left : column + cls.SHOWN_MAX].replace("\t", " ")
        dots = "..." if left else ""
        caret = " " * (len(dots) + column - left) + "^"
        return f" (line {number}, column {column + 1})\n    {dots}{shown}\n    {caret}"
