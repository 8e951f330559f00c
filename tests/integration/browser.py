# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven through the pipe of its DevTools protocol: no driver and no library is needed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_SECONDS = 30


class CommandError(Exception):
    """The browser could not run a command, for example because its page was just closed."""


class Browser:
    """One tab. ``errors`` are the errors of its console, such as a violated Content-Security-Policy."""

    def __init__(self, reading: int, writing: int) -> None:
        self._from_browser = os.fdopen(reading, "rb")
        self._to_browser = os.fdopen(writing, "wb")
        self._last_id = 0
        self._session: str | None = None
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its result."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to_browser.write(json.dumps(message).encode() + b"\0")
        self._to_browser.flush()
        while True:
            response = self._read()
            if response.get("id") == self._last_id:
                if "error" in response:
                    raise CommandError(response["error"]["message"])
                return response["result"]
            self._note(response)

    def open(self, url: str) -> None:
        """Open the address and wait for the page."""
        self.errors.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        response = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in response, response["exceptionDetails"]
        return response["result"].get("value")

    def text(self, selector: str = "body") -> str:
        """Return the visible text of the element, which may only be there in a moment."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})")
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait_for(self, expression: str) -> None:
        """Wait until the JavaScript expression is true, whatever page is open; one may just be leaving."""

        def is_true() -> bool:
            with suppress(CommandError):
                return self.evaluate(f"Boolean({expression})") is True
            return False

        wait_until(is_true, expression)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: ``Tab``, ``Enter``, ``Escape``."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, "")}
        for key in keys:
            code, text = codes[key]
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def hover(self, selector: str) -> None:
        """Move the mouse over the middle of the element."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **self._find(selector))

    def click(self, selector: str, *, times: int = 1) -> None:
        """Click the middle of the element; twice for a double click, whose second click may hit something else."""
        self.hover(selector)
        at = self._find(selector)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **at)

    def print(self) -> bytes:
        """Return the page as a PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def _find(self, selector: str) -> dict[str, float]:
        """Return where the middle of the element is."""
        return self.evaluate(f"""(() => {{
          const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
          return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
        }})()""")

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._from_browser.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return json.loads(message)

    def _note(self, response: dict[str, Any]) -> None:
        if response.get("method") == "Log.entryAdded" and response["params"]["entry"]["level"] == "error":
            self.errors.append(response["params"]["entry"]["text"])
        elif response.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(response["params"]["exceptionDetails"]))


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_SECONDS} seconds: {what}"
        time.sleep(0.05)


@contextmanager
def started_browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with its profile in this new folder."""
    assert CHROMIUM
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    # It reads commands from descriptor 3 and answers on 4; a shell puts them there.
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
        "--lang=en-GB",
    ]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", *command],
        pass_fds=(to_browser, from_browser),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TZ": "Asia/Tokyo"},
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(reading, writing)
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT_SECONDS)
