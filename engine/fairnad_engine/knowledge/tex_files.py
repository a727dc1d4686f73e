"""The files of a TeX paper: a folder or an archive, of which nothing outside is ever read and nothing is run."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fairnad_engine.knowledge.text_bytes import NotTextError, decode

MAX_TEX = 2_000_000
"""Largest text of one paper, with all its parts."""
MAX_UNPACKED = 300_000_000
"""How much of an archive is unpacked in passing (figures too) while its text is looked for."""
_MAX_MEMBERS = 5000
_MAX_PARTS = 300
_MAX_DEPTH = 12
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*(?:\n[ \t]*)?")
_INPUT = re.compile(
    r"\\(?:input|include|subfile)\s*\{([^{}\n]{1,300})\}|\\(?:sub)?import\*?\s*\{([^{}\n]{0,300})\}\s*\{([^{}\n]{1,300})\}"
    r"|\\input\s+([^\s{}\\%]{1,300})"
)
_MAIN = re.compile(r"\\documentclass\b|\\begin\s*\{document\}")


@dataclass
class TexText:
    """One paper's TeX with its parts in their places and its comments dropped; ``missing`` names parts not found."""

    text: str
    missing: list[str] = field(default_factory=list)


class FolderParts(Mapping[str, str]):
    """Parts by their path below a folder; a path or a link that leads out of it is no part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __getitem__(self, name: str) -> str:
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder) or not path.is_file():
                raise KeyError(name)
            with path.open("rb") as stream:
                data = stream.read(MAX_TEX + 1)
        except (OSError, ValueError, RuntimeError):
            raise KeyError(name) from None
        if len(data) > MAX_TEX:
            raise NotTextError(f"{name} is larger than {MAX_TEX // 1_000_000} MB; cut what is no text")
        return decode(data)

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self._folder)) for path in sorted(self._folder.rglob("*.tex")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def archive_parts(stream: IO[bytes]) -> dict[str, str]:
    """Return the ``.tex`` files of a ``.tar.gz`` by their path in it; links and paths that lead out are left out.

    Raises:
        NotTextError: It is no such archive, or larger than a paper's sources are.
    """
    found: dict[str, str] = {}
    try:
        plain: Any = _Bounded(gzip.GzipFile(fileobj=stream))
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            for number, member in enumerate(archive):
                path = PurePosixPath(member.name)
                if number >= _MAX_MEMBERS:
                    raise NotTextError(f"more than {_MAX_MEMBERS} files, which is no paper; pack one paper alone")
                inside = not path.is_absolute() and ".." not in path.parts
                if not member.isreg() or not inside or path.suffix.lower() != ".tex":
                    continue
                if member.size > MAX_TEX:
                    raise NotTextError(f"{path} is larger than {MAX_TEX // 1_000_000} MB; cut what is no text")
                part = archive.extractfile(member)
                if part is not None:
                    found[str(path)] = decode(part.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise NotTextError("no whole .tar.gz archive; fetch or pack it again") from error
    return found


class _Bounded:
    """Ends a stream that unpacks to more than a paper's sources do."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise NotTextError(f"unpacks to more than {MAX_UNPACKED // 1_000_000} MB; pack the .tex files alone")
        return data


def is_main(text: str) -> bool:
    """Whether a file is a whole document rather than a part of one."""
    return _MAIN.search(without_comments(text)) is not None


def main_names(parts: Iterable[tuple[str, str]]) -> list[str]:
    """Return the whole documents among files, those nearest to the top first."""
    return sorted((name for name, text in parts if is_main(text)), key=lambda name: (name.count("/"), name))


def without_comments(text: str) -> str:
    """Return TeX without what stands behind ``%``; the line end belongs to the comment, as TeX has it."""
    return _COMMENT.sub(r"\1", text)


def assembled(main: str, parts: Mapping[str, str]) -> TexText:
    r"""Return a document with the parts that ``\input`` and its like name in their places.

    Args:
        main: Name of its main file among the parts.
        parts: Texts by path; only these are ever read.

    Raises:
        NotTextError: It is too large, or a part is no text.
    """
    done = TexText("")
    left = [MAX_TEX, _MAX_PARTS]

    def text_of(name: str, base: PurePosixPath, depth: int) -> str:
        raw = parts[name]
        left[0] -= len(raw)
        left[1] -= 1
        if min(left) < 0 or depth > _MAX_DEPTH:
            raise NotTextError(
                f"more than {MAX_TEX // 1_000_000} MB or {_MAX_PARTS} parts, or parts that name each other; mend it"
            )
        pieces: list[str] = []
        at = 0
        text = without_comments(raw.replace("\r\n", "\n").replace("\r", "\n"))
        for match in _INPUT.finditer(text):
            named = (match[1] or match[4] or f"{match[2]}/{match[3]}").strip().strip('"')
            pieces.append(text[at : match.start()])
            at = match.end()
            found = _found(named, base, parts)
            if found is None:
                if PurePosixPath(named).suffix in ("", ".tex") and named not in done.missing:
                    done.missing.append(named)
                continue
            pieces.append(f"\n{text_of(found, base, depth + 1)}\n")
        return "".join([*pieces, text[at:]])

    done.text = text_of(main, PurePosixPath(main).parent, 0)
    return done


def _found(named: str, base: PurePosixPath, parts: Mapping[str, str]) -> str | None:
    path = PurePosixPath(named)
    if path.is_absolute() or ".." in path.parts or "\0" in named:
        return None
    for name in (str(base / f"{path}.tex"), str(base / path)):
        if name.endswith(".tex") and name in parts:
            return name
    return None
