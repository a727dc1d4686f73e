"""The papers of TeX sources: which files of a folder or archive are documents, and which are only their parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fairnad_engine.knowledge.paper_layout import lay_out
from fairnad_engine.knowledge.paper_tex import included, tex_markdown
from fairnad_engine.knowledge.paper_text import PaperText, ReadProblem, paper_of
from fairnad_engine.knowledge.tex_files import (
    MAX_TEX,
    FolderParts,
    archive_parts,
    assembled,
    is_main,
    main_names,
    without_comments,
)
from fairnad_engine.knowledge.text_bytes import NotTextError, clean, decode

_BESIDE = frozenset(
    {
        ".sty",
        ".cls",
        ".bst",
        ".bbl",
        ".aux",
        ".log",
        ".out",
        ".toc",
        ".blg",
        ".clo",
        ".eps",
        ".png",
        ".jpg",
        ".jpeg",
        ".svg",
        ".pgf",
        ".tikz",
        ".def",
        ".fd",
        ".pdf_tex",
        ".synctex",
        ".fls",
        ".fdb_latexmk",
        ".cfg",
        ".ps",
    }
)


@dataclass
class TexProjects:
    """Which files of a folder belong to a TeX document in it, and so are no papers of their own."""

    folders: dict[Path, set[str]] = field(default_factory=dict)
    mains: set[Path] = field(default_factory=set)

    def owns(self, path: Path) -> bool:
        """Whether a file is a part, figure, style or bibliography of a document in its folder or one above."""
        named = [stems for folder, stems in self.folders.items() if path.is_relative_to(folder)]
        if not named or path in self.mains:
            return False
        suffix = path.suffix.lower()
        if suffix in (".pdf", ".bib"):
            return any(path.stem in stems for stems in named)
        return suffix == ".tex" or suffix in _BESIDE


def tex_projects(files: Iterable[Path]) -> TexProjects:
    """Look through the ``.tex`` files of a folder for whole documents."""
    found = TexProjects()
    for path in files:
        if path.suffix.lower() != ".tex":
            continue
        try:
            if not path.is_file():
                continue
            with path.open("rb") as stream:
                text = decode(stream.read(MAX_TEX))
        except (OSError, NotTextError):
            continue
        if is_main(text):
            found.mains.add(path)
            found.folders.setdefault(path.parent, set()).update(included(without_comments(text)))
    for path in found.mains:
        # Figures and bibliographies may be named in parts too.
        try:
            text = assembled(path.name, FolderParts(path.parent)).text
        except NotTextError:
            continue
        found.folders[path.parent] |= included(text)
    return found


def tex_file_papers(path: Path, source: str) -> Iterator[PaperText | ReadProblem]:
    """Yield the paper of a ``.tex`` file; its parts are looked for in its own folder and below."""
    yield from _papers([path.name], FolderParts(path.parent), source)


def tex_archive_papers(stream: IO[bytes], source: str) -> Iterator[PaperText | ReadProblem]:
    """Yield the papers of a ``.tar.gz``: one for each whole document in it."""
    parts = archive_parts(stream)
    mains = main_names(parts.items())
    if not mains:
        yield ReadProblem(source, "", r"holds no .tex file with \documentclass; pack a paper's TeX sources")
        return
    yield from _papers(mains, parts, source, places=True)


def _papers(
    mains: Iterable[str], parts: Mapping[str, str], source: str, *, places: bool = False
) -> Iterator[PaperText | ReadProblem]:
    for name in mains:
        place = name if places else ""
        if name not in parts:
            yield ReadProblem(source, place, "may not be read; check its permissions and what it links to")
            continue
        try:
            found = assembled(name, parts)
        except NotTextError as error:
            yield ReadProblem(source, place, str(error))
            continue
        if not found.text.strip():
            yield ReadProblem(source, place, "empty; give a title and a text")
            continue
        layout = lay_out(clean(tex_markdown(found.text)))
        if not layout.title:
            yield ReadProblem(source, place, r"no title; give the whole document, with its \title")
            continue
        yield paper_of(layout, layout.particulars, source, place, source)
        if found.missing:
            absent = ", ".join(found.missing[:3]) + (", ..." if len(found.missing) > 3 else "")
            told = f"read without {absent[:200]}; parts are looked for beside the main file and below"
            yield ReadProblem(source, place, told, remark=True)
