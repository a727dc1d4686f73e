"""Proposed categories on the template screen: let a model make some, go through them, accept or refuse each."""

from __future__ import annotations

from functools import partial

from fairnad_engine.errors import FairnadError
from fairnad_engine.knowledge.refiling import Preview
from fairnad_engine.knowledge.suggestions import Suggestion
from fairnad_engine.llm.models import DEFAULT_LLM
from fairnad_screens.actions import Action, key_of
from fairnad_screens.data.proposals import Proposals, accept, planned, read_proposals, refuse, start_proposing
from fairnad_screens.dialogs import ConfirmDialog, LineDialog
from fairnad_screens.template_work import TemplateWork, refiled_text
from fairnad_screens.widgets.proposals_dialog import Decision, ProposalsDialog


class TemplateProposals(TemplateWork):
    """What a model proposes, and the person's word about it."""

    @property
    def _llm(self) -> str:
        return self.shell.llm or DEFAULT_LLM

    def why_no_proposals(self, one: Action) -> str | None:
        """Why proposals cannot be made or looked at now."""
        if self.snapshot is None or one.name not in ("propose", "proposals"):
            return None
        if one.name == "proposals" and not self.snapshot.proposals:
            return f"No proposal is open; {key_of('template.propose')} lets a model make some."
        if one.name == "proposals" and self.snapshot.structuring:
            return f"{self.snapshot.structuring} files ideas by this template; wait for it."
        if one.name == "propose" and self.snapshot.proposing:
            return f"{self.snapshot.proposing} reads papers already."
        if one.name == "propose" and self._llm == "rules":
            return f"rules knows only the template's own words; {key_of('papers.model')} on Papers chooses a model."
        return None

    def do_propose(self) -> None:
        """Let a model read the papers for categories that the template lacks."""
        self.flow(self._propose())

    async def _propose(self) -> None:
        llm = self._llm
        question = (
            f"Let {llm} read the papers for categories that the template lacks? Nothing changes until you accept a "
            f"proposal. {key_of('papers.model')} on Papers chooses another model."
        )
        if not await self.app.push_screen_wait(ConfirmDialog(question)):
            return
        job = await self.desk.apart(partial(start_proposing, llm=llm))
        self.say(f"{job} reads the papers; {key_of('template.proposals')} shows what it proposes.")
        self.reload()

    def do_proposals(self) -> None:
        """Go through the open proposals."""
        self.flow(self._go_through())

    async def _go_through(self) -> None:
        place = 0
        while True:
            found = await self.desk.read(read_proposals)
            if not found.open:
                return
            moves = partial(self._moves, found)
            dialog = ProposalsDialog(found.template, found.open, moves, self._llm, place)
            decision = await self.app.push_screen_wait(dialog)
            if decision is None:
                return
            one = next(one for one in found.open if one.head.id == decision.number)
            place = found.open.index(one)
            try:
                await self._decide(found, one, decision)
            except FairnadError as error:
                self.say(str(error))

    async def _moves(self, found: Proposals, one: Suggestion, by_model: bool) -> Preview | str:
        llm = self._llm if by_model else ""
        try:
            return (await self.desk.apart(partial(planned, template=found.template, one=one, llm=llm)))[1]
        except FairnadError as error:
            return str(error)

    async def _decide(self, found: Proposals, one: Suggestion, decision: Decision) -> None:
        if decision.what == "refuse":
            await self.desk.write(partial(refuse, ids=one.ids))
            self.say(f"Refused: {one.head.name}.")
            self.reload()
            return
        name = ""
        if decision.what == "rename":
            hint = "Its name in the template; the proposed one becomes a cue."
            typed = await self.app.push_screen_wait(LineDialog("Accept it as", one.head.name, hint=hint))
            if typed is None:
                return
            name = typed
        llm = self._llm if decision.by_model else ""
        plan = partial(planned, template=found.template, one=one, name=name.strip(), llm=llm)
        edit, moves = await self.desk.apart(plan)
        # A model that is told another name may file otherwise than it was seen to.
        if decision.by_model and moves.sources != (decision.seen.sources if decision.seen else None):
            ideas = "1 idea" if moves.moved == 1 else f"{moves.moved:,} ideas"
            question = f"As {llm} files them now, {ideas} would move to {edit.selected}. Accept it?"
            if not await self.app.push_screen_wait(ConfirmDialog(question)):
                return
        moved = await self.desk.write(partial(accept, edit=edit, ids=one.ids))
        self.go_to = edit.selected
        self.say(f"Accepted: {edit.note}{refiled_text(moved)}. {key_of('template.undo')} undoes it.")
        self.reload()
