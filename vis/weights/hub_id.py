"""A model of the hub as users name it: `hf:OWNER/NAME[@REVISION][:FILE]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vis.errors import UsageError

PREFIX = "hf:"
MAIN = "main"
"""The branch where nobody says another."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,94}[A-Za-z0-9_]|[A-Za-z0-9_]")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./ +-]{0,254}")
"""Without what a shell or the hub would take for a pattern."""


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository at a revision, and perhaps one file of it."""

    repository: str
    """`OWNER/NAME`."""
    revision: str = MAIN
    """A branch, a tag or a commit."""
    file: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        """As users write it."""
        revision = "" if self.revision == MAIN else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{revision}{f':{self.file}' if self.file else ''}"


def is_hub_id(source: object) -> bool:
    """Whether a model is named as one of the hub; a `Path` never is."""
    return isinstance(source, str) and source.startswith(PREFIX)


def hub_id(text: str) -> HubId:
    """From what a user gives; nothing is asked of any network.

    Raises:
        UsageError: a part cannot be what it stands for.
    """
    repository, at, rest = text.removeprefix(PREFIX).partition("@")
    revision, file = rest, ""
    if at:
        revision, colon, file = rest.partition(":")
    else:
        repository, colon, file = repository.partition(":")
        revision = MAIN
    _check("owner and name", repository, _is_repository(repository), text)
    _check("the revision", revision, _is_path(_REVISION, revision), text)
    _check("the file", file, not colon or _is_path(_FILE, file), text)
    return HubId(repository, revision, file or None)


def _is_repository(text: str) -> bool:
    owner, slash, name = text.partition("/")
    plain = ".." not in text and "--" not in text and not name.endswith(".git")
    return bool(slash) and plain and all(_NAME.fullmatch(part) for part in (owner, name))


def _is_path(allowed: re.Pattern[str], text: str) -> bool:
    parts = text.split("/")
    return allowed.fullmatch(text) is not None and not {"", ".", ".."} & set(parts)


def _check(part: str, value: str, passes: bool, text: str) -> None:
    if not passes:
        raise UsageError(
            f"{text!r:.120} names no model of the hub: {part} cannot be {value!r:.80}",
            remedy=f"Write {PREFIX}OWNER/NAME, {PREFIX}OWNER/NAME@REVISION or with :FILE behind.",
        )
