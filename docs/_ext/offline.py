"""Refuses pages that would load something from elsewhere: the documentation can be read without a network, unseen."""

import re
from html.parser import HTMLParser
from pathlib import Path

from sphinx.errors import ExtensionError

# Elements and the attributes by which they load. A link that a reader may follow (`<a href>`) loads nothing by itself.
_LOADS = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "video": ("src", "poster"),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
# Of <link>: what says where a page belongs loads nothing.
_SAYS = {"author", "canonical", "index", "license", "next", "prev", "search", "up"}
_ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:[a-z][a-z0-9+.-]*:)?//[^"')\s;]+)""", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.style = tag == "style"
        self.found += _IN_STYLE.findall(has.get("style", ""))
        if tag == "link" and set(has.get("rel", "").lower().split()) <= _SAYS:
            return
        for name in _LOADS.get(tag, ()):
            several = has.get(name, "").split(",") if name == "srcset" else [has.get(name, "")]
            self.found += [one.strip() for one in several if _ELSEWHERE.match(one)]

    def handle_endtag(self, tag: str) -> None:
        self.style = self.style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self.style:
            self.found += _IN_STYLE.findall(data)


def requests(text: str, suffix: str = ".html") -> list[str]:
    """What a page, or with the suffix `.css` a style sheet, loads from elsewhere as it is opened.

    >>> requests('<a href="https://a.org">a</a><script async src="https://b.org/c.js"></script>')
    ['https://b.org/c.js']
    """
    if suffix == ".css":
        return _IN_STYLE.findall(text)
    page = _Page()
    page.feed(text)
    page.close()
    return page.found


def everywhere(folder: Path) -> list[str]:
    """Every request of every page and style sheet below a folder, as "page: address"."""
    return [
        f"{path.relative_to(folder)}: {address}"
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".html", ".css"}
        for address in requests(path.read_text("utf-8"), path.suffix)
    ]


def check(app, exception) -> None:
    if exception is None and app.builder.format == "html" and (found := everywhere(Path(app.outdir))):
        raise ExtensionError(f"pages load from elsewhere, {len(found)} times; first: {'; '.join(found[:5])}")


def setup(app):
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
