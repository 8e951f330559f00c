# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._handouts.assets import STYLE


def colours(dark):
    text = STYLE.partition("prefers-color-scheme: dark")[2 if dark else 0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", text.partition("}")[0]))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "card"),
        ("quiet", "card"),
        ("good", "card"),
        ("bad", "card"),
        ("on-accent", "accent"),
        ("accent", "card"),
    ],
)
def test_colours_have_enough_contrast(text, ground, dark):
    """WCAG 2.2, 1.4.3."""
    palette = colours(dark)
    light, other = sorted((luminance(palette[text]), luminance(palette[ground])), reverse=True)
    assert (light + 0.05) / (other + 0.05) >= 4.5
