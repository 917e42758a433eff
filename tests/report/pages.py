"""A page as its reader's software sees it: elements with attributes, and text with the elements around it."""

from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Element(NamedTuple):
    """An element's start."""

    tag: str
    attributes: dict[str, str]

    def get(self, name: str) -> str:
        """An attribute, empty if there is none."""
        return self.attributes.get(name, "")


class Text(NamedTuple):
    """Some text, and the elements that it stands in, outermost first."""

    text: str
    inside: tuple[Element, ...]

    def nearest(self, attribute: str) -> str:
        """The innermost value of an attribute around it."""
        return next((e.attributes[attribute] for e in reversed(self.inside) if attribute in e.attributes), "")

    def within(self, tag: str = "", **wanted: str) -> bool:
        """Whether it stands in an element of a tag whose class, or id, is the wanted one."""
        return any(
            tag in ("", e.tag) and all(value in e.get(name.rstrip("_")).split() for name, value in wanted.items())
            for e in self.inside
        )


class Page(HTMLParser):
    """All elements and texts of a page.

    Raises:
        AssertionError: if an element is closed that was not open, or not closed.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[Text] = []
        self._open: list[Element] = []
        self.feed(source)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].tag == tag, (tag, self._open[-3:])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(Text(data, tuple(self._open)))

    def all(self, tag: str) -> list[Element]:
        """Elements of a tag, in their order."""
        return [element for element in self.elements if element.tag == tag]

    def said(self) -> str:
        """What can be read, pictures left out."""
        return " ".join(" ".join(t.text for t in self.texts if not t.within("svg") and not t.within("style")).split())
