# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Terraform is.

Tests need it and, so that nothing is downloaded, its AWS provider in a folder of the form that Terraform calls a
filesystem mirror. LABSTREAM_TEST_TERRAFORM_MIRROR names it, unless it is where Terraform looks by itself or below /opt.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

TERRAFORM = shutil.which("terraform")
SETTINGS = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def provider_mirror() -> Path | None:
    """The folder that holds Terraform's AWS provider, if there is one on this machine."""
    named = os.environ.get("LABSTREAM_TEST_TERRAFORM_MIRROR")
    places = ["~/.terraform.d/plugins", "~/.local/share/terraform/plugins"]
    places += ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"]
    folders = [Path(place).expanduser() for place in ([named] if named else places)]
    folders += [] if named else sorted(Path("/opt").glob("*"))
    return next((folder for folder in folders if any(folder.glob("*/hashicorp/aws"))), None)


needs_terraform = pytest.mark.skipif(
    not (TERRAFORM and provider_mirror()), reason="Terraform or a mirror with its AWS provider is not on this machine"
)
