# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""AppStream user ids derived from e-mail addresses and names. Knows neither AWS nor Ansible.

The user id is the key of the learner's home folder and of the monthly user fee, so the same person must get the same
id forever. THE ALGORITHM IS FROZEN: a change here moves every learner to a new, empty home folder.

``normalise`` accepts only characters of which every Python that accepts them derives the same id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream.validation import USER_ID
from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise

STYLES = ("readable", "opaque")
MIN_KEY_LENGTH = 16

_NOT_ALLOWED = re.compile(r"[^\w+=,.@-]", re.ASCII)

# Latin letters that have no decomposition into an ASCII letter and an accent.
_TRANSLITERATION = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
)

# 12 characters of base32 are 60 bits: among 100,000 people whose readable parts are all equal, two share an id with
# a probability of 4 in 1,000 million. 19 readable characters and the hyphen fill the 32 that the service allows.
_HASH_LENGTH = 12
_STEM_LENGTH = 32 - len("-") - _HASH_LENGTH

# An opaque id is nothing but hash: 20 characters are 100 bits.
_OPAQUE_LENGTH = 20


def is_valid(user_id: str) -> bool:
    """Return whether AppStream accepts ``user_id`` (CreateStreamingURL: 2..32 characters, ``[\\w+=,.@-]*``, ASCII)."""
    return USER_ID.fullmatch(user_id) is not None


def appstream_user_id(text: Any, style: str = "readable", key: str | None = None) -> str:
    """Return the AppStream user id of the person that ``text`` (an e-mail address, login or name) stands for.

    ``readable`` keeps a text that is a valid id once normalised, and otherwise returns a readable beginning and a hash.
    ``opaque`` returns a hash with ``key``, which reveals nothing about the person to those who do not have the key.

    Raises:
        ValueError: The text, style or key is not valid.
    """
    validate_style(style, key)
    person = normalise(text)
    if style == "opaque":
        return _base32(hmac.digest(str(key).encode(), person.encode(), "sha256"))[:_OPAQUE_LENGTH]
    if is_valid(person):
        return person
    return f"{_stem(person)}-{_base32(hashlib.sha256(person.encode()).digest())[:_HASH_LENGTH]}"


def rotated_user_id(user_id: str, generation: int) -> str:
    """Return the user id of a later generation of the learner who had ``user_id`` in generation 0."""
    if generation == 0:
        return user_id
    digest = hashlib.sha256(f"{user_id}\n{generation}".encode()).digest()
    return f"{user_id[:_STEM_LENGTH].rstrip('_+=,.@-')}-{_base32(digest)[:_HASH_LENGTH]}"


def validate_style(style: Any, key: Any, style_option: str = "style", key_option: str = "a key") -> None:
    """Raise ValueError unless ``style`` exists and ``key`` suits it. The key is a secret, so no message shows it.

    ``style_option`` and ``key_option`` are what users call the two.
    """
    if style not in STYLES:
        raise ValueError(f"{style_option} is {quote(style)}, but it must be 'readable' or 'opaque'.")
    if style == "readable":
        if key is not None:
            raise ValueError(f"A key is only for {style_option}='opaque': leave it out or set the style.")
        return
    if not isinstance(key, str) or len(key) < MIN_KEY_LENGTH:
        raise ValueError(
            f"{style_option}='opaque' needs {key_option}: a secret text of at least {MIN_KEY_LENGTH} characters."
        )
    if key != key.strip() or not key.isprintable():
        # With a newline at the end of a key file, everybody would get a new id.
        raise ValueError(
            f"The key of {style_option}='opaque' has white space around it or characters that cannot be printed."
        )


def _stem(person: str) -> str:
    """Return what can be kept of a normalised text in an id, at most 19 characters, for people to recognise."""
    plain = unicodedata.normalize("NFKD", person.replace(" ", ".")).casefold().translate(_TRANSLITERATION)
    return _NOT_ALLOWED.sub("", plain)[:_STEM_LENGTH].strip("_+=,.@-") or "user"


def _base32(digest: bytes) -> str:
    """Return bytes in the lower-case base32 alphabet of RFC 4648, which people can read out without confusion."""
    return base64.b32encode(digest).decode().lower()
