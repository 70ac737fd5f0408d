"""Opens a page in headless Chromium and lets it be looked at from inside: no driver, no network, no further package.

The page is put into a frame of a given width, which shares its origin, so that a script outside can read and use it. A
policy forbids every request; what violates it is counted. Chromium writes the outer page out once the script is done.
"""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PROGRAM = os.environ.get("STEXPLAIN_CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)

needs_browser = pytest.mark.skipif(
    PROGRAM is None,
    reason="no Chromium on the PATH: rendered pages are not checked (install chromium, or set STEXPLAIN_CHROMIUM)",
)

# Runs inside the page before anything else of it: what goes wrong is noted on the outer page.
_WATCH = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' \
'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<script>
window.problems = [];
addEventListener("error", e => problems.push("error: " + e.message));
addEventListener("unhandledrejection", e => problems.push("rejected: " + e.reason));
addEventListener("securitypolicyviolation", e => problems.push("request: " + e.blockedURI));
for (const kind of ["error"]) {
  const before = console[kind];
  console[kind] = (...words) => { problems.push(kind + ": " + words.join(" ")); before(...words); };
}
</script>"""

_OUTER = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" style="border:0;width:%dpx;height:900px" srcdoc="%s"></iframe>
<pre id="answer"></pre>
<script>
const wait = ms => new Promise(go => setTimeout(go, ms));
const frame = document.getElementById("page");
frame.addEventListener("load", async () => {
  const w = frame.contentWindow, d = w.document;
  let answer;
  try {
    for (let tries = 0; tries < 600 && d.documentElement.dataset.drawn !== "yes"; tries++) await wait(50);
    const found = await (async () => {%s})();
    answer = {problems: w.problems, drawn: d.documentElement.dataset.drawn, ...found};
  } catch (error) {
    answer = {failed: String(error.stack || error)};
  }
  document.getElementById("answer").textContent = "ANSWER" + JSON.stringify(answer) + "END";
});
</script>"""


def look(page: str, script: str = "return {};", *, width: int = 1400, dark: bool = False, still: bool = False) -> dict:
    """What a script finds on a page.

    Args:
        page: the HTML.
        script: the body of an asynchronous JavaScript function that returns an object; `w` is the window of the page,
            `d` its document, ``await wait(ms)`` lets time pass.
        width: of the page in pixels.
        dark: whether the reader prefers dark pages.
        still: whether the reader asked for less motion.

    Returns:
        The object, with ``problems`` (errors and requests) and ``drawn`` (whether the charts are).
    """
    watched = page.replace("<head>", f"<head>{_WATCH}", 1)
    assert watched != page
    outer = _OUTER % (width, html.escape(watched, quote=True), script)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outer.html"
        path.write_text(outer, "utf-8")
        shown = (
            f"--window-size={max(width, 500)},1000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            *(("--force-prefers-reduced-motion",) if still else ()),
        )
        done = _run(folder, path, *shown)
    found = re.search(r"ANSWER(.*)END</pre>", done.stdout, re.DOTALL)
    assert found, f"Chromium gave no answer: {done.stderr[-2000:]}"
    answer: dict = json.loads(html.unescape(found[1]))
    assert "failed" not in answer, answer["failed"]
    return answer


def pages_on_paper(page: str) -> int:
    """How many pages a page takes when it is printed."""
    with tempfile.TemporaryDirectory() as folder:
        path, printed = Path(folder) / "page.html", Path(folder) / "page.pdf"
        path.write_text(page, "utf-8")
        done = _run(folder, path, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
        assert printed.is_file(), f"Chromium printed nothing: {done.stderr[-2000:]}"
        # Chromium writes the dictionaries of its pages as they are; only what they draw is compressed.
        return len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))


def _run(folder: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Opens a page, and lets its timers run as fast as they can: a minute of its own time, then it is written out."""
    return subprocess.run(
        [
            str(PROGRAM), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            f"--user-data-dir={folder}/profile", "--virtual-time-budget=60000", *options, path.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
