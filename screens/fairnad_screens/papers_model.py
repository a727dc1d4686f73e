"""The model that reads papers: choosing one, getting it from Ollama's library, and trying what it can do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import ClassVar

from fairnad_engine.errors import FairnadError, InputError
from fairnad_engine.llm.models import DEFAULT_LLM, MOST_LANES, lanes_for, parse_llm
from fairnad_engine.store.calls import CallTotals
from fairnad_screens.actions import key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.data.papers import PapersSnapshot
from fairnad_screens.dialogs import Choice, ChoiceDialog, LineDialog
from fairnad_screens.text import plain
from fairnad_screens.widgets.text_dialog import TextDialog

_OTHER, _GET = "another …", "get …"


class PapersModel(FairScreen[PapersSnapshot]):
    """What concerns the model; the rest of the screen's work is in ``papers_work``."""

    SCOPE: ClassVar[str] = "papers"

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: PapersSnapshot | None = None
        self.busy = ""
        self.lanes: int | None = None  # papers at a time; None for two, or one for each server that is named
        self._no_longer: threading.Event | None = None

    @property
    def llm(self) -> str:
        """The model that reads papers; never another one than was chosen."""
        return self.shell.llm or DEFAULT_LLM

    @property
    def pulling(self) -> bool:
        """Whether a model is being got."""
        return self._no_longer is not None

    def set_busy(self, text: str) -> None:
        """Say what takes its time; empty text ends it."""
        self.busy = text
        if self.snapshot is not None and self.there:
            self.show(self.snapshot)

    # -- choosing ---------------------------------------------------------------------------------------------

    def do_model(self) -> None:
        """Choose the model."""
        self.flow(self._choose_model())

    async def _choose_model(self) -> None:
        chosen = await self.ask_model()
        if chosen is not None:
            self.say(f"Papers are read by {chosen}.")

    async def ask_model(self) -> str | None:
        """Ask for a model and keep it for the workspace; None where it stays as it is."""
        self.set_busy("asking Ollama which models it has")
        try:
            served, problem = await asyncio.to_thread(_served)
        finally:
            self.set_busy("")
        choices = [Choice(self.llm, f"{self.llm}   (as now)")]
        choices += [Choice(f"ollama:{name}", f"ollama:{name}   (on this machine)") for name in served]
        choices.append(Choice("rules", "rules   (built in: no model, finds phrases of the template)"))
        choices.append(Choice(_OTHER, "another: type ollama:MODEL@URL or openai:URL#MODEL"))
        if not problem:
            choices.append(Choice(_GET, "get one from Ollama's library by its name"))
        unique = list({one.value: one for one in reversed(choices)}.values())[::-1]
        title = "Which model reads papers?" + (f"\n{problem}" if problem else "")
        chosen = await self.app.push_screen_wait(ChoiceDialog(title, unique))
        if chosen in (_OTHER, _GET):
            wanted = chosen
            chosen = await self._type_model()
            if chosen is not None and wanted == _GET and not await self.pull(chosen):
                return None
        if chosen is None:
            return None
        parse_llm(chosen)
        self.shell.llm = chosen
        self.set_busy("")
        return chosen

    def do_lanes(self) -> None:
        """Say how many papers are read at a time."""
        self.flow(self._choose_lanes())

    async def _choose_lanes(self) -> None:
        title = f"How many papers shall {self.llm} read at a time?"
        usual = lanes_for(self.llm)
        hint = (
            f"1 to {MOST_LANES}; nothing for {usual}. A server of Ollama answers as many at a time as its "
            "OLLAMA_NUM_PARALLEL says."
        )
        typed = str(self.lanes or "")
        while True:
            answer = await self.app.push_screen_wait(LineDialog(title, typed, hint=hint))
            if answer is None:
                return
            typed = answer.strip()
            if not typed or (typed.isdecimal() and 1 <= int(typed) <= MOST_LANES):
                break
            hint = f"{typed!r} is no number from 1 to {MOST_LANES}."
        self.lanes = int(typed) if typed else None
        self.say(f"The next structuring reads {self.lanes or usual} at a time.")
        self.set_busy("")

    async def _type_model(self) -> str | None:
        hint = "for example ollama:qwen3:8b, or ollama:qwen3:8b@http://gpu-server:11434"
        typed = self.llm
        while True:
            answer = await self.app.push_screen_wait(LineDialog("The model", typed, hint=hint))
            if answer is None or not answer.strip():
                return None
            typed = answer.strip()
            try:
                parse_llm(typed)
            except FairnadError as error:
                hint = str(error)
            else:
                return typed

    # -- getting ----------------------------------------------------------------------------------------------

    async def pull(self, llm: str | None = None) -> bool:
        """Get a model onto its servers, showing how far it is; False where that failed or was stopped."""
        spec = parse_llm(llm or self.llm)
        if spec.kind != "ollama":
            self.say(f"{llm or self.llm} is not Ollama's; only its models can be got from its library.")
            return False
        ended = self._no_longer = threading.Event()
        try:
            for url in spec.urls or (None,):
                await asyncio.to_thread(self._pull_onto, spec.model, url, ended)
        except FairnadError as error:
            self.say(str(error))
            return False
        finally:
            self._no_longer = None
            self.set_busy("")
        if ended.is_set():
            self.say(f"Stopped getting {spec.name}; it goes on from there the next time.")
            return False
        self.say(f"{spec.name} is there.")
        return True

    def _pull_onto(self, model: str, url: str | None, ended: threading.Event) -> None:
        from fairnad_engine.llm.pull import pull_model

        said = ""
        for progress in pull_model(model, url):
            if ended.is_set():
                return
            share = "" if progress.share is None else f" {progress.share:.0%}"
            text = f"getting {model}:{share} {progress.status}"
            if text != said:
                said = text
                self.app.call_from_thread(self.set_busy, text)

    def stop_pulling(self) -> None:
        """Stop getting the model; what is there of it stays."""
        if self._no_longer is not None:
            self._no_longer.set()

    def on_unmount(self) -> None:
        """A download without anybody to look on ends."""
        self.stop_pulling()

    # -- trying -----------------------------------------------------------------------------------------------

    def do_probe(self) -> None:
        """Try what the model can do."""
        self.flow(self._probe())

    async def _probe(self) -> None:
        llm = self.llm
        if parse_llm(llm).kind == "rules":
            raise InputError("rules is built in and cannot be asked what it can do; choose a model of a server")
        self.set_busy(f"trying {llm}: context, schema, speed")
        try:
            lines = await asyncio.to_thread(_probed, llm)
        finally:
            self.set_busy("")
        await self.app.push_screen_wait(TextDialog(f"What {llm} can do", plain("\n".join(lines))))

    # -- what it took -----------------------------------------------------------------------------------------

    def do_calls(self) -> None:
        """Show what all calls took."""
        self.flow(self._calls())

    async def _calls(self) -> None:
        totals = await self.desk.read(lambda store: store.calls.totals())
        if not totals:
            self.say(f"No model was called yet; {key_of('papers.structure')} lets one read papers.")
            return
        await self.app.push_screen_wait(TextDialog("What all calls took", plain("\n".join(calls_lines(totals)))))


def _served() -> tuple[tuple[str, ...], str]:
    """Models of the Ollama server, and what is wrong with it otherwise."""
    from fairnad_engine.llm.ollama_server import served_models

    try:
        return served_models(), ""
    except FairnadError as error:
        return (), str(error)


def calls_lines(totals: Sequence[CallTotals]) -> list[str]:
    """Calls by model and purpose as the lines of a table that fits 80 columns, each model's sum last."""
    lines = [f"{'':<18}{'calls':>8}{'read':>12}{'written':>11}{'s a call':>9}{'written/s':>10}"]
    for model in dict.fromkeys(one.model for one in totals):
        own = [one for one in totals if one.model == model]
        lines += [f"{model}: {sum(one.seconds for one in own):,.0f} s in all"]
        lines += [_calls_line(f"  {one.purpose}", [one]) for one in own]
        lines += [_calls_line("  all", own)] if len(own) > 1 else []
    return lines


def _calls_line(name: str, some: Sequence[CallTotals]) -> str:
    calls, seconds = sum(one.calls for one in some), sum(one.seconds for one in some)
    read, written = sum(one.prompt_tokens for one in some), sum(one.completion_tokens for one in some)
    speed = f"{written / seconds:.1f}" if seconds and written else "-"
    return f"{name:<18}{calls:>8,}{read:>12,}{written:>11,}{seconds / max(1, calls):>9.2f}{speed:>10}"


def _probed(llm: str) -> list[str]:
    """What was seen of a model on each of its servers: what to change, what it can do, and which guards hold there."""
    from fairnad_engine.llm.guards import guards_of
    from fairnad_engine.llm.probe import probe, probe_openai
    from fairnad_engine.llm.server_warnings import server_warnings

    spec = parse_llm(llm)
    lines: list[str] = []
    for url in spec.urls or (None,):
        found = probe_openai(spec.model, url or "") if spec.kind == "openai" else probe(spec.model, url)
        warnings = server_warnings(url) if spec.kind == "ollama" else ()
        lines += [url] if url else []
        lines += [f"! {one}" for one in (*warnings, *found.advice)]
        lines += [f"{name.replace('_', ' '):<22} {_said(value)}" for name, value in asdict(found).items()]
        lines += ["", "Guards of its replies:"]
        lines += [f"{_said(guard.held):<4}{guard.name}: {guard.how}" for guard in guards_of(found)]
    return lines


def _said(value: object) -> str:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
