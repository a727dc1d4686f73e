"""Prompts: Jinja2 files in ``templates/prompts``, each with a ``system`` and a ``user`` block.

What stays the same from call to call comes first, so that a server's prefix cache serves it. Text of papers and
models goes in as a value, never as a template, and only through :func:`as_data`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fairnad_engine.resources import template_file

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
_ROLE_MARKUP = re.compile(
    r"(<)(?=[|｜]|</?SYS>>|\s*/?\s*(?:s|bos|eos|sop|think|paper|reply|program|start_of_turn|end_of_turn|tool_call|"
    r"tool_response)\s*>)|(\[)(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|gMASK)\])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Prompt:
    """A prompt's two parts."""

    system: str
    user: str


def render(name: str, **values: object) -> Prompt:
    """Fill in the prompt file ``<name>.j2``.

    Raises:
        jinja2.UndefinedError: The file names a value that is not given.
    """
    template = _environment().get_template(f"{name}.j2")
    parts = ("".join(template.blocks[part](template.new_context(values))).strip() for part in ("system", "user"))
    return Prompt(*parts)


def as_data(text: str, limit: int) -> str:
    """Make text of a paper or a model fit to stand in a prompt.

    Control characters go. A space is put into whatever a tokenizer would take for the end of a turn or a prompt
    would take for the end of the text; quotes are found all the same, since grounding ignores white space.
    """
    safe = _ROLE_MARKUP.sub(lambda match: f"{match[0]} ", _CONTROL.sub("", text))
    return safe if len(safe) <= limit else safe[:limit].rstrip() + " […]"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(template_file("prompts")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - plain text for a model, no HTML
    )
