"""Every hostile module of the tests."""

from __future__ import annotations

from attacks_exhaustion import RESOURCES
from attacks_inside import NEIGHBOURS, PRIVILEGES
from attacks_outside import FILES, NETWORK, PROGRAMS
from attacks_replies import REPLIES

ATTACKS = FILES + NETWORK + PROGRAMS + NEIGHBOURS + PRIVILEGES + RESOURCES + REPLIES
