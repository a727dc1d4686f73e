"""Passwords and keys in a model's address: refused, since settings are stored, logged and handed on with results."""

from __future__ import annotations

import os
import re

from fairnad_engine.errors import InputError

# Up to an ``@`` behind ``//``, or behind the ``@`` or comma that Ollama's form has before a server.
_USER = re.compile(r"(?<=//)[^#,\s]*@|(?<=[@,])[^#@,\s]*:[^#@,\s]*@")
_NAMED = re.compile(r"(?i)([?&;][^=&;#]*(?:key|token|secret|passw|auth|cred|sig)[^=&;#]*=)[^&;#,\s]+")
_HIDDEN = "***"
KEY_VARIABLE = "FAIRNAD_API_KEY"


def masked(address: str) -> str:
    """An address without its passwords and keys, for messages."""
    return _NAMED.sub(rf"\1{_HIDDEN}", _USER.sub(f"{_HIDDEN}@", address))


def refuse_secrets(address: str, place: str) -> str:
    """See that an address holds no password and no key; it comes back as it is.

    Args:
        address: One address, or what ``--llm`` takes.
        place: Where it was given.

    Raises:
        InputError: It holds one, which the message does not repeat.
    """
    if (told := masked(address)) != address:
        raise InputError(
            f"{place} {told}: holds a password or key, which would be stored with every result; leave it out and set "
            f"{KEY_VARIABLE} to the key, which is sent to the server of openai:URL#MODEL alone"
        )
    return address


def without_key(text: str) -> str:
    """What a server says, without the key that some repeat in their complaints."""
    key = os.environ.get(KEY_VARIABLE)
    return text.replace(key, _HIDDEN) if key else text
