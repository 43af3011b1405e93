# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pickle

from mbu_ros.errors import MOST_CHARACTERS, InputError


def test_the_text_can_be_printed_whatever_it_quotes():
    assert str(InputError('colour \ud800 of bad\udcff.png')) == r'colour \ud800 of bad\udcff.png'
    assert str(InputError('Straße')) == 'Straße'


def test_a_long_text_is_cut_off():
    text = str(InputError('x' * 10 * MOST_CHARACTERS))
    assert text == 'x' * MOST_CHARACTERS + ' ...'
    assert str(InputError('x' * MOST_CHARACTERS)) == 'x' * MOST_CHARACTERS


def test_it_goes_from_one_process_to_another():
    error = pickle.loads(pickle.dumps(InputError('no such file')))
    assert type(error) is InputError and str(error) == 'no such file'


def test_no_text_gives_orders_to_a_terminal():
    assert str(InputError('no topic /a\x1b]0;mine\x07\r\x9b31m')) == (
        r'no topic /a\x1b]0;mine\x07\x0d\x9b31m'
    )
    assert str(InputError('one\n\ttwo')) == 'one\n\ttwo'
