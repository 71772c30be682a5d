"""A rewritten address: another host, some parameters less. Made from the address as it came."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote_plus

import can_ada


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`host` replaces the host; parameters whose names fit a glob in `strip` go."""

    host: str = ""
    strip: tuple[str, ...] = ()

    def apply(self, url: str) -> str:
        """The rewritten address; `url` itself when nothing in it changes or it is no address.

        >>> Rewrite("old.example.com", ("utm_*",)).apply("https://example.com/a?utm_source=x&b=1")
        'https://old.example.com/a?b=1'
        """
        try:
            parsed = can_ada.parse(url)
        except (ValueError, TypeError):
            return url
        search = self._stripped(parsed.search)
        if parsed.hostname == (self.host or parsed.hostname) and search == parsed.search:
            return url
        parsed.search = search
        if self.host:
            parsed.hostname = self.host
        return str(parsed.href)

    def words(self) -> str:
        host = [f"host {self.host}"] if self.host else []
        return ", ".join(host + ([f"without {', '.join(self.strip)}"] if self.strip else []))

    def _stripped(self, search: str) -> str:
        pairs = search.removeprefix("?").split("&")
        kept = "&".join(pair for pair in pairs if not self._goes(unquote_plus(pair.partition("=")[0]).lower()))
        return f"?{kept}" if kept else ""

    def _goes(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.strip)
