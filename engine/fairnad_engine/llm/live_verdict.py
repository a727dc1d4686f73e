"""What a live check's figures mean: good enough or not, what to change, and how long library and search would take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairnad_engine.llm.live_figures import Measured, Plan, Share

SCREENINGS, EXTRACTIONS = 2_353, 68_940
"""Calls for the whole library (method, section 1): each abstract; 15 categories x 4 pieces x 1,149 papers."""

CANDIDATES = 500
"""Trained models of the search that is forecast."""

# The least that is good enough, as docs/models.md has it.
WHOLE, SCHEMA, ANSWERED, SCREENED = 0.99, 0.95, 0.95, 0.8
GROUNDED, IDEAS = 0.6, 2.0  # ideas are per paper
PASSED, REALISED = 0.2, 0.3
SPEED = 10.0  # tokens written a second

_LESS = "lower [model] max_reply (--max-reply here), or take a model with a longer context"


@dataclass(frozen=True)
class Line:
    """One figure beside what is wanted.

    Attributes:
        name: What was measured.
        value: The figure; None where nothing was.
        of: Of how many.
        least: The least that is good enough; None where the figure decides nothing.
        change: What to change where it is not.
        low: Lower end of a 95 % interval of a share (Wilson); None for other figures.
        high: Its upper end.
    """

    name: str
    value: float | None
    of: int
    least: float | None = None
    change: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def good(self) -> bool | None:
        """Whether it is good enough; None where it decides nothing or was not measured."""
        return None if self.least is None or self.value is None else self.value >= self.least


def lines_of(m: Measured, plan: Plan) -> list[Line]:
    """Every figure that decides, most basic first."""
    design = plan.edits
    shorter = {
        "whole": 'try [model] edit_format = "diff", or "catalogue", where the model only picks',
        "diff": 'try [model] edit_format = "catalogue", where the model only picks a transformation',
        "catalogue": "the model picks transformations that do not fit: choose a larger one",
    }[design.edit_format]
    worst = ", ".join(f"{number} {kind}" for kind, number in m.failures.most_common(3)) or "none"
    if m.too_long:
        shorter = f"{m.too_long} prompts did not fit the context beside a reply of {design.max_reply} tokens: {_LESS}"
    elif m.failures.most_common(1) and m.failures.most_common(1)[0][0] == "truncated-reply":
        shorter = f"raise [model] max_reply above {design.max_reply}; or {shorter}"
    each = m.ideas / m.papers if m.papers else None
    return [
        _share("prompts read whole at once", m.whole, WHOLE, "raise the server's context (OLLAMA_CONTEXT_LENGTH)"),
        _share("replies valid by the schema", m.schema, SCHEMA, "update the server, or take a model that keeps to it"),
        _share("questions answered", m.answered, ANSWERED, "choose a model that follows instructions: 8B or more"),
        _share("abstracts judged rightly", m.screened, SCREENED, "screen with a larger model, or decide by hand"),
        Line("ideas a paper", each, m.papers, IDEAS, "the model sees no ideas in papers that hold some: a larger one"),
        _share("ideas grounded", m.grounded, GROUNDED, "it does not copy quotes: choose a larger model"),
        _share("proposals that are programs", m.designed),
        _share("proposals exportable", m.exportable),
        _share("proposals passed", m.passed, PASSED, f"failures: {worst}; {shorter}"),
        _share("ideas realised", m.realised, REALISED, f"its designs do not do what the idea says; {shorter}"),
        Line("tokens written a second", _speed(m), _calls(m), SPEED, "a smaller model or quantisation, a faster GPU"),
    ]


@dataclass(frozen=True)
class Ahead:
    """Hours that something would take, one call at a time."""

    name: str
    calls: int | None
    hours: float | None


def forecast(m: Measured) -> list[Ahead]:
    """The whole library, and a search of 500 candidates by proposals that pass at the first try."""
    screen, extract, design = (_each(m, one) for one in ("screen", "extract", "design"))
    library = None
    if screen is not None and extract is not None:
        library = (SCREENINGS * screen + EXTRACTIONS * extract) / 3600
    proposals = math.ceil(CANDIDATES / m.passed.value) if m.passed.value else None
    search = None
    if proposals is not None and design is not None:
        verified = m.verify_seconds / max(1, m.designed.met)
        search = proposals * (design * _calls(m, "design") / m.passed.of + verified) / 3600
    return [
        Ahead("the whole library", SCREENINGS + EXTRACTIONS if library is not None else None, library),
        Ahead(f"a search of {CANDIDATES} candidates", proposals, search),
    ]


def verdict(lines: list[Line]) -> str:
    """``good enough``, ``not good enough``, or ``not decided`` where something that decides was not measured."""
    if any(one.good is False for one in lines):
        return "not good enough"
    return "good enough" if all(one.good for one in lines if one.least is not None) else "not decided"


def as_document(m: Measured, plan: Plan) -> dict[str, Any]:
    """The documented JSON form."""
    lines = lines_of(m, plan)
    return {
        "model": m.model,
        "edit_format": plan.edits.edit_format,
        "verdict": verdict(lines),
        "ended": m.ended,
        "figures": [
            {
                "name": one.name,
                "value": _round(one.value),
                "of": one.of,
                "low": _round(one.low),
                "high": _round(one.high),
                "least": one.least,
                "good": one.good,
                "change": one.change if one.good is False else "",
            }
            for one in lines
        ],
        "failures": dict(m.failures),
        "calls": [
            {
                "purpose": purpose,
                "calls": one.calls,
                "prompt_tokens": one.read,
                "completion_tokens": one.written,
                "seconds": round(one.seconds, 3),
                "seconds_a_call": _round(one.seconds / one.calls),
                "read_a_second": _round(one.read / one.waited if one.waited else None),
                "written_a_second": _round(_rate(one.written, one.writing)),
            }
            for purpose, one in m.spent.items()
        ],
        "verify_seconds": round(m.verify_seconds, 3),
        "forecast": [{"what": one.name, "calls": one.calls, "hours": _round(one.hours)} for one in forecast(m)],
    }


def _share(name: str, share: Share, least: float | None = None, change: str = "") -> Line:
    low, high = wilson(share.met, share.of) if share.of else (None, None)
    return Line(name, share.value, share.of, least, change, low, high)


def wilson(met: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """A 95 % interval of a share, which holds also for few cases and at its ends."""
    share, spread = met / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, centre - half), min(1.0, centre + half)


def _speed(m: Measured) -> float | None:
    spent = m.spent.values()
    return _rate(sum(one.written for one in spent), sum(one.writing for one in spent))


def _rate(written: int, seconds: float) -> float | None:
    return written / max(seconds, 1e-3) if written else None


def _calls(m: Measured, purpose: str | None = None) -> int:
    return sum(one.calls for name, one in m.spent.items() if purpose in (None, name))


def _each(m: Measured, purpose: str) -> float | None:
    spent = m.spent.get(purpose)
    return spent.seconds / spent.calls if spent and spent.calls else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
