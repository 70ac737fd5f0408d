"""A report as a browser takes it."""

import json
import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser makes of a page: elements with attributes, visible words, and what scripts hold."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.words, self.specs, self.open, self.stack = [], [], {}, None, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br"):
            self.stack.append(tag)
        if tag == "script":
            self.open = dict(attrs).get("id")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag
        self.open = None

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "script":
            if self.open:
                self.specs[self.open] = json.loads(data)
        elif not self.stack or self.stack[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def score(value, half=0.02):
    """A score as results hold it."""
    return {"value": value, "low": value - half, "high": value + half}
