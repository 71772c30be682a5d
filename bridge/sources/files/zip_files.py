"""A ZIP of lists, read where it lies: nothing is written to disk, and what it claims to unpack to is limited."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from bridge.errors import ConfigError

MOST_MEMBERS = 5_000
MOST_BYTES = 4 * 1024**3
"""Unpacked, all members together."""

MOST_RATIO = 200
"""Unpacked to packed, of a member larger than SMALL; lists of links reach about 20."""

SMALL = 1024 * 1024

_ENCRYPTED = 0x1


def members(archive: zipfile.ZipFile) -> Sequence[zipfile.ZipInfo]:
    """The files in the order to read them: tables first, so that annotations find their items.

    Raises ConfigError for an archive that is a trap. What a member unpacks to is never more than it claims here.
    """
    files = [info for info in archive.infolist() if not info.is_dir()]
    if len(files) > MOST_MEMBERS:
        raise ConfigError(f"holds {len(files)} files; {MOST_MEMBERS} is the most")
    if sum(info.file_size for info in files) > MOST_BYTES:
        raise ConfigError(f"would unpack to more than {MOST_BYTES // 1024**3} GB")
    for info in files:
        _check(info)
    return sorted(filter(_is_ours, files), key=lambda info: (not info.filename.lower().endswith(".csv"), info.filename))


def _check(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise ConfigError(f"names a file outside of itself ({info.filename!a})")
    if info.flag_bits & _ENCRYPTED:
        raise ConfigError("is encrypted; unpack it and import what is in it")
    if info.file_size > SMALL and info.file_size > MOST_RATIO * info.compress_size:
        raise ConfigError(f"is packed more than {MOST_RATIO} times ({info.filename!a}): this is no list of links")


def _is_ours(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return "__MACOSX" not in path.parts and not path.name.startswith(".")
