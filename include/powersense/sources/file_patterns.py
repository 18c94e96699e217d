"""Which files of a store an ingestion means, and which folders have to be listed to find them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

# Above so many dated folders, one listing of the coarser folder asks the store less.
MOST_PREFIXES = 1_000

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\{yyyy\}|\{mm\}|\{dd\}|\{hh\}")
_REGEX = {
    "**/": "(?:.*/)?",
    "**": ".*",
    "*": "[^/]*",
    "{yyyy}": "[0-9]{4}",
    "{mm}": "[0-9]{2}",
    "{dd}": "[0-9]{2}",
    "{hh}": "[0-9]{2}",
}
_DATE = {"{yyyy}": "%Y", "{mm}": "%m", "{dd}": "%d", "{hh}": "%H"}
_SPECIAL = re.compile(r"([\\.^$|()\[\]{}*+?])")


@dataclass(frozen=True)
class FilePattern:
    """The path part of a source's URI.

    Attributes:
        text: below the store's root, without a leading slash, with its wildcards and date tokens.
    """

    text: str

    @property
    def is_single(self) -> bool:
        """Whether it names one file, without any wildcard."""
        return _TOKEN.search(self.text) is None

    @property
    def prefix(self) -> str:
        """What every matching path begins with: whole folders with their closing slash, or the path of one file.

        >>> pattern_of("s3://bucket/raw/{yyyy}/*.csv").prefix
        'raw/'
        >>> pattern_of("s3://bucket/raw/list.csv").prefix
        'raw/list.csv'
        """
        found = _TOKEN.search(self.text)
        return self.text if found is None else _folders(self.text[: found.start()])

    @property
    def is_dated(self) -> bool:
        """Whether its folders carry a date, so that a listing may be limited to some days."""
        return bool(self._dated_folders)

    @property
    def folder_levels(self) -> int | None:
        """How many folders lie between `prefix` and a file; None where `**` allows any number.

        >>> pattern_of("file:///data/*/x_*.csv").folder_levels
        1
        """
        if "**" in self.text:
            return None
        return self.text[len(self.prefix) :].count("/")

    @cached_property
    def regex(self) -> str:
        r"""The whole path as a regular expression that RE2 and Python read alike.

        >>> pattern_of("gs://bucket/a/**/b_{yyyy}.csv").regex
        '(?s)^a/(?:.*/)?b_[0-9]{4}\\.csv$'
        """
        return f"(?s)^{self._body}$"

    def matches(self, path: str) -> bool:
        """Tell whether a path below the store's root is one of those meant."""
        return self._compiled.fullmatch(path) is not None

    def prefixes(self, since: datetime | None = None, until: datetime | None = None) -> list[str]:
        """Return the folders to list for files of a time span, in order, none inside another.

        Args:
            since: the earliest partition's time, UTC; None: all of them.
            until: the latest partition's time, UTC; now by default.

        Returns:
            One folder per date of the finest date token before the first wildcard; `[prefix]` where there is none,
            or without `since`. Where that would be more than `MOST_PREFIXES`, folders of a coarser token.
        """
        if since is None:
            return [self.prefix]
        until = until or datetime.now(UTC)
        for folders in self._dated_folders:
            named = _named_folders(folders, since, until)
            if named is not None:
                return named
        return [self.prefix]

    @cached_property
    def _body(self) -> str:
        parts, at = [], 0
        for found in _TOKEN.finditer(self.text):
            parts += [_SPECIAL.sub(r"\\\1", self.text[at : found.start()]), _REGEX[found.group()]]
            at = found.end()
        return "".join([*parts, _SPECIAL.sub(r"\\\1", self.text[at:])])

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._body, re.DOTALL)

    @cached_property
    def _dated_folders(self) -> list[str]:
        """Folders with date tokens and without wildcards, the longest first."""
        folders = _folders(self.text.split("*", 1)[0])
        dated = []
        while _TOKEN.search(folders):
            dated.append(folders)
            folders = _folders(folders[:-1])
        return dated


def pattern_of(uri: str) -> FilePattern:
    """Return the pattern in a source's URI, as `Ingestion.uri` allows it."""
    return FilePattern(urlsplit(uri).path.lstrip("/"))


def _folders(text: str) -> str:
    """Return a path up to and with its last slash."""
    return text[: text.rfind("/") + 1]


def _named_folders(folders: str, since: datetime, until: datetime) -> list[str] | None:
    """Return dated folders with their dates, or None where they are more than `MOST_PREFIXES`."""
    step = timedelta(hours=1) if "{hh}" in folders else timedelta(days=1)
    named: dict[str, None] = {}
    for time in _times(since, until, step):
        named[_TOKEN.sub(lambda found, time=time: time.strftime(_DATE[found.group()]).zfill(2), folders)] = None  # type: ignore[misc]
        if len(named) > MOST_PREFIXES:
            return None
    return list(named)


def _times(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    """Yield each hour or day that a time span touches, UTC."""
    time = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if step.days:
        time = time.replace(hour=0)
    until = until.astimezone(UTC)
    while time <= until:
        yield time
        time += step
