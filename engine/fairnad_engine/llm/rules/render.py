"""A blueprint as one complete Python module, and back."""

from __future__ import annotations

from .blueprint import Blueprint
from .components import COMPONENTS
from .geometry import InvalidBlueprintError, check
from .notation import from_json, to_json
from .render_backbone import BlockClasses, render_backbone
from .render_block import render_block
from .render_layer import Uses

_MARK = "# blueprint: "


def render_code(blueprint: Blueprint) -> str:
    """Return the module without its blueprint line: equal code is an equal network.

    Raises:
        InvalidBlueprintError: The parts do not fit each other.
    """
    check(blueprint)
    uses = Uses()
    classes = BlockClasses(blueprint)
    blocks = [render_block(spec, uses) for spec in classes.specs]
    backbone = render_backbone(blueprint, classes, uses)
    components = [text for name, text in COMPONENTS.items() if name in uses.names]
    body = "\n".join([*components, *blocks, backbone])
    imports = ["import torch", "from torch import nn"]
    if "F." in body:
        imports.append("from torch.nn import functional as F")
    if "math." in body:
        imports.insert(0, "import math\n")
    title = f'"""{blueprint.name}: an image backbone for PyTorch."""'
    return "\n".join([title, "", *imports, "", body])


def render(blueprint: Blueprint) -> str:
    """Return the complete source of a backbone, its blueprint in the last line.

    Raises:
        InvalidBlueprintError: The parts do not fit each other.
    """
    return f"{render_code(blueprint)}\n\n{_MARK}{to_json(blueprint)}\n"


def parse(source: str) -> Blueprint | None:
    """Return the blueprint of a rendered source, or None where there is none that still tells the truth.

    Code that was edited while its blueprint was kept counts as a stranger's.
    """
    mark = source.rfind(f"\n{_MARK}")
    if mark < 0:
        return None
    try:
        blueprint = from_json(source[mark + len(_MARK) + 1 :].strip())
        return blueprint if render(blueprint).strip() == source.strip() else None
    except (InvalidBlueprintError, ValueError):
        return None
