"""Which language model a run asks, and how long for: the ``[model]`` section of a configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from fairnad_engine.errors import InputError
from fairnad_engine.llm.edits import EditFormat, EditSettings
from fairnad_engine.llm.models import DEFAULT_LLM, LANES, MOST_LANES, lanes_for
from fairnad_engine.llm.patience import RETRY_SECONDS
from fairnad_engine.llm.secrets import refuse_secrets
from fairnad_engine.llm.tokens import LARGEST_CONTEXT
from fairnad_engine.search.config_search import Section

if TYPE_CHECKING:
    from fairnad_engine.llm.ollama_server import Timeouts

OF_THE_SERVER = {"lanes", "keep_alive", "first_token_seconds", "stall_seconds", "retry_seconds", "wait_hours"}
"""Settings of ``[model]`` that change nothing of what it says."""


class ModelSection(Section):
    """Which language model reads papers and designs backbones; always named, never guessed.

    Attributes:
        llm: The model.
        lanes: Requests at a time; where it is not given, two, or one for each server that ``llm`` names.
        edit_format: How a chat model gives a design: ``whole`` programs (the paper's form), ``diff``: search and
            replace, ``catalogue``: it picks a transformation and its parameters, and the program applies it.
        max_source: Longest program that is shown to the model or accepted from it, in characters.
        max_reply: Longest reply with a design, in tokens.
        keep_alive: How long an Ollama server keeps the model loaded after an answer, such as ``10m``: ``0`` hands its
            memory back to trainings at once, ``-1`` keeps it for ever; empty for the server's own setting.
        max_context: Largest context that a model is loaded with, in tokens; a longer prompt is split, or refused.
        first_token_seconds: How long the first piece of an answer may take: a cold model is loaded first.
        stall_seconds: How long each further piece may take before the answer is given up and asked for again.
        retry_seconds: How long a server that fails is waited for before the job ends; 0 for no further try.
        wait_hours: How long the job then waits for a server where nothing answers at all: over a night by
            default, since whoever can start it may be asleep. 0 ends the job at once, as ``retry_seconds = 0`` does.
    """

    llm: str = DEFAULT_LLM
    lanes: int = Field(default=LANES, ge=1, le=MOST_LANES)
    edit_format: EditFormat = "whole"
    max_source: int = Field(default=40_000, ge=500, le=40_000)
    max_reply: int = Field(default=8192, ge=128, le=32_768)
    keep_alive: str = Field(default="", pattern=r"^(-?\d+|\d+(ms|s|m|h))?$", max_length=12)
    max_context: int = Field(default=LARGEST_CONTEXT, ge=1024, le=1_048_576)
    first_token_seconds: float = Field(default=600.0, ge=1, le=86_400)
    stall_seconds: float = Field(default=60.0, ge=1, le=86_400)
    retry_seconds: float = Field(default=RETRY_SECONDS, ge=0, le=86_400)
    wait_hours: float = Field(default=12.0, ge=0, le=1000)

    @model_validator(mode="before")
    @classmethod
    def _a_lane_for_each_server(cls, given: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        if isinstance(given, dict) and "lanes" not in given and isinstance(given.get("llm"), str):
            return {**given, "lanes": lanes_for(given["llm"])}
        return given

    @field_validator("llm")
    @classmethod
    def _no_secret(cls, llm: str) -> str:
        try:
            return refuse_secrets(llm, "the address")
        except InputError as error:
            raise ValueError(str(error)) from None

    @property
    def timeouts(self) -> Timeouts:
        """How long a server is waited for, as the models take it."""
        from fairnad_engine.llm.ollama_server import Timeouts

        return Timeouts(
            first=self.first_token_seconds,
            silence=self.stall_seconds,
            retry=self.retry_seconds,
            away=self.wait_hours * 3600 if self.retry_seconds else 0.0,
        )

    @property
    def edits(self) -> EditSettings:
        """How designs are given, as the designer takes it."""
        return EditSettings(self.edit_format, self.max_source, self.max_reply)

    def settings(self) -> dict[str, Any]:
        """What decides of a design besides the model: only what is not at its default."""
        dumped = self.model_dump(mode="json", exclude={"llm", *OF_THE_SERVER})
        return {name: value for name, value in dumped.items() if value != type(self).model_fields[name].default}
