# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Takes a report's page apart, without a browser."""

import json
from html.parser import HTMLParser

VOID = {'meta', 'img', 'br'}
CSS_CALLS = ('url(', '@import', 'expression(')


class Page(HTMLParser):
    """What the tests look at.

    Attributes:
        figures: (path, value, text) of each element with data-path.
        images: src of each img.
        links: href of each a.
        ids: of all elements.
        tags: names of all elements.
        attributes: (tag, name, value) of all elements.
        text: all text outside of style.
        unclosed: elements that do not end.
        policy: of the contents.
    """

    def __init__(self, html):
        super().__init__()
        self.figures, self.images, self.links, self.ids, self.tags = [], [], [], [], []
        self.attributes, self.text, self.policy = [], '', ''
        self._open, self._figure = [], None
        self.feed(html)
        self.close()
        self.unclosed = self._open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if 'id' in attributes:
            self.ids.append(attributes['id'])
        if tag == 'img':
            self.images.append(attributes['src'])
        if tag == 'a':
            self.links.append(attributes['href'])
        if attributes.get('http-equiv') == 'Content-Security-Policy':
            self.policy = attributes['content']
        if 'data-path' in attributes:
            self._figure = [
                json.loads(attributes['data-path']),
                json.loads(attributes['value']),
                '',
            ]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == 'data':
            self.figures.append(tuple(self._figure))
            self._figure = None

    def handle_data(self, data):
        if self._figure is not None:
            self._figure[2] += data
        if 'style' not in self._open:
            self.text += data


def at(report, path):
    """The value at a path of keys."""
    for key in path:
        report = report[key]
    return report
