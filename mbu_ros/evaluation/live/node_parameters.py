# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Asks a running node for the parameters that it has: what a report calls its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ParameterQuery:
    """Asks as soon as the node answers, without waiting.

    Args:
        node: the node that asks.
        of: name of the node that is asked.

    Attributes:
        values: by name; empty until the answer is there.
    """

    def __init__(self, node: Any, of: str) -> None:
        from rcl_interfaces.srv import GetParameters, ListParameters

        self.values: dict[str, object] = {}
        self._list = node.create_client(ListParameters, f'{of}/list_parameters')
        self._get = node.create_client(GetParameters, f'{of}/get_parameters')
        self._asked = False

    def look(self) -> None:
        """Ask if the node is there and was not asked before; call it again and again."""
        if self._asked or not (self._list.service_is_ready() and self._get.service_is_ready()):
            return
        self._asked = True
        _ask(self._list, self._take_names)

    def _take_names(self, answer: Any) -> None:
        names = sorted(answer.result.names)

        def take_values(answer: Any) -> None:
            from rclpy.parameter import parameter_value_to_python

            found = map(parameter_value_to_python, answer.values)
            self.values = {
                name: list(value) if hasattr(value, 'typecode') else value
                for name, value in zip(names, found)
            }

        _ask(self._get, take_values, names=names)


def _ask(client: Any, take: Callable[[Any], None], **fields: Any) -> None:
    future = client.call_async(client.srv_type.Request(**fields))
    future.add_done_callback(
        lambda done: take(done.result()) if done.result() is not None else None
    )
