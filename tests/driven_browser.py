"""A Chromium that a test drives: tabs, keys, mouse, screenshots, over the DevTools protocol on a pipe.

The pipe (`--remote-debugging-pipe`: file descriptors 3 and 4, messages that end in a NUL) needs no port and
no WebSocket library. WebGL2 is drawn by SwiftShader, so that pixels can be read on a machine without a GPU.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser import browser

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-pipe",
)
_ON_FDS_3_AND_4 = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execvp(sys.argv[3], sys.argv[3:])"
)
_PATIENCE_S = 60.0
_POLL_S = 0.03

ALT, CONTROL, META, SHIFT = 1, 2, 4, 8
_CODES = {
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    " ": 32,
    "Backspace": 8,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Home": 36,
    "End": 35,
}


class BrowserError(AssertionError):
    """The browser refused a command, a script threw, or something never came true."""


@dataclass
class Chromium:
    """A running browser; `open_tab` gives its tabs, which share cookies."""

    process: subprocess.Popen[bytes]
    to_browser: int
    from_browser: int
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    tabs: dict[str, Tab] = field(default_factory=dict)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    number: int = 0

    def listen(self) -> None:
        """Read messages until the browser ends."""
        rest = b""
        while chunk := os.read(self.from_browser, 1 << 20):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        with self.arrived:
            if "id" in message:
                self.answers[message["id"]] = message
            elif (tab := self.tabs.get(message.get("sessionId", ""))) is not None:
                tab.note(message["method"], message["params"])
            self.arrived.notify_all()

    def send(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        with self.arrived:
            self.number += 1
            number = self.number
        message = {"id": number, "method": method, "params": params}
        content = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while content:
            content = content[os.write(self.to_browser, content) :]
        with self.arrived:
            if not self.arrived.wait_for(lambda: number in self.answers, _PATIENCE_S):
                raise BrowserError(f"{method}: no answer in {_PATIENCE_S:g} s")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def open_tab(self, width: int = 1280, height: int = 800) -> Tab:
        """Open an empty tab of this size."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        self.tabs[session] = tab
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.send(f"{domain}.enable")
        tab.send("Emulation.setFocusEmulationEnabled", enabled=True)  # tabs behind others are alive, too
        tab.resize(width, height)
        return tab


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """Start a browser with an empty profile, and end it."""
    commands, to_browser = _high_pipe()
    from_browser, replies = _high_pipe()
    words = [sys.executable, "-c", _ON_FDS_3_AND_4, str(commands), str(replies), browser(), *_FLAGS]
    with subprocess.Popen(
        [*words, f"--user-data-dir={profile}"],
        pass_fds=(commands, replies),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(commands)
        os.close(replies)
        driven = Chromium(process, to_browser, from_browser)
        listener = threading.Thread(target=driven.listen, daemon=True)
        listener.start()
        try:
            yield driven
        finally:
            _end(driven)
            listener.join(_PATIENCE_S)
            os.close(to_browser)
            os.close(from_browser)


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose ends lie above 4: those numbers are the browser's."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _end(driven: Chromium) -> None:
    try:
        driven.send("Browser.close")
        driven.process.wait(_PATIENCE_S)
    except (BrowserError, OSError, subprocess.TimeoutExpired):
        driven.process.kill()


@dataclass
class Tab:
    """One tab: what it asked for and complained about, and the hands of a test."""

    driven: Chromium
    target: str
    session: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    loads: int = 0

    def note(self, method: str, params: Mapping[str, Any]) -> None:
        """Keep requests, loads, exceptions and whatever the console calls an error."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Runtime.exceptionThrown":
            detail = params["exceptionDetails"]
            self.errors.append(detail.get("exception", {}).get("description") or detail["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "assert"}:
            self.errors.append(
                " ".join(str(one.get("value", one.get("description"))) for one in params["args"])
            )
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to this tab and return its result."""
        return self.driven.send(method, self.session, **params)

    def close(self) -> None:
        """Close the tab."""
        self.driven.send("Target.closeTarget", targetId=self.target)

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Give the window a size in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def goto(self, url: str) -> None:
        """Load an address and wait for its load event."""
        self._loaded_by("Page.navigate", url=url)

    def reload(self) -> None:
        """Load the same address again."""
        self._loaded_by("Page.reload")

    def _loaded_by(self, method: str, **params: Any) -> None:
        before = self.loads
        self.send(method, **params)
        with self.driven.arrived:
            if not self.driven.arrived.wait_for(lambda: self.loads > before, _PATIENCE_S):
                raise BrowserError(f"{method} {params}: never loaded")

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression; a promise is awaited."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            detail = answer["exceptionDetails"]
            raise BrowserError(detail.get("exception", {}).get("description") or detail["text"])
        return answer["result"].get("value")

    def wait_for(self, script: str, patience_s: float = _PATIENCE_S) -> None:
        """Wait until an expression, or what its promise gives, is truthy."""
        end = time.monotonic() + patience_s
        while not self.evaluate(f"Promise.resolve({script}).then(Boolean)"):
            if time.monotonic() > end:
                raise BrowserError(f"never came true: {script}\nerrors: {self.errors}\n{self._said()}")
            time.sleep(_POLL_S)

    def _said(self) -> str:
        return str(self.evaluate("document.body ? document.body.innerText.slice(0, 2000) : ''"))

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    # Hands.

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key, as named by `KeyboardEvent.key`."""
        self.hold(key, modifiers)
        self.release(key, modifiers)

    def hold(self, key: str, modifiers: int = 0) -> None:
        """Press a key and keep it down."""
        printable = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        if modifiers & (CONTROL | ALT | META):
            printable = {}
        kind = "keyDown" if printable else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=kind, **_key(key, modifiers), **printable)

    def release(self, key: str, modifiers: int = 0) -> None:
        """Let a key go."""
        self.send("Input.dispatchKeyEvent", type="keyUp", **_key(key, modifiers))

    def write(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.send("Input.insertText", text=text)

    def mouse(self, kind: str, x: float, y: float, modifiers: int = 0, **more: Any) -> None:
        """Send one mouse event: "mouseMoved", "mousePressed", "mouseReleased", "mouseWheel"."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, modifiers=modifiers, **more)

    def click(self, x: float, y: float, modifiers: int = 0) -> None:
        """Click with the left button."""
        self.mouse("mouseMoved", x, y, modifiers)
        self.mouse("mousePressed", x, y, modifiers, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", x, y, modifiers, button="left", clickCount=1)

    def click_on(self, selector: str, modifiers: int = 0) -> None:
        """Click on the middle of an element."""
        self.click(*self.middle_of(selector), modifiers)

    def middle_of(self, selector: str) -> tuple[float, float]:
        """Return where the middle of an element is, in CSS pixels of the window."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"!!{found}")
        box = self.evaluate(
            f"(() => {{ const e = {found}; e.scrollIntoView({{block: 'nearest'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        return float(box[0]), float(box[1])

    def drag(self, places: list[tuple[float, float]]) -> None:
        """Draw with the left button held along these places."""
        (first_x, first_y), (last_x, last_y) = places[0], places[-1]
        self.mouse("mouseMoved", first_x, first_y)
        self.mouse("mousePressed", first_x, first_y, button="left", buttons=1, clickCount=1)
        for x, y in places[1:]:
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", last_x, last_y, button="left", clickCount=1)

    # What it looks like.

    def screenshot(self, path: Path | None = None) -> bytes:
        """Return the window as a PNG, and write it where a path is given."""
        content = base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(content)
        return content

    def go_offline(self, *, offline: bool) -> None:
        """Cut the connection, or mend it."""
        self.send(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )


def _key(key: str, modifiers: int) -> dict[str, Any]:
    code = _CODES.get(key, ord(key.upper()) if len(key) == 1 and key.isalnum() else 0)
    return {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
