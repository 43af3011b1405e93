# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one exception type that tells a user what was wrong with what they gave."""

from mbu_ros.printable import printable

MOST_CHARACTERS = 10_000
"""A longer text of an error is cut off; a list of hundreds of topics is not."""


class InputError(ValueError):
    """A file, message or argument that cannot be used.

    The text is one sentence for a person: what was wrong, where, and what to do. The command line
    prints it without a traceback; the node counts a dropped frame and logs it.
    """

    def __init__(self, text: str) -> None:
        # It may quote what it complains of: names of files that are no UTF-8, or half a surrogate
        # pair from JSON, which could neither be printed nor sent; or all of a large file.
        shown = printable(text).encode('utf-8', 'backslashreplace').decode()
        if len(shown) > MOST_CHARACTERS:
            shown = f'{shown[:MOST_CHARACTERS]} ...'
        super().__init__(shown)
