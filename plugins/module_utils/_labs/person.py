# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""When two spellings are one person: the one folding of addresses, logins and names.

Pure: knows neither AWS nor Ansible. User ids are derived from its result. THE ALGORITHM IS FROZEN: a change here moves
learners to a new, empty home folder.

Only characters that are assigned in this Python's Unicode tables are accepted. Unicode guarantees that case folding and
normalisation of an assigned character never change, so every Python that accepts a text has the same result.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from .._errors import quote

# Invisible characters that come with text copied from an e-mail or a web page: soft hyphen, zero-width and direction
# marks, byte order mark.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def normalise(text: Any) -> str:
    """Return the form in which two spellings of one person are equal.

    Invisible characters and surrounding white space are removed, white space inside becomes one space, and the rest is
    case-folded and converted to Unicode NFC. Normalising twice has the same result as normalising once.

    Raises:
        ValueError: It is not text, has nothing in it, or holds a character that no name has.
    """
    if not isinstance(text, str):
        raise ValueError(f"A user id is derived from text, not from {quote(text)} ({type(text).__name__}).")
    folded = INVISIBLE.sub("", text).strip()
    if not folded:
        raise ValueError(f"A user id cannot be derived from {quote(text)}: there is nothing in it.")
    for character in folded:
        # Control characters, halves of surrogate pairs (undecodable bytes), and what has no meaning (yet).
        if unicodedata.category(character) in ("Cc", "Cs", "Cn"):
            raise ValueError(
                f"A user id cannot be derived from {quote(text)}: it holds U+{ord(character):04X}, "
                f"which is a control character or not a character of Unicode {unicodedata.unidata_version}."
            )
    folded = unicodedata.normalize("NFC", folded).casefold()
    # Again, since case folding can undo NFC.
    return unicodedata.normalize("NFC", " ".join(folded.split()))


def to_person(text: Any) -> str | None:
    """Return the normalised text, None if that is not possible: a stored id is as it was given."""
    try:
        return normalise(text)
    except ValueError:
        return None
