"""TeX papers as Markdown: title, abstract, sections and prose; figures, citations and the bibliography left out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pylatexenc.latex2text import LatexNodes2Text

_BIBLIOGRAPHY = re.compile(
    r"\\(?:bibliography\s*\{|printbibliography\b|begin\s*\{thebibliography\}|end\s*\{document\})"
)
_HEADING = re.compile(r"\\(part|chapter|section|subsection|subsubsection)\*?\s*(?:\[[^\[\]]{0,300}\])?\s*(?=\{)")
_LEVELS = {"part": 2, "chapter": 2, "section": 2, "subsection": 3, "subsubsection": 4}
_DROPPED = (
    "figure|wrapfigure|table|wraptable|tabular|tabularx|tikzpicture|algorithm|algorithmic|algorithm2e|lstlisting|"
    "verbatim|comment|minted|CCSXML|IEEEkeywords|keywords"
)
_BEGIN = re.compile(rf"\\begin\s*\{{({_DROPPED})\*?\}}")
_MATH = re.compile(r"\\begin\s*\{(?:equation|align|gather|multline|eqnarray|displaymath|math)\*?\}|\\\[")
_MATH_END = re.compile(r"\\end\s*\{(?:equation|align|gather|multline|eqnarray|displaymath|math)\*?\}|\\\]")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[A-Za-z*]{1,40}\}(?:\[[^\[\]\n]{0,200}\])?")
_CITATION = re.compile(
    r"[~\s]{0,3}\\(?:[cC]ite[a-zA-Z]*|nocite|parencite|autocite|footcite)\*?(?:\s*\[[^\[\]]{0,200}\]){0,2}\s*\{[^{}]{0,2000}\}"
    r"|\\(?:label|vspace|hspace|bibliographystyle|pagestyle|thispagestyle|setcounter|addtocounter|input|include|"
    r"includegraphics|hypersetup|setlength)\*?(?:\s*\[[^\[\]]{0,300}\])?\s*\{[^{}]{0,500}\}(?:\{[^{}]{0,100}\})?"
)
_REFERENCE = re.compile(r"\\(?:ref|cref|Cref|eqref|autoref|pageref|vref)\*?\s*\{[^{}]{0,300}\}")
_SHORTHAND = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand|def)\*?\s*\{?\\([A-Za-z]{1,40})\}?\s*(?=\{)", re.ASCII
)
_LONGEST_SHORTHAND = 80
_LONGEST_PARAGRAPH = 20_000
_LONGEST_MATH = 3000


def tex_markdown(text: str) -> str:
    """Return the text of a TeX document, comments dropped and parts in their places, as Markdown.

    Nothing of it is executed: of its own macros only those that stand for a few plain words are put in, once.
    """
    shorthands = _shorthands(text)
    title = _plain(_with(_without_command(_argument_of(text, "title"), "thanks"), shorthands))
    authors = _authors(_argument_of(text, "author"))
    start = re.search(r"\\begin\s*\{document\}", text)
    abstract = "" if start is None else _argument_of(text[: start.start()], "abstract")
    body = text[start.end() :] if start else text
    end = _BIBLIOGRAPHY.search(body)
    body = _with(body[: end.start()] if end else body, shorthands)
    for command in ("title", "author", "thanks", "footnotetext", "icmltitle", "icmlauthor", "icmlaffiliation", "date"):
        body = _without_command(body, command)
    paragraphs = [f"## Abstract\n\n{_plain(abstract)}"] if abstract.strip() else []
    for paragraph in re.split(r"\n[ \t]*\n\s*", _marked(body)):
        mark = re.match(r"\s*(#{2,4}|-) ", paragraph)
        if plain := _plain(paragraph[mark.end() :] if mark else paragraph):
            # A sign that would make Markdown of it is no heading of the paper's.
            plain = plain if mark else re.sub(r"^(?:#{1,6} |```|~~~)+", "", plain)
            paragraphs.append(f"{mark[1]} {plain}" if mark else plain)
    head = [f"# {title}"] if title else []
    head += [f"**Authors:** {authors}"] if authors and title else []
    return "\n\n".join([*head, *paragraphs]) + "\n"


def included(text: str) -> set[str]:
    """Return the stems of the figures and bibliographies that a TeX document names."""
    names = re.findall(r"\\includegraphics\*?(?:\s*\[[^\[\]]{0,300}\])?\s*\{([^{}]{1,300})\}", text)
    for listing in re.findall(r"\\(?:bibliography|addbibresource)\s*\{([^{}]{1,1000})\}", text):
        names += listing.split(",")
    return {re.sub(r"\.\w+$", "", name.strip().rsplit("/", 1)[-1]) for name in names}


def tex_words(text: str) -> str:
    """Return the words of a short piece of TeX, for example a BibTeX field, on one line."""
    return _plain(text)


def _marked(body: str) -> str:
    """Headings as Markdown of their own paragraphs; what is no prose taken out."""
    body = _without_environments(body)
    body = re.sub(r"\\begin\s*\{abstract\}", "\n\n## Abstract\n\n", body)
    pieces: list[str] = []
    at = 0
    for match in _HEADING.finditer(body):
        if match.start() < at:
            continue
        inner, after = _braced(body, match.end())
        pieces += [body[at : match.start()], f"\n\n{'#' * _LEVELS[match[1]]} {' '.join(inner.split())}\n\n"]
        at = after
    body = "".join([*pieces, body[at:]])
    body = re.sub(r"\\(?:paragraph|subparagraph)\*?\s*\{([^{}]{0,300})\}", lambda m: f"\n\n{m[1].rstrip(' .')}. ", body)
    body = re.sub(r"\\item\b(?:\s*\[([^\[\]]{0,200})\])?", lambda m: f"\n\n- {m[1] or ''} ", body)
    body = re.sub(r"\\(?:maketitle|tableofcontents|appendix|clearpage|newpage)\b|\\times ?", _sign, body)
    body = re.sub(r"\\(?:begin|end)\s*\{(?:itemize|enumerate|description|abstract|center|quote)\}", "\n\n", body)
    return _ENVIRONMENT.sub("", _REFERENCE.sub("", _CITATION.sub("", body)))


def _sign(match: re.Match[str]) -> str:
    return "×" if match.group().startswith(r"\times") else " "


def _without_environments(body: str) -> str:
    pieces: list[str] = []
    at = 0
    while match := _BEGIN.search(body, at):
        pieces.append(body[at : match.start()])
        end = re.compile(rf"\\end\s*\{{{match[1]}\*?\}}").search(body, match.end())
        at = end.end() if end else len(body)
        caption = _argument_of(body[match.end() : at], "caption")
        pieces.append(f"\n\n{caption}\n\n" if caption else " ")
    body = "".join([*pieces, body[at:]])
    pieces, at = [], 0
    while match := _MATH.search(body, at):
        end = _MATH_END.search(body, match.end())
        stop = end.end() if end else match.end()
        formula = body[match.end() : end.start()] if end and end.start() - match.end() <= _LONGEST_MATH else ""
        # The formula stays inside its sentence.
        formula = re.sub(r"\\label\s*\{[^{}]*\}|\\nonumber|\\\\|&|\n", " ", formula)
        pieces += [body[at : match.start()].rstrip(), f" ${formula}$ " if formula.strip() else " "]
        at = stop
    return "".join([*pieces, body[at:]])


def _braced(text: str, start: int, longest: int = 1000) -> tuple[str, int]:
    """Return what stands between the brace at a place and its partner near by, and where that ends."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start, min(len(text), start + longest)):
        if match.group() in "{}":
            depth += 1 if match.group() == "{" else -1
            if depth == 0:
                return text[start + 1 : match.start()], match.end()
    return "", start + 1


def _argument_of(text: str, command: str) -> str:
    match = re.search(rf"\\(?:icml)?{command}\*?\s*(?:\[[^\[\]]{{0,300}}\])?\s*(?=\{{)", text)
    return _braced(text, match.end(), _LONGEST_PARAGRAPH)[0] if match else ""


def _without_command(text: str, command: str) -> str:
    pieces: list[str] = []
    at = 0
    for match in re.finditer(rf"\\{command}\*?\s*(?:\[[^\[\]]{{0,300}}\])?\s*(?=\{{)", text):
        if match.start() >= at:
            pieces.append(text[at : match.start()])
            at = _braced(text, match.end())[1]
    return "".join([*pieces, text[at:]])


def _shorthands(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _SHORTHAND.finditer(text):
        body = _braced(text, match.end(), 200)[0].replace(r"\xspace", "").strip()
        plain = re.sub(r"\\(?:text(?:sc|bf|it|tt|rm|sf)|emph|mbox)\s*\{([^{}\\]*)\}", r"\1", body)
        if plain and len(plain) <= _LONGEST_SHORTHAND and not re.search(r"[\\{}#$]", plain):
            found[match[1]] = plain
    return found


def _with(text: str, shorthands: dict[str, str]) -> str:
    if not shorthands:
        return text
    words = re.compile(rf"\\({'|'.join(sorted(shorthands, key=lambda w: (-len(w), w)))})(?![A-Za-z])(?:\{{\}}|\\ )?")
    return words.sub(lambda match: shorthands[match[1]], text)


def _authors(written: str) -> str:
    for command in ("thanks", "inst", "institute", "affiliation", "email", "footnotemark", "textsuperscript"):
        written = _without_command(written, command)
    names: list[str] = []
    for one in re.split(r"\\(?:and|And|AND)\b", written):
        names += _plain(re.split(r"\\\\", one.strip())[0]).split(",")
    kept = [" ".join(name.split()) for name in names]
    return "; ".join(name for name in kept if 3 <= len(name) <= 60 and not re.search(r"[@\d]", name))


def _plain(text: str) -> str:
    """The words of a piece of TeX, on one line."""
    text = text[:_LONGEST_PARAGRAPH]
    if not re.search(r"[\\${}~^&]|``|''|--", text):
        return " ".join(text.split())
    try:
        words = _converter().latex_to_text(text)
    except (Exception, RecursionError):  # whatever a broken formula makes the parser do, the words stay
        words = re.sub(r"\\[A-Za-z]+\*?|[\\${}~^&]", " ", text)
    words = re.sub(r"<(?:cit|ref)\.?>", "", words)
    return re.sub(r" +([.,;:)])", r"\1", " ".join(words.split()))


@lru_cache(maxsize=1)
def _converter() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text", keep_comments=True, strict_latex_spaces=False)
