"""Which guards of a reply a server allows, as a probe saw it: what is held, and what stands in where one is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairnad_engine.llm.probe import Probe


@dataclass(frozen=True)
class Guard:
    """One guard.

    Attributes:
        name: What is guarded.
        held: Whether this server allows it; None where there is nothing to hold.
        how: What the program does of it, or instead.
    """

    name: str
    held: bool | None
    how: str


def guards_of(probe: Probe) -> tuple[Guard, ...]:
    """The guards of a model on its server, most important first."""
    own = _of_openai(probe) if probe.protocol == "openai" else _of_ollama(probe)
    counted = Guard(
        "tokens read are counted",
        probe.counts_tokens,
        "held against the least that the prompt can have, after each call"
        if probe.counts_tokens
        else "every answer is refused: nothing shows whether a prompt was read whole",
    )
    schema = Guard(
        "replies keep to a schema",
        probe.schema,
        "as asked, with thinking off" if probe.schema else "replies are read tolerantly, then asked for once more",
    )
    return (*own, counted, schema)


def recorded_guards(digest: str) -> list[dict[str, Any]]:
    """The guards of the model with this digest as the last probe saw them, as a run keeps them; nothing is asked."""
    from fairnad_engine.llm.probe import kept_probes

    found = [one for one in kept_probes().values() if one.digest == digest]
    return [asdict(one) for one in guards_of(found[-1])] if found else []


def _of_ollama(probe: Probe) -> Iterator[Guard]:
    yield Guard("a context is asked for", True, "num_ctx, from each prompt's own size")
    yield Guard(
        "a prompt that does not fit is refused",
        probe.refuses_long_prompts,
        "HTTP 400, by truncate and shift"
        if probe.refuses_long_prompts
        else "this server cuts it short and says nothing; the count of tokens shows it, and the answer is not used",
    )
    yield Guard(
        "the context given is told",
        probe.tells_context,
        "read back after the first call" if probe.tells_context else "the count of tokens has to show a smaller one",
    )
    yield Guard(
        "thinking keeps to the schema",
        probe.schema_thinking,
        "it cannot think" if probe.schema_thinking is None else "the program asks with thinking off",
    )


def _of_openai(probe: Probe) -> Iterator[Guard]:
    yield Guard("a context is asked for", False, "it is what the server was started with")
    yield Guard(
        "the context is told",
        probe.tells_context,
        "a longer prompt is not sent"
        if probe.tells_context
        else f"{probe.context} tokens are assumed; the server has to refuse a longer prompt",
    )
    yield Guard(
        "thinking is switched off",
        not probe.thinks,
        "chat_template_kwargs" if not probe.thinks else "the server does not know the field; thoughts are cut off",
    )
