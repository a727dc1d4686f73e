"""Every hostile backbone of the tests."""

from __future__ import annotations

from modules_inside import KERNEL, NEIGHBOURS, PYTHON, RESOURCES
from modules_outside import FILES, NETWORK, PROGRAMS

MODULES = FILES + NETWORK + PROGRAMS + NEIGHBOURS + KERNEL + RESOURCES + PYTHON
