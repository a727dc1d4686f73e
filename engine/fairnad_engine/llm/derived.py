"""Ideas that a search derives itself (method, section 3, Stage III)."""

from __future__ import annotations

from hashlib import sha256

from fairnad_engine.llm.protocol import IdeaBrief


def derived_idea(sub: str, name: str, instruction: str) -> IdeaBrief:
    """A derived idea; its id comes of its content, so that deriving it again gives the same idea."""
    digest = sha256(f"{sub}\n{name}\n{instruction}".encode()).hexdigest()[:12]
    return IdeaBrief(f"derived-{digest}", sub.partition(".")[0], sub, name, instruction)
