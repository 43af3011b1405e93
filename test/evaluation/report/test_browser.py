# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pages in a browser: figures in the document, pictures that load, and no word to anybody."""

import json

import pytest

from mbu_ros.data.sample import ClassMap
from mbu_ros.evaluation.report.report import build_report

from .browser import find_browser, open_tab
from .page_parts import at
from .runs import CLASSES, evaluate, facts, whole_report

pytest.importorskip('jinja2')
pytest.importorskip('matplotlib')
pytestmark = pytest.mark.skipif(find_browser() is None, reason='no Chromium is installed')

from mbu_ros.evaluation.report.comparison_page import write_comparison  # noqa: E402
from mbu_ros.evaluation.report.files import write_report  # noqa: E402

FIGURES = """[...document.querySelectorAll('[data-path]')].map(
    e => [JSON.parse(e.dataset.path), e.value, e.textContent, e.getClientRects().length])"""
IMAGES = """Promise.all([...document.images].map(i => i.decode().then(() => 0, () => 0))).then(
    () => [...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.clientWidth]))"""
CHARTS = "[...document.querySelectorAll('svg')].map(e => [e.clientWidth, e.clientHeight])"
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(
    e => e.getBoundingClientRect().right > innerWidth && !e.closest('.scroll')).map(
    e => e.tagName + ' ' + e.textContent.slice(0, 40))"""
WIDTH = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'


@pytest.fixture(scope='module')
def tab(tmp_path_factory):
    with open_tab(tmp_path_factory.mktemp('profile')) as tab:
        yield tab


@pytest.fixture
def opened(tab):
    """Opens a page; afterwards the browser has asked for nothing but what is in the file."""

    def open_page(path):
        tab.requests.clear()
        tab.complaints.clear()
        tab.open(path)
        return tab

    yield open_page
    tab.evaluate('0')  # what it has said until now has been read then
    assert tab.complaints == []
    assert [url for url in tab.requests[1:] if not url.startswith('data:')] == []
    assert tab.requests[0].startswith('file:')


def test_figures_pictures_and_charts_are_there(opened, tmp_path):
    evaluation, report = whole_report()
    write_report(tmp_path, evaluation, report)
    tab = opened(tmp_path / 'report.html')
    figures = tab.evaluate(FIGURES)
    stored = json.loads((tmp_path / 'report.json').read_text())
    assert len(figures) > 100
    for path, value, _, boxes in figures:
        assert json.loads(value) == at(stored, path)
        assert boxes == 1, f'{path} is not shown'
    shown = {tuple(path): text for path, _, text, _ in figures}
    assert shown['miou',] == f'{stored["miou"]:.3f}'
    images = tab.evaluate(IMAGES)
    assert images and all(
        (width, height) == (16, 12) and shown > 0 for width, height, shown in images
    )
    assert len(images) == 24
    charts = tab.evaluate(CHARTS)
    assert len(charts) == 4 and all(width > 300 and height > 80 for width, height in charts)


@pytest.mark.parametrize('width', [400, 1280])
def test_a_page_is_as_wide_as_the_window(opened, tmp_path, width):
    classes = ClassMap(tuple(f'a class with a long name {i}' for i in range(20)), ((9, 9, 9),) * 20)
    evaluation = evaluate(2, classes=classes, sequences=('x' * 300,))
    report = build_report(evaluation, facts(source='y' * 300, configuration={'z' * 200: 'z' * 500}))
    write_report(tmp_path, evaluation, report)
    tab = opened(tmp_path / 'report.html')
    size = {'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': False}
    tab.call('Emulation.setDeviceMetricsOverride', **size)
    assert tab.evaluate(TOO_WIDE) == []
    assert tab.evaluate(WIDTH) == 0


def test_hostile_names_run_nothing(opened, tmp_path):
    name = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    evaluation = evaluate(2, classes=ClassMap((name, 'b', 'c'), CLASSES.colors), sequences=(name,))
    report = build_report(evaluation, facts(source=name, notes=[name], configuration={name: name}))
    write_report(tmp_path, evaluation, report)
    tab = opened(tmp_path / 'report.html')
    assert name in tab.evaluate('document.title')
    assert tab.evaluate("document.querySelectorAll('script, [onerror]').length") == 0
    assert name in tab.evaluate("document.querySelector('.notes').textContent")


def test_dark_where_the_reader_wants_it_and_light_on_paper(opened, tmp_path):
    evaluation = evaluate(2)
    write_report(tmp_path, evaluation, build_report(evaluation, facts()))
    tab = opened(tmp_path / 'report.html')
    color = 'getComputedStyle(document.body).backgroundColor'

    def brightness(media, scheme):
        features = [{'name': 'prefers-color-scheme', 'value': scheme}]
        tab.call('Emulation.setEmulatedMedia', media=media, features=features)
        channels = tab.evaluate(color).removeprefix('rgb(').removesuffix(')').split(',')
        return sum(map(int, channels)) / 3

    assert brightness('screen', 'light') > 200
    assert brightness('screen', 'dark') < 60
    assert brightness('print', 'dark') > 200


def test_the_comparison_opens_too(opened, tmp_path):
    _, a = whole_report()
    _, b = whole_report()
    b['miou'] = 0.875
    tab = opened(write_comparison(tmp_path, a, b))
    assert '0.8750' in tab.evaluate('document.body.innerText')
