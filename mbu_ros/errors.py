# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one exception type that tells a user what was wrong with what they gave."""


class InputError(ValueError):
    """A file, message or argument that cannot be used.

    The text is one sentence for a person: what was wrong, where, and what to do. The command line
    prints it without a traceback; the node counts a dropped frame and logs it.
    """
