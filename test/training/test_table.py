# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import re

import pytest
from rich.console import Console

from mbu_ros.errors import InputError
from mbu_ros.training.table import make_table
from mbu_ros.training.table_text import as_markdown, print_table, write_table

from .results import BINARY_OPERATIONS, CLASSES, HEADING, NEVER, results


def markdown_tables(text):
    """Each table of a Markdown text as {first cell: {column: cell}}."""
    tables, lines = [], []
    for line in [*text.splitlines(), '']:
        if line.startswith('|'):
            cells = re.split(r'(?<!\\)\|', line)[1:-1]
            lines.append([cell.strip() for cell in cells])
        elif lines:
            header, rule, *rows = lines
            assert all(re.fullmatch('---:?', cell) for cell in rule)
            assert all(len(row) == len(header) == len(rule) for row in rows)
            tables.append({row[0]: dict(zip(header, row)) for row in rows})
            lines = []
    return tables


def rows(given=None, heading=HEADING):
    table = make_table(heading, results() if given is None else given)
    return {row.network: row for row in table.rows}


def test_gaps_are_points_below_the_better_float_network():
    table = make_table(HEADING, results())
    assert table.better_float == 'float_longer'
    gaps = {row.network: row.gap for row in table.rows}
    assert gaps['float'] is None and gaps['float_longer'] is None
    # 0.6612 less 0.6583, 0.6559 and 0.5931
    assert gaps['masked'] == pytest.approx(0.29)
    assert gaps['chosen'] == pytest.approx(0.53)
    assert gaps['binary'] == pytest.approx(6.81)


def test_a_worse_longer_float_network_does_not_lower_the_bar():
    given = results()
    given['float_longer']['miou'] = 0.6550
    table = make_table(HEADING, given)
    assert table.better_float == 'float'
    gaps = {row.network: row.gap for row in table.rows}
    assert gaps['masked'] == pytest.approx(-0.13)  # 0.6570 - 0.6583: nothing lost


def test_the_integer_network_is_what_counts():
    given = results()
    given['masked']['integer_miou'] = 0.6580
    row = rows(given)['masked']
    assert row.miou == 0.6580 and row.gap == pytest.approx(0.32)


def test_without_a_float_network_there_is_no_gap():
    given = {'masked': results()['masked']}
    assert rows(given)['masked'].gap is None
    text = as_markdown(make_table(HEADING, given))
    assert markdown_tables(text)[0]['masked']['gap'] == '-'
    assert 'gap:' not in text


def test_operations_of_quantised_networks_are_over_those_of_the_all_binary_one():
    given = results()
    assert make_table(HEADING, given).binary_operations == BINARY_OPERATIONS
    relative = {name: row.relative_operations for name, row in rows(given).items()}
    assert relative['float'] is None and relative['float_longer'] is None
    assert relative['binary'] == 1
    assert relative['chosen'] == pytest.approx(1.4454, abs=1e-4)
    assert relative['masked'] == pytest.approx(1.9967, abs=1e-4)
    del given['binary']  # which is needed for nothing
    assert rows(given)['chosen'].relative_operations == relative['chosen']


def test_markdown_holds_both_tables():
    text = as_markdown(make_table(HEADING, results()))
    assert text.startswith('# camvid, val split\n')
    for what in ('480x360', 'width 64', 'depth 4', 'recipe standard', 'seed 0', '30 minutes'):
        assert what in text.split('|')[0]
    networks, classes = markdown_tables(text)
    assert list(networks) == ['float', 'float_longer', 'masked', 'chosen', 'binary']
    assert networks['chosen'] == {
        'network': 'chosen',
        'mIoU': '0.6559',
        'gap': '0.53',
        'pixel acc.': '0.9027',
        'MB': '5.31',
        'Gop': '376',
        'x binary': '1.45',
        'agree %': '99.987',
        'train min': '6.6',
        'train img/s': '180',
    }
    assert networks['float']['x binary'] == networks['float']['agree %'] == '-'
    assert networks['float']['MB'] == '62.1'
    assert list(classes) == [*CLASSES, 'mean']
    assert classes['sky']['masked'] == '0.9083'  # 0.90 + 0.6583 - 0.65
    assert classes['mean']['binary'] == '0.5931'
    assert set(classes[CLASSES[NEVER]].values()) == {'sign', '-'}
    assert 'chosen has two planes in 8 of 21 hidden layers: up.3, decoder.3.conv1, up.2' in text
    assert 'below' not in text and 'against float_longer' in text


def test_a_gain_too_small_to_show_is_no_negative_zero():
    given = results()
    given['masked']['integer_miou'] = given['float_longer']['miou'] + 1e-6
    (networks, _) = markdown_tables(as_markdown(make_table(HEADING, given)))
    assert networks['masked']['gap'] == '0.00'


def test_names_with_a_meaning_in_markdown_and_on_the_screen_stay_as_they_are(capsys):
    names = ('a|b', '[bold]', *CLASSES[2:])
    table = make_table(dataclasses.replace(HEADING, classes=names, data='[x]'), results())
    _, classes = markdown_tables(as_markdown(table))
    assert list(classes)[:2] == [r'a\|b', r'\[bold\]']
    print_table(table, Console(width=80, color_system=None))
    shown = capsys.readouterr().out
    assert 'a|b' in shown and '[bold]' in shown and shown.startswith('[x], val split')


def test_the_screen_shows_both_tables_in_80_columns(capsys):
    given = results()
    for entry in given.values():  # about as wide as they get
        entry |= {'images_per_second': 2412.0, 'seconds': 15000.0, 'operations': 3_085_123_456_789}
        entry['bytes'] = 123_456_789
    print_table(make_table(HEADING, given), Console(width=80, color_system=None))
    text = capsys.readouterr().out
    assert '…' not in text and max(map(len, text.splitlines())) <= 80
    line = next(line for line in text.splitlines() if line.startswith('masked'))
    assert line.split() == (
        ['masked', '0.6583', '0.29', '0.9033', '123', '3085', '11.87', '99.987', '250', '2412']
    )
    sign = next(line for line in text.splitlines() if line.startswith('sign'))
    assert sign.split() == ['sign', *['-'] * 5]


def test_files_hold_what_the_screen_shows(tmp_path):
    given = results()
    given['binary']['pixel_accuracy'] = float('nan')
    markdown, plain = write_table(tmp_path / 'run', make_table(HEADING, given))
    assert markdown == tmp_path / 'run' / 'table.md' and plain.name == 'table.json'
    assert 'nan' not in markdown.read_text()
    content = json.loads(plain.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content['schema_version'] == 1
    assert content['split'] == 'val' and content['data'] == 'camvid'
    assert content['size'] == [360, 480] and content['better_float'] == 'float_longer'
    by_name = {network['network']: network for network in content['networks']}
    assert by_name['chosen']['bytes'] == 5_310_000
    assert by_name['chosen']['plan']['up.3'] == 2
    assert by_name['chosen']['plan']['encoder.0.conv2'] == 1
    assert by_name['chosen']['gap'] == pytest.approx(0.53)
    assert by_name['float']['iou']['sign'] is None
    assert by_name['float']['iou']['sky'] == pytest.approx(0.907)
    assert by_name['binary']['pixel_accuracy'] is None
    assert list(by_name['float']['iou']) == list(CLASSES) == content['classes']


def test_results_that_make_no_table():
    with pytest.raises(InputError, match='no network'):
        make_table(HEADING, {})
    given = results()
    given['masked']['split'] = 'test'
    with pytest.raises(InputError, match='different splits, test and val'):
        make_table(HEADING, given)
    given = results()
    given['masked']['iou'].pop()
    with pytest.raises(ValueError, match='shorter'):
        make_table(HEADING, given)


def test_the_table_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        write_table(tmp_path / 'file', make_table(HEADING, results()))
