"""A page in Chromium, over the DevTools protocol on a pipe: no port, no driver, nothing to install but the browser."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = f"no browser ({', '.join(NAMES)}) on the PATH; on Debian, `apt-get install chromium` installs one"


def find() -> str | None:
    """Where a browser lies."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab; collects what it requests and complains of."""

    def __init__(self, wire: "Wire", session: str) -> None:
        self._wire, self._session = wire, session
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and returns its result."""
        return self._wire.ask(method, arguments, self._session)

    def show(self, path: Path, *, width: int, dark: bool = False, media: str = "screen") -> None:
        """Loads a file at a width and waits until it is there."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", media=media, features=scheme)
        self.ask("Page.navigate", url=path.absolute().as_uri())
        while not self._wire.saw("Page.loadEventFired"):
            self._wire.receive()
        self._wire.events = [event for event in self._wire.events if event["method"] != "Page.loadEventFired"]
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, script: str) -> Any:
        """The value of a script, awaited."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Presses Tab or Space."""
        code, text = {"Tab": (9, ""), "Space": (32, " ")}[key]
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, code=key, key=text or key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def requested(self) -> list[str]:
        """Addresses of everything that was asked for."""
        return [e["params"]["request"]["url"] for e in self._wire.events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[dict[str, Any]]:
        """Exceptions, and what stands on the console."""
        names = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event["params"] for event in self._wire.events if event["method"] in names]


class Wire:
    """JSON messages, a zero byte behind each, on two pipes."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._count = to, back, b"", 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, arguments: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": arguments} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._back, 1 << 16)
            if not chunk:
                raise RuntimeError("the browser has gone")
            self._rest += chunk
        first, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message

    def saw(self, method: str) -> bool:
        return any(event["method"] == method for event in self.events)


@contextlib.contextmanager
def opened(browser: str, profile: Path) -> Iterator[Page]:
    """A browser with one tab; `profile` is a folder that it may fill."""
    theirs, to = os.pipe()
    back, answers = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs, answers)]  # 3 and 4 may be in use here

    def place() -> None:
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    process = subprocess.Popen(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ],
        close_fds=False, preexec_fn=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for end in (theirs, answers, *high):
        os.close(end)
    try:
        wire = Wire(to, back)
        target = wire.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = wire.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        yield Page(wire, session)
        wire.ask("Browser.close", {})
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(to)
        os.close(back)
