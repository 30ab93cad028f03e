"""A page as a browser sees it."""

import functools
from html.parser import HTMLParser

from rafair.report import render_pages

REFERRING = {"src", "href", "xlink:href", "data", "action", "poster", "srcset", "background"}
VOID = {"meta", "br", "img", "hr", "input", "link"}


class Page(HTMLParser):
    """What a browser would see: tags, references, visible text; open tags must match."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.references, self.handlers, self.open, self.wrong = [], [], [], [], []
        self.shown = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in REFERRING]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.shown.append(data)

    @property
    def text(self):
        return " ".join("".join(self.shown).split())


def words_of(value):
    return " ".join(str(value).split())


@functools.cache
def rendered(run):
    """The files of a run's page; each run is drawn once."""
    return render_pages(run)
