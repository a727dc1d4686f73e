"""Settings that ship with the program, each a TOML file in ``templates/presets`` whose first line says what it is."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.resources import template_file
from fairnad_engine.search.config import RunConfig, load_config

_WITH_GPU, _WITHOUT_GPU = "resnet32", "demo"


@dataclass(frozen=True)
class Preset:
    """One preset: its name, what it is, and its settings."""

    name: str
    about: str
    config: RunConfig


def presets() -> tuple[Preset, ...]:
    """Every preset, by name."""
    return tuple(preset(path.stem) for path in sorted(template_file("presets").glob("*.toml")))


def preset(name: str) -> Preset:
    """One preset.

    Raises:
        InputError: There is no such preset.
    """
    path = template_file("presets", f"{name}.toml")
    config = load_config(path)
    about = path.read_text("utf-8").partition("\n")[0].removeprefix("#").strip()
    return Preset(name, about, config)


def proposal(gpus: bool) -> Preset:
    """What a machine is offered first: a small net on digits where there is no GPU."""
    return preset(_WITH_GPU if gpus else _WITHOUT_GPU)
