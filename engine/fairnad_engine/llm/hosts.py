"""One model on several Ollama servers, used side by side; one that fails is set aside and tried again.

Which server answers changes nothing that is recorded but the seconds: all must hold the same weights, and one that
comes back with others is not asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.errors import ModelMissingError, ModelUnavailableError
from fairnad_engine.llm.chat import ChatReply
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.patience import LostAnswerError, notice

if TYPE_CHECKING:
    from pydantic import BaseModel

_ASIDE_SECONDS = 30.0


@dataclass
class _Host:
    model: OllamaModel
    asking: int = 0
    aside_until: float = float("-inf")
    known: bool = False  # its weights were compared


class OllamaHosts:
    """A chat model that several servers have. May be called from several threads at once.

    Args:
        models: The same model on each server, in the order in which they are named; the first one's patience holds.
        clock: Seconds that only go forward.
    """

    def __init__(self, models: Sequence[OllamaModel], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hosts = [_Host(model) for model in models]
        self._patience = models[0].patience
        self._clock = clock
        self._lock = threading.Lock()
        self._digest = ""
        self._context = 0

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._hosts[0].model.name

    @property
    def context(self) -> int:
        """Tokens that prompt and reply may take; the same on all servers, whose weights are the same.

        Raises:
            ModelUnavailableError: None of them answers.
        """
        if not self._context:  # a server that is away is not asked for each paper
            for host in self._hosts[:-1]:
                with suppress(ModelUnavailableError):
                    self._context = host.model.context
                    return self._context
            self._context = self._hosts[-1].model.context
        return self._context

    def check(self) -> str:
        """Return the digest of the weights that the servers share; those that do not answer are set aside.

        Raises:
            ModelUnavailableError: None of them has the model, or two have different weights under its name.
        """
        problems = []
        for host in self._hosts:
            try:
                self._compare(host)
            except _OtherWeightsError:
                raise
            except ModelUnavailableError as error:
                problems.append(error)
                self._set_aside(host)
        if len(problems) == len(self._hosts):
            raise problems[0]
        return self._digest

    def chat(
        self,
        system: str,
        user: str,
        schema: type[BaseModel] | None,
        purpose: str,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> ChatReply:
        """Answer one prompt on the server that has least to do; see :class:`fairnad_engine.llm.chat.ChatModel`.

        A server that fails is not asked again before each other one was; they are waited for when all have failed.
        """

        def question(host: _Host) -> ChatReply:
            return host.model.chat_once(
                system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
            )

        return self._patience.ask(lambda: self._round(question))

    def _round(self, question: Callable[[_Host], ChatReply]) -> ChatReply:
        """Ask one server after the other, each once.

        Raises:
            LostAnswerError: All failed, and one of them may answer later.
            ModelUnavailableError: None of them will.
        """
        tried: list[_Host] = []
        lost: LostAnswerError | None = None
        while True:
            host = self._take(tried)
            try:
                self._compare_for_prompt(host)
                return question(host)
            except (LostAnswerError, ModelUnavailableError) as failure:
                lost = failure if isinstance(failure, LostAnswerError) else lost
                tried.append(host)
                self._set_aside(host)
                if len(tried) == len(self._hosts):
                    raise lost or failure from failure
                notice(self._patience.told, f"{failure}; set aside for {_ASIDE_SECONDS:g} s, the next server is asked")
            finally:
                with self._lock:
                    host.asking -= 1

    def _take(self, tried: Sequence[_Host]) -> _Host:
        """The least busy server not tried for this prompt; one that is set aside only where no other is left."""
        with self._lock:
            now = self._clock()
            untried = [host for host in self._hosts if all(host is not one for one in tried)]
            host = min(untried, key=lambda one: (max(0.0, one.aside_until - now), one.asking))
            host.asking += 1
            return host

    def _set_aside(self, host: _Host) -> None:
        with self._lock:
            host.aside_until = self._clock() + _ASIDE_SECONDS
            host.known = False  # what comes back may be another server
            host.model.forget()

    def _compare_for_prompt(self, host: _Host) -> None:
        try:
            self._compare(host)
        except (ModelMissingError, _OtherWeightsError):
            raise
        except ModelUnavailableError as away:  # it may be on its way up
            raise LostAnswerError(away) from away

    def _compare(self, host: _Host) -> None:
        if host.known:
            return
        digest = host.model.check()
        with self._lock:
            self._digest = self._digest or digest
            if digest != self._digest:
                raise _OtherWeightsError(
                    f"{host.model.url} has other weights under the name {host.model.name} than the first server "
                    f"({digest[:19]} and {self._digest[:19]}); pull the same model on all, or name one server"
                )
            host.known = True


class _OtherWeightsError(ModelUnavailableError):
    """Two servers mean different models by one name."""
