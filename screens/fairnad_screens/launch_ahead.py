"""The launch form's forecast: what the search would take, by assumptions, and by its seed once that is timed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from textual.content import Content

from fairnad_engine.errors import FairnadError
from fairnad_screens.launch_sheet import FORECAST, INCOMPLETE, MISSING, LaunchSheet
from fairnad_screens.text import plain
from fairnad_screens.widgets.launch_forecast import forecast_line, forecast_text

if TYPE_CHECKING:
    from fairnad_engine.preflight import Check
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.search.costs import SeedTiming
    from fairnad_engine.search.forecast import Forecast


class LaunchAhead(LaunchSheet):
    """Works out the forecast whenever the settings change; times the seed when it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: Forecast | None = None
        # Timings by what they depend on; where there is none, why not.
        self._timings: dict[str, SeedTiming | str] = {}
        self._timing = ""

    def _changed(self) -> None:
        self._ahead = None
        super()._changed()

    async def _run_checks(self, config: RunConfig) -> tuple[Check, ...]:
        await self._look_ahead(config)
        return await super()._run_checks(config)

    async def _look_ahead(self, config: RunConfig) -> None:
        from fairnad_engine.search.outlook import look_ahead

        found = self._timings.get(timed_by(config), "its seed is not timed yet")
        timing, why_not = (None, found) if isinstance(found, str) else (found, "")
        ahead = await asyncio.to_thread(look_ahead, config, timing, why_not, gpus=len(self._gpus or ()))
        if self.there and config == self._config():
            self._ahead = ahead
            self._show_side()

    def _side_text(self) -> Content:
        if self._view != FORECAST:
            text = super()._side_text()
            if self._view == MISSING and self._ahead is not None:
                return Content("\n").join([text, forecast_line(self._ahead)])
            return text
        config = self._config()
        if config is None:
            return plain(INCOMPLETE)
        key = timed_by(config)
        found = self._timings.get(key)
        problem = found if isinstance(found, str) else ""
        return forecast_text(self._ahead, config, timed=found is not None, timing=self._timing == key, problem=problem)

    def view_side(self, view: str) -> None:
        """Show something else beside the form, from its top."""
        self._view = view
        self._show_side()
        self.query_one("#side").scroll_home(animate=False)

    def do_forecast(self) -> None:
        """Show what the search would take, and time the seed where that is not done; else go back."""
        config = self._config()
        untimed = config is not None and timed_by(config) not in self._timings
        if self._view == FORECAST and not (untimed and not self._timing):
            self.view_side(MISSING)
            return
        self.view_side(FORECAST)
        if config is not None and untimed and not self._timing:
            self._timing = timed_by(config)
            self._show_side()
            self.background(self._time_seed(config))

    async def _time_seed(self, config: RunConfig) -> None:
        from fairnad_engine.search import outlook

        key = self._timing
        try:
            self._timings[key] = await asyncio.to_thread(outlook.time_seed_apart, config)
        except FairnadError as error:
            self._timings[key] = str(error)
        finally:
            self._timing = ""
        if self.there:
            self._show_side()
            now = self._config()
            if now is not None:
                await self._look_ahead(now)

    def do_check(self) -> None:
        """Look again at what is missing, and let a seed that could not be timed be tried again."""
        self._timings = {key: found for key, found in self._timings.items() if not isinstance(found, str)}
        self._changed()


def timed_by(config: RunConfig) -> str:
    """What a timing of the seed depends on."""
    parts = {
        "seed": config.search.seed_backbone,
        "data": config.data.model_dump(mode="json"),
        "limits": [config.budget.max_params, config.budget.max_macs],
        "machine": [config.machine.devices, config.machine.precision],
    }
    return json.dumps(parts, sort_keys=True)
