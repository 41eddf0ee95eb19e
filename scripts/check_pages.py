#!/usr/bin/env python3
"""Opens pages in headless Chromium and checks that they show what they hold.

    check_pages.py CHROMIUM PAGE... [--pictures DIR]

Each PAGE is opened light and dark, wide and 390 pixels wide. What must be so: nothing in the console, every
chart drawn, at most 3 MB, loaded within 1 s, no scrolling sideways, text that can be read, tables that sort
and filter, charts that tell numbers to the keyboard. Prints a line a page; exits 1 with what is wrong. With
--pictures each view is kept as a PNG. Needs nothing but Python: it speaks the browser's protocol over a pipe.
"""

import argparse
import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
).split()
BYTES = 3_000_000
MILLISECONDS = 1000
PATIENCE = 60

# What is on the page, with everything that folds open.
LOOK = """(() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const extent = (node) => { const box = node.getBoundingClientRect(); return box.width > 1 || box.height > 1; };
  const charts = [...document.querySelectorAll("svg, canvas")];
  const drawn = (chart) => {
    const box = chart.getBoundingClientRect();
    const marks = [...chart.querySelectorAll("path:not(.rule):not(.cursor), rect, circle")];
    return box.width > 50 && box.height > 20 && marks.some(extent);
  };
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = light(getComputedStyle(document.body).backgroundColor);
  const texts = ["body", ".note", "figcaption", "svg text", "a", "small"];
  const contrast = {};
  for (const name of texts) {
    const node = document.querySelector(name);
    if (!node) continue;
    const style = getComputedStyle(node), ink = light(node.closest("svg") ? style.fill : style.color);
    contrast[name] = (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
  }
  return {
    charts: charts.length,
    empty: charts.filter((chart) => !drawn(chart)).map((chart) => chart.getAttribute("aria-label")),
    broken: [...document.images].filter((image) => !image.naturalWidth).length,
    over: document.documentElement.scrollWidth - innerWidth,
    behind, contrast,
    loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
  };
})()"""

# Sorts and filters the first long table, and walks along the first chart.
USE = """(() => {
  const wrong = [];
  const tables = [...document.querySelectorAll("table.sorts")];
  const table = tables.find((one) => one.tBodies[0].rows.length > 7) ?? tables[0];
  if (table) {
    const button = table.tHead.querySelector("button"), head = button.closest("th");
    const rows = () => [...table.tBodies[0].rows].map((row) => row.textContent).join("\\n");
    button.click();
    const down = rows();
    if (head.getAttribute("aria-sort") !== "descending") wrong.push("a table does not sort");
    button.click();
    if (head.getAttribute("aria-sort") !== "ascending") wrong.push("a table does not turn round");
    if (table.tBodies[0].rows.length > 1 && rows() === down) wrong.push("a table sorts without a change");
    const box = table.parentNode.previousElementSibling.querySelector("input");
    if (box) {
      const all = [...table.tBodies[0].rows].map((row) => row.textContent.toLowerCase());
      const apart = (text) => !all.every((row) => text.toLowerCase().split(/\\s+/).every((word) => row.includes(word)));
      const texts = [...table.tBodies[0].rows[0].cells].map((cell) => cell.textContent);
      box.value = texts.find(apart) ?? "no row has this";
      box.dispatchEvent(new Event("input"));
      const hidden = [...table.tBodies[0].rows].filter((row) => row.hidden).length;
      if (!hidden || hidden === all.length && texts.some(apart)) wrong.push(`filtering ${table.dataset.name} by "${box.value}" hides ${hidden} rows`);
    }
  }
  const chart = document.querySelector("svg[data-x]");
  if (chart) {
    chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
    const tip = chart.closest("figure").querySelector(".tip");
    if (!tip || tip.hidden || !/\\d/.test(tip.textContent)) wrong.push("a chart does not tell its numbers");
  }
  return { wrong, tables: tables.length, live: Boolean(chart) };
})()"""


class Browser:
    """A Chromium that obeys over a pipe."""

    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.of, to_write = os.pipe()
        # The browser reads from 3 and writes to 4.
        command = ["sh", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "sh", program]
        self.process = subprocess.Popen(
            [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.count = 0
        self.buffer = b""
        self.told = []

    def hear(self, until):
        """Returns the first message for which until(message) holds; events are kept."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self.buffer:
                line, self.buffer = self.buffer.split(b"\0", 1)
                message = json.loads(line)
                if "method" in message:
                    self.told.append(message)
                if until(message):
                    return message
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.of], [], [], left)[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE} s")
            part = os.read(self.of, 1 << 20)
            if not part:
                raise EOFError(f"the browser ended with code {self.process.wait()}")
            self.buffer += part

    def call(self, method, session=None, **parameters):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        answer = self.hear(lambda heard: heard.get("id") == number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def close(self):
        self.process.terminate()
        self.process.wait()


def complaints(events):
    """What the console would show of errors and warnings."""
    found = []
    for event in events:
        method, about = event["method"], event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            found.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            found.append(" ".join(str(part.get("value", part)) for part in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            found.append(about["entry"]["text"])
    return found


def view(browser, page, width, scheme, picture):
    """Opens a page once; returns what was looked at and what is wrong."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(method, **parameters):
        return browser.call(method, session, **parameters)

    def value(expression):
        answer = call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"]["value"]

    browser.told.clear()
    for domain in ("Page", "Runtime", "Log"):
        call(f"{domain}.enable")
    small = width < 500
    call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=small)
    call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    call("Page.navigate", url=page.resolve().as_uri())

    def loaded(heard):
        return heard.get("method") == "Page.loadEventFired" and heard.get("sessionId") == session

    if not any(loaded(event) for event in browser.told):
        browser.hear(loaded)
    first = None
    if picture:
        first = call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    seen = value(LOOK)
    used = value(USE)
    wrong = complaints(browser.told) + used["wrong"]
    if seen["empty"]:
        wrong.append(f"{len(seen['empty'])} charts are not drawn: {', '.join(map(str, seen['empty'][:5]))}")
    if seen["broken"]:
        wrong.append(f"{seen['broken']} pictures are broken")
    if seen["over"] > 0:
        wrong.append(f"it scrolls sideways by {seen['over']} pixels")
    if seen["loaded"] > MILLISECONDS:
        wrong.append(f"it took {seen['loaded']:.0f} ms to load")
    wrong += [f"{name}: a contrast of {ratio:.1f}" for name, ratio in seen["contrast"].items() if ratio < 4.0]
    if (seen["behind"] > 0.5) != (scheme == "light"):
        wrong.append(f"its background is not {scheme}")
    if picture:
        picture.with_name(picture.name + ".png").write_bytes(base64.b64decode(first))
    browser.call("Target.closeTarget", targetId=target)
    return seen, used, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("browser")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(arguments.browser, profile)
        try:
            # The first page that a browser opens pays for its start.
            view(browser, arguments.pages[0], 1280, "light", None)
            for page in arguments.pages:
                size = page.stat().st_size
                wrong = [f"it has {size} bytes"] if size > BYTES else []
                slowest = 0
                for width in (1280, 390):
                    for scheme in ("light", "dark"):
                        picture = None
                        if arguments.pictures:
                            name = f"{page.parent.name}-{page.stem}-{width}-{scheme}"
                            picture = arguments.pictures / name
                        seen, used, found = view(browser, page, width, scheme, picture)
                        slowest = max(slowest, seen["loaded"])
                        wrong += [f"{width} px, {scheme}: {what}" for what in found]
                if not seen["charts"]:
                    wrong.append("it has no chart")
                print(
                    f"{page}: {seen['charts']} charts, {used['tables']} tables, {size / 1e6:.2f} MB, "
                    f"loaded within {slowest:.0f} ms"
                )
                for what in wrong:
                    print(f"{page}: {what}", file=sys.stderr)
                failed = failed or bool(wrong)
        finally:
            browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
