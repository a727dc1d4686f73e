"""One model on several Ollama servers, used side by side; one that fails is set aside and tried again.

A server remembers the prompts it read last, so questions about the same piece of a paper go to the same server, unless
it has clearly more to do than another.

Which server answers changes nothing that is recorded but the seconds: all must hold the same weights, and one that
comes back with others is not asked.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairnad_engine.errors import ModelMissingError, ModelUnavailableError
from fairnad_engine.llm.chat import ChatReply
from fairnad_engine.llm.incidents import report
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.patience import LostAnswerError, Patience, notice

if TYPE_CHECKING:
    from pydantic import BaseModel

_ASIDE_SECONDS = 30.0
_REMEMBERED = 4  # Prompts whose beginning a server has at hand: its lanes, as far as one can know.
_WORTH = 400  # Characters; a shorter beginning is read anew in no time.


@dataclass
class _Host:
    model: OllamaModel
    asking: int = 0
    aside_until: float = float("-inf")
    known: bool = False  # its weights were compared
    read: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def remembers(self, prompt: str) -> int:
        """Characters of a prompt's beginning that the server has read before, where it is worth going there."""
        common = max((_shared(prompt, one) for one in self.read), default=0)
        return common if common >= _WORTH else 0


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
    def patience(self) -> Patience:
        """How long they are asked again when all have failed."""
        return self._patience

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
                self._set_aside(host, error)
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
        """Answer one prompt; see :class:`fairnad_engine.llm.chat.ChatModel`.

        It goes to the server that remembers its beginning, or else to the one that has least to do.
        A server that fails is not asked again before each other one was; they are waited for when all have failed.
        """

        def question(host: _Host) -> ChatReply:
            return host.model.chat_once(
                system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
            )

        return self._patience.ask(lambda: self._round(question, user))

    def _round(self, question: Callable[[_Host], ChatReply], prompt: str) -> ChatReply:
        """Ask one server after the other, each once.

        Raises:
            LostAnswerError: All failed, and one of them may answer later.
            ModelUnavailableError: None of them will.
        """
        tried: list[_Host] = []
        lost: LostAnswerError | None = None
        while True:
            host = self._take(tried, prompt)
            try:
                self._compare_for_prompt(host)
                return question(host)
            except (LostAnswerError, ModelUnavailableError) as failure:
                lost = failure if isinstance(failure, LostAnswerError) else lost
                tried.append(host)
                self._set_aside(host, failure)
                if len(tried) == len(self._hosts):
                    raise lost or failure from failure
                notice(self._patience.told, f"{failure}; set aside for {_ASIDE_SECONDS:g} s, the next server is asked")
            finally:
                with self._lock:
                    host.asking -= 1

    def _take(self, tried: Sequence[_Host], prompt: str) -> _Host:
        """A server not tried for this prompt; one that is set aside only where no other is left.

        The one that remembers the prompt's beginning, as long as it has at most twice as much to do as the least busy
        one: an idle server reads a piece in less time than another one's answer takes.
        """
        with self._lock:
            now = self._clock()
            untried = [host for host in self._hosts if all(host is not one for one in tried)]
            host = min(untried, key=lambda one: (max(0.0, one.aside_until - now), one.asking))
            if host.aside_until <= now:
                near = [one for one in untried if one.aside_until <= now and one.asking <= 2 * host.asking]
                host = max(near, key=lambda one: (one.remembers(prompt), one is host))
            host.asking += 1
            host.read.append(prompt)
            return host

    def _set_aside(self, host: _Host, why: Exception) -> None:
        report("aside", f"{host.model.url} set aside for {_ASIDE_SECONDS:g} s: {why}")
        with self._lock:
            host.aside_until = self._clock() + _ASIDE_SECONDS
            host.known = False  # what comes back may be another server
            host.read.clear()
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


def _shared(one: str, other: str) -> int:
    """Length of the beginning that two texts have in common, found by halving: prompts are long and calls many."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one.startswith(other[:middle]):
            least = middle
        else:
            most = middle - 1
    return least


class _OtherWeightsError(ModelUnavailableError):
    """Two servers mean different models by one name."""
