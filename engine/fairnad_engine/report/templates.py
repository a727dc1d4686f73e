"""The report's Jinja2 templates, with every value made harmless on its way into the text.

Names, changes, ideas and quotes come from papers and models. In Markdown each value is shown with its control
characters visible and its markup escaped; in XML it is escaped by Jinja2. Only text wrapped by the program itself
as :class:`~markupsafe.Markup` goes through as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fairnad_engine.resources import template_file
from fairnad_engine.text import escape, one_line

if TYPE_CHECKING:
    from jinja2 import Environment

NOTHING = "–"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$#&])")


def render_markdown(name: str, **values: Any) -> str:  # noqa: ANN401
    """Render a template of ``templates/report`` as Markdown."""
    return _environment(xml=False).get_template(name).render(**values)


def render_xml(name: str, **values: Any) -> str:  # noqa: ANN401
    """Render a template of ``templates/report`` as XML."""
    return _environment(xml=True).get_template(name).render(**values)


@lru_cache(maxsize=2)
def _environment(xml: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_file("report")),
        autoescape=xml,  # noqa: S701 - Markdown is escaped by prose()
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_xml_text if xml else prose,
    )
    environment.filters.update(percent=percent, count=count, share=share, duration=duration, code=code, lines=lines)
    return environment


def prose(value: Any) -> Any:  # noqa: ANN401
    """A value as one line of Markdown that shows its characters and does nothing else."""
    if value is None:
        return NOTHING
    if isinstance(value, str) and not isinstance(value, Markup):
        return _MARKDOWN.sub(r"\\\1", escape(one_line(value)))
    return value


def _xml_text(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape(value)
    return value


def code(value: str) -> Markup:
    """A value as a Markdown code span, whatever backticks it holds."""
    text = escape(one_line(str(value))).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{space}{text}{space}{fence}")  # noqa: S704 - nothing in a code span is markup


def lines(value: str) -> list[str]:
    """The lines of a text; other separators than line feeds are shown inside a line."""
    return value.split("\n")


def percent(value: float | None) -> str:
    """An accuracy with two decimals."""
    return NOTHING if value is None else f"{value:.2f} %"


def share(value: float | None) -> str:
    """A fraction with two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def count(value: int | None) -> str:
    """A number with separators of thousands."""
    return NOTHING if value is None else f"{value:,}"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
