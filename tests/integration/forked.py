# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a process that was forked off one with much in its memory."""

from __future__ import annotations

import atexit
import sys
import threading
import traceback
from collections.abc import Callable


def status_of(run: Callable[[], object]) -> int:
    """Run what a Python process is for, and end all but the process; its exit status, for ``os._exit``.

    Python's own end would go on to take apart, and so to copy, all memory that the child shares with its parent.
    """
    status = 0
    try:
        run()
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
