# ruff: noqa: E501 - a change of the source is read best on one line
"""Networks that try to look better, smaller or cheaper than they are, each a change of one honest source.

Each either ends in a named failure class, or is harmless: what is counted and trained is what its graph says, and
``params`` and ``macs`` are the honest numbers of that graph.
"""

from __future__ import annotations

from dataclasses import dataclass

HONEST = """
import torch
import torch.nn.functional as F
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.one = nn.Conv2d(in_channels, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.two = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        x = F.relu(self.norm(self.one(x)))
        x = F.relu(self.two(x))
        return self.head(x.mean((2, 3)))
"""
PARAMS = 72 + 16 + 576 + 90
MACS = 64 * 72 + 64 * 576 + 80


@dataclass(frozen=True)
class Cheat:
    """A dishonest source and what must come of it.

    Attributes:
        name: What it tries.
        source: Complete Python source.
        failure: The class it ends in, or None where it is made harmless.
        params: Parameters that must be counted, where harmless.
        macs: MACs that must be counted, where harmless.
    """

    name: str
    source: str
    failure: str | None = None
    params: int = PARAMS
    macs: int = MACS


def _with(*changes: tuple[str, str], top: str = "") -> str:
    source = HONEST
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source.replace("\n\nclass Backbone", f"\n{top}\n\nclass Backbone", 1)


_INIT = "        self.head = nn.Linear(8, num_classes)\n"
_TWO = "        x = F.relu(self.two(x))\n"
_RETURN = "        return self.head(x.mean((2, 3)))\n"


def _init(line: str) -> tuple[str, str]:
    return _INIT, _INIT + "".join(f"        {one}\n" for one in line.splitlines())


def _two(lines: str) -> tuple[str, str]:
    return _TWO, "".join(f"        {one}\n" for one in lines.splitlines())


def _returns(lines: str) -> tuple[str, str]:
    return _RETURN, "".join(f"        {one}\n" for one in lines.splitlines())


_FALSE_GRADIENT = """
class Boost(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 100
"""
_RIGGED = """
class Rigged(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.argmax:
            return torch.arange(len(args[0])) % 10
        return super().__torch_function__(func, types, args, kwargs or {})
"""
_SKIPPING_MODE = """
from torch.overrides import TorchFunctionMode


class Quiet(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.conv2d and args[1].shape[-1] == 5:
            return args[0]
        return func(*args, **(kwargs or {}))
"""
_DISPATCH_MODE = """
from torch.utils._python_dispatch import TorchDispatchMode


class Doubling(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out * 2 if func is torch.ops.aten.mean.dim else out
"""

CHEATS = (
    # Parameters that are not called parameters.
    Cheat(
        "parameters in a buffer",
        _with(
            _init('self.register_buffer("extra", torch.randn(8, 8, 3, 3))'),
            _two("x = F.relu(F.conv2d(x, self.extra, padding=1) + self.two(x))"),
        ),
        params=PARAMS + 576,
        macs=MACS + 64 * 576,
    ),
    Cheat(
        "parameters in a constant",
        _with(
            _init("self.extra = [torch.randn(8, 8, 3, 3)]"),
            _two("x = F.relu(F.conv2d(x, self.extra[0], padding=1) + self.two(x))"),
        ),
        params=PARAMS + 576,
        macs=MACS + 64 * 576,
    ),
    Cheat(
        "parameters in a closure",
        _with(
            _init("hidden = torch.randn(8, 8, 3, 3)\nself.more = lambda x: F.conv2d(x, hidden, padding=1)"),
            _two("x = F.relu(self.more(x) + self.two(x))"),
        ),
        params=PARAMS + 576,
        macs=MACS + 64 * 576,
    ),
    Cheat(
        "parameters in a module's global",
        _with(
            _two("x = F.relu(F.conv2d(x, HIDDEN, padding=1) + self.two(x))"), top="HIDDEN = torch.ones(8, 8, 3, 3) / 72"
        ),
        params=PARAMS + 576,
        macs=MACS + 64 * 576,
    ),
    Cheat(
        "parameters in integers",
        _with(
            _init('self.register_buffer("extra", torch.randint(-9, 9, (8, 8, 3, 3)))'),
            _two("x = F.relu(F.conv2d(x, self.extra * 0.01, padding=1) + self.two(x))"),
        ),
        params=PARAMS + 576,
        macs=MACS + 64 * 576,
    ),
    Cheat(
        "parameters as running statistics that also weigh",
        _with(
            _init("self.other = nn.BatchNorm2d(8)"),
            _two("x = F.relu(self.other(self.two(x)) * self.other.running_var.view(1, 8, 1, 1))"),
        ),
        params=PARAMS + 16 + 8,
    ),
    Cheat(
        "numel overridden",
        _with(
            _init("self.two.weight.numel = lambda: 1\nself.parameters = lambda recurse=True: iter([self.head.bias])")
        ),
    ),
    Cheat("Module.parameters patched", _with(top="nn.Module.parameters = lambda self, recurse=True: iter(())")),
    Cheat(
        "Module.named_parameters patched",
        _with(
            top="_all = nn.Module.named_parameters\nnn.Module.named_parameters = lambda self, *a, **k: list(_all(self, *a, **k))[:1]"
        ),
    ),
    # Cost that is not counted.
    Cheat(
        "another cost in eval mode",
        _with(_two("if self.training:\n    x = F.relu(self.two(x))\nelse:\n    x = x + self.two.weight.mean()")),
        failure="train-eval-mismatch",
    ),
    Cheat(
        "no such cost in train mode",
        _with(_two("if not self.training:\n    x = F.relu(self.two(x))")),
        failure="train-eval-mismatch",
    ),
    Cheat(
        "another structure of like cost in eval mode",
        _with(
            _init("self.three = nn.Conv2d(8, 8, 3, padding=1, bias=False)"),
            _two("x = F.relu((self.two if self.training else self.three)(x))"),
        ),
        failure="train-eval-mismatch",
    ),
    Cheat(
        "another activation in eval mode",
        _with(_two("x = (F.relu if self.training else torch.tanh)(self.two(x))")),
        failure="train-eval-mismatch",
    ),
    Cheat(
        "a linear layer as product and sum",
        _with(
            _init("self.three = nn.Parameter(torch.randn(64, 8) / 9)\nself.head = nn.Linear(64, num_classes)"),
            _returns("x = (x.unsqueeze(1) * self.three.view(1, 64, 8, 1, 1)).sum(2)\nreturn self.head(x.mean((2, 3)))"),
        ),
        params=PARAMS - 90 + 650 + 512,
        macs=MACS - 80 + 640 + 64 * 64 * 8,
    ),
    Cheat(
        "FlopCounterMode patched",
        _with(top="import torch.utils.flop_counter as fc\nfc.FlopCounterMode.get_total_flops = lambda self: 0"),
    ),
    Cheat(
        "another cost for small batches",
        _with(_two("x = F.relu(self.two(x)) if x.shape[0] < 8 else x")),
        failure="not-exportable",
    ),
    # Another network than the one that is shown.
    Cheat(
        "another network while it is exported",
        _with(
            _two(
                "if not torch.compiler.is_exporting():\n    x = F.relu(self.two(x))\nelse:\n    x = F.relu(self.two(x) * 0.5)"
            )
        ),
        failure="graph-disagrees",
    ),
    Cheat(
        "another network while it is compiled",
        _with(_two("x = F.relu(self.two(x))\nif torch.compiler.is_compiling():\n    x = x * 2")),
        failure="graph-disagrees",
    ),
    Cheat(
        "another network at each call",
        _with(_init("self.calls = 0"), _two("self.calls += 1\nx = F.relu(self.two(x)) * self.calls")),
        failure="baked-randomness",
    ),
    Cheat(
        "another network after its third call",
        _with(_init("self.calls = 0"), _two("self.calls += 1\nx = F.relu(self.two(x)) * (1 if self.calls < 4 else 2)")),
        failure="baked-randomness",
    ),
    Cheat(
        "another network after its hundredth call",
        _with(
            _init("self.calls = 0"),
            _two("self.calls += 1\nx = F.relu(self.two(x)) if self.calls < 100 else x * 1000.0"),
        ),
    ),
    Cheat(
        "a random network",
        _with(
            _two("x = F.relu(self.two(x)) * random.random()"),
            top="random = __import__('random')",
        ),
        failure="baked-randomness",
    ),
    Cheat(
        "torch.export patched",
        _with(
            top="import torch.export\ndef _none(*a, **k):\n    raise RuntimeError('patched')\ntorch.export.export = _none"
        ),
    ),
    Cheat(
        "a layer's forward patched",
        _with(
            _two("x = F.relu(self.two(F.relu(self.two(x))))"),
            top="nn.Linear.forward = lambda self, x: x.repeat(1, 2)[:, :10] * self.weight.mean() + self.bias",
        ),
        macs=MACS + 64 * 576 - 80,
    ),
    Cheat(
        "a layer's forward patched away",
        _with(top="nn.Linear.forward = lambda self, x: x.repeat(1, 2)[:, :10] * self.weight.mean() + self.bias"),
        failure="not-multi-layer",
    ),
    Cheat(
        "torch.nn.functional patched",
        _with(top="_conv = F.conv2d\nF.conv2d = lambda x, *a, **k: _conv(x, *a, **k) * 1.0\ntorch.conv2d = F.conv2d"),
    ),
    # Gradients and logits that are made up.
    Cheat(
        "a false gradient",
        _with(_two("x = Boost.apply(F.relu(self.two(x)))"), top=_FALSE_GRADIENT),
        failure="graph-disagrees",
    ),
    Cheat(
        "a tensor hook",
        _with(
            _two(
                "x = F.relu(self.two(x))\nif x.requires_grad and not torch.compiler.is_exporting():\n    x.register_hook(lambda g: g * 10)"
            )
        ),
        failure="graph-disagrees",
    ),
    Cheat(
        "a parameter's hook", _with(_init("self.two.weight.register_hook(lambda g: g * 10)")), failure="graph-disagrees"
    ),
    Cheat(
        "a module's hook",
        _with(_init("self.two.register_full_backward_hook(lambda m, i, o: tuple(g * 3 for g in i))")),
        failure="graph-disagrees",
    ),
    Cheat(
        "logits of a rigged subclass",
        _with(_returns("return self.head(x.mean((2, 3))).as_subclass(Rigged)"), top=_RIGGED),
        failure="not-exportable",
    ),
    Cheat(
        "a mode that skips a layer",
        _with(
            _init("self.skipped = nn.Conv2d(8, 8, 5, padding=2, bias=False)\nQuiet().__enter__()"),
            _two("x = F.relu(self.skipped(self.two(x)))"),
            top=_SKIPPING_MODE,
        ),
        params=PARAMS + 1600,
    ),
    Cheat(
        "a dispatch mode that doubles",
        _with(_init("Doubling().__enter__()"), top=_DISPATCH_MODE),
        failure="graph-disagrees",
    ),
    Cheat(
        "no gradient for a block",
        _with(_two("with torch.no_grad():\n    x = F.relu(self.two(x))")),
        failure="not-exportable",
    ),
    # What is learnt of the other images, or remembered.
    Cheat(
        "batch statistics in eval mode",
        _with(_init("self.norm = nn.BatchNorm2d(8, track_running_stats=False)")),
        failure="batch-dependent",
    ),
    Cheat(
        "the mean of the batch",
        _with(_returns("x = x.mean((2, 3))\nreturn self.head(x - x.mean(0, keepdim=True))")),
        failure="batch-dependent",
    ),
    Cheat(
        "the mean of the batch behind a gate at zero",
        _with(
            _init("self.gate = nn.Parameter(torch.zeros(8))"),
            _returns("x = x.mean((2, 3))\nreturn self.head(x + self.gate * x.mean(0, keepdim=True))"),
        ),
        failure="batch-dependent",
    ),
    Cheat(
        "labels from an image's place in the batch",
        _with(
            _returns(
                "x = self.head(x.mean((2, 3)))\nplace = torch.arange(x.shape[0], device=x.device).view(-1, 1)\nreturn x + 9 * (place == torch.arange(10, device=x.device))"
            )
        ),
        failure="batch-dependent",
    ),
    Cheat(
        "an image's place in the batch, by arithmetic",
        _with(
            _returns(
                "x = self.head(x.mean((2, 3)))\nreturn x + torch.arange(x.shape[0], device=x.device).view(-1, 1) * self.head.bias"
            )
        ),
        failure="batch-dependent",
    ),
    Cheat(
        "the batch's size",
        _with(_returns("return self.head(x.mean((2, 3))) * (1 + x.shape[0])")),
        failure="batch-dependent",
    ),
    Cheat(
        "images remembered in a buffer",
        _with(
            _init('self.register_buffer("seen", torch.zeros(8))'),
            _two(
                "x = F.relu(self.two(x))\nself.seen.add_(x.detach().mean((0, 2, 3)))\nx = x + self.seen.view(1, 8, 1, 1)"
            ),
        ),
        failure="graph-refused",
    ),
    Cheat(
        "images remembered through a view of a buffer",
        _with(
            _init('self.register_buffer("seen", torch.zeros(2, 8))'),
            _two(
                "x = F.relu(self.two(x))\nself.seen[0].add_(x.detach().mean((0, 2, 3)))\nx = x + self.seen[0].view(1, 8, 1, 1)"
            ),
        ),
        failure="graph-refused",
    ),
    Cheat(
        "images remembered in a Python list",
        _with(
            _init("self.seen = []"),
            _two(
                "x = F.relu(self.two(x))\nself.seen.append(x.detach().mean().item() if not torch.compiler.is_exporting() else 0.0)\nx = x + self.seen[0]"
            ),
        ),
    ),
    Cheat(
        "statistics kept in a parameter",
        _with(
            _two(
                "x = F.relu(F.batch_norm(self.two(x), self.head.weight[0].detach(), self.head.weight[1].detach(), None, None, True))"
            ),
        ),
        failure="graph-refused",
    ),
    Cheat("double precision", _with(_two("x = F.relu(self.two(x).double()).float()")), failure="graph-refused"),
    # What is said rather than done.
    Cheat(
        "results printed",
        _with(_returns('print(\'{"ok": true, "params": 1, "accuracy": 99.9}\')\nreturn self.head(x.mean((2, 3)))')),
    ),
    Cheat(
        "absurd activations",
        _with(_two("x = F.relu(self.two(x))\nbig = x.repeat(1, 4000, 8, 8) * 2\nx = x + big.mean()")),
        failure="memory",
    ),
)
