"""The choice of model: always explicit, never changed by the program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fairnad_engine.errors import InputError, ModelAwayError
from fairnad_engine.llm.secrets import refuse_secrets
from fairnad_engine.llm.tokens import LARGEST_CONTEXT

if TYPE_CHECKING:
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.llm.chat_author import ChatAuthor
    from fairnad_engine.llm.edits import EditSettings
    from fairnad_engine.llm.extraction import AskBy
    from fairnad_engine.llm.hosts import OllamaHosts
    from fairnad_engine.llm.kept import Around
    from fairnad_engine.llm.ollama import OllamaModel
    from fairnad_engine.llm.ollama_server import Timeouts
    from fairnad_engine.llm.openai import OpenAIModel
    from fairnad_engine.llm.protocol import Designer, Reader

DEFAULT_LLM = "ollama:qwen3:8b"
"""The paper's model, asked where none was chosen."""
LANES, MOST_LANES = 2, 64
_FORMS = f"give rules, ollama:MODEL[@URL[,URL...]] such as {DEFAULT_LLM}, or openai:URL#MODEL"


@dataclass(frozen=True)
class LlmSpec:
    """What ``--llm`` names.

    Attributes:
        kind: Who designs and reads.
        model: The model as its server names it; empty for ``rules``.
        urls: The servers; none for the default one.
        digest: What identifies its weights, once its server was asked; empty for ``rules``.
    """

    kind: Literal["rules", "ollama", "openai"]
    model: str = ""
    urls: tuple[str, ...] = ()
    digest: str = ""

    @property
    def name(self) -> str:
        """The model, wherever it is served."""
        return f"{self.kind}:{self.model}" if self.model else self.kind


@dataclass(frozen=True)
class Models:
    """A reader and a designer, and what identifies them."""

    reader: Reader
    designer: Designer
    name: str
    digest: str


def parse_llm(spec: str) -> LlmSpec:
    """Read the value of ``--llm``.

    Raises:
        InputError: It is of no known form.
    """
    refuse_secrets(spec, "--llm")
    kind, _, rest = spec.strip().partition(":")
    if kind == "rules" and not rest and ":" not in spec:
        return LlmSpec("rules")
    if kind == "openai":
        return _parse_openai(spec, rest)
    model, at, servers = rest.partition("@")
    urls = tuple(servers.split(",")) if at else ()
    if kind != "ollama" or not model or any(character.isspace() for character in rest) or not all(urls):
        raise InputError(f"{spec!r} is not a model; {_FORMS}")
    if urls:
        from fairnad_engine.llm.ollama_server import server_url

        if len({server_url(url) for url in urls}) < len(urls):
            raise InputError(f"{spec}: names a server twice; {_FORMS}")
    return LlmSpec("ollama", model, urls)


def _parse_openai(spec: str, rest: str) -> LlmSpec:
    from fairnad_engine.llm.openai_wire import openai_url

    url, _, model = rest.partition("#")
    if not url or not model or any(character.isspace() for character in rest):
        raise InputError(f"{spec!r} is not a model; {_FORMS}")
    return LlmSpec("openai", model, (openai_url(url),))


def lanes_for(spec: str) -> int:
    """Requests at a time where no number is given: no server that is named stands idle, whatever else is wrong."""
    hosts = len(spec.partition("@")[2].split(",")) if spec.startswith("ollama:") else 1
    return min(MOST_LANES, max(LANES, hosts))


def check_llm(spec: str) -> LlmSpec:
    """Make sure within seconds that a model is there, before anything else is begun; it comes with its digest.

    Raises:
        InputError: ``spec`` is of no known form.
        ModelUnavailableError: The model or its server is missing.
    """
    parsed = parse_llm(spec)
    return parsed if parsed.kind == "rules" else replace(parsed, digest=chat_model(parsed).check())


def make_models(
    spec: str,
    template: Template,
    *,
    edits: EditSettings | None = None,
    on_text: Callable[[str], None] | None = None,
    keep_alive: str = "",
    timeouts: Timeouts | None = None,
    max_context: int = LARGEST_CONTEXT,
    pause: Callable[[float], None] = time.sleep,
    around: Around | None = None,
    ask_by: AskBy = "main",
) -> Models:
    """Return the reader and designer that ``--llm`` names.

    Args:
        spec: What the user named.
        template: Under what ideas are filed.
        edits: In which form a chat model gives its designs, and how long they may be.
        on_text: Called, on the thread that asks, with each piece of a reply as it arrives.
        keep_alive: How long a server keeps the model loaded after an answer; empty for its own setting.
        timeouts: How long a server is waited for.
        max_context: Largest context that is asked for, in tokens, and what is assumed of a server that says none.
        pause: Waits before another try; may raise what is to end the tries.
        around: What is put around a chat model before the reader uses it.
        ask_by: Whether a chat model is asked for the ideas of each main category by itself, or of a level at once.

    Raises:
        InputError: ``spec`` is of no known form.
        ModelUnavailableError: The model or its server is missing.
    """
    parsed = parse_llm(spec)
    if parsed.kind == "rules":
        return _rules()
    model = chat_model(
        parsed, on_text=on_text, keep_alive=keep_alive, timeouts=timeouts, max_context=max_context, pause=pause
    )
    return _chatting(parsed, model, template, edits, on_text, around, ask_by)


def make_author(
    spec: str,
    *,
    on_text: Callable[[str], None] | None = None,
    keep_alive: str = "",
    timeouts: Timeouts | None = None,
    max_context: int = LARGEST_CONTEXT,
    pause: Callable[[float], None] = time.sleep,
    around: Around | None = None,
) -> ChatAuthor:
    """Return what works on the template; the arguments are those of :func:`make_models`.

    Raises:
        InputError: ``spec`` is of no known form, or ``rules``, which cannot do this.
        ModelUnavailableError: The model or its server is missing.
    """
    from fairnad_engine.llm.chat_author import ChatAuthor
    from fairnad_engine.llm.identified import IdentifiedChat

    parsed = parse_llm(spec)
    if parsed.kind == "rules":
        raise InputError("rules knows only the template's own words, so it cannot propose others; name a model: --llm")
    model = chat_model(
        parsed, on_text=on_text, keep_alive=keep_alive, timeouts=timeouts, max_context=max_context, pause=pause
    )
    digest = _checked(model)
    asked = IdentifiedChat(model, digest)
    return ChatAuthor(around(asked, digest) if around else asked, on_text=on_text)


def _rules() -> Models:
    from importlib.metadata import version

    from fairnad_engine.knowledge.rules_reader import RulesReader
    from fairnad_engine.llm.rules.designer import RulesDesigner

    return Models(RulesReader(), RulesDesigner(), "rules", f"rules-{version('fairnad-tui')}")


def _chatting(
    spec: LlmSpec,
    model: OllamaModel | OllamaHosts | OpenAIModel,
    template: Template,
    edits: EditSettings | None,
    on_text: Callable[[str], None] | None,
    around: Around | None,
    ask_by: AskBy,
) -> Models:
    from fairnad_engine.llm.chat_designer import ChatDesigner
    from fairnad_engine.llm.chat_reader import ChatReader
    from fairnad_engine.llm.identified import IdentifiedChat

    digest = _checked(model)
    asked = IdentifiedChat(model, digest)
    reading = around(asked, digest) if around else asked
    return Models(
        ChatReader(reading, ask_by=ask_by, on_text=on_text), ChatDesigner(asked, template, edits), spec.name, digest
    )


def _checked(model: OllamaModel | OllamaHosts | OpenAIModel) -> str:
    """The digest of a model's weights; a server that is away is waited for where the settings say so."""
    from fairnad_engine.llm.patience import LostAnswerError

    def question() -> str:
        try:
            return model.check()
        except ModelAwayError as away:
            raise LostAnswerError(away) from away

    return model.patience.ask(question) if model.patience.away else model.check()


def chat_model(
    spec: LlmSpec,
    *,
    on_text: Callable[[str], None] | None = None,
    keep_alive: str = "",
    timeouts: Timeouts | None = None,
    max_context: int = LARGEST_CONTEXT,
    pause: Callable[[float], None] = time.sleep,
) -> OllamaModel | OllamaHosts | OpenAIModel:
    """A chat model where it is served, on one server or on several; nothing is sent yet.

    Args:
        spec: What the user named; not ``rules``.
        on_text: Called, on the thread that asks, with each piece of a reply as it arrives.
        keep_alive: How long a server keeps the model loaded after an answer; empty for its own setting.
        timeouts: How long a server is waited for.
        max_context: Largest context that is asked for, in tokens, and what is assumed of a server that says none.
        pause: Waits before another try; may raise what is to end the tries.
    """
    from fairnad_engine.llm.hosts import OllamaHosts
    from fairnad_engine.llm.ollama import OllamaModel

    if spec.kind == "openai":
        from fairnad_engine.llm.openai import OpenAIModel

        return OpenAIModel(
            spec.model, spec.urls[0], timeouts=timeouts, on_token=on_text, max_context=max_context, pause=pause
        )
    models = [
        OllamaModel(
            spec.model,
            url,
            timeouts=timeouts,
            on_token=on_text,
            keep_alive=keep_alive,
            max_context=max_context,
            pause=pause,
        )
        for url in spec.urls or (None,)
    ]
    return models[0] if len(models) == 1 else OllamaHosts(models)
