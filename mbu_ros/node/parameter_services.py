# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The services by which parameters are read and set, with an answer to malformed requests too."""

from __future__ import annotations

from collections.abc import Iterable

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService


class ParameterServices(ParameterService):
    """rclpy's services of a node, which any message on the network may reach.

    In rclpy itself a value of a type that does not exist raises out of the executor, and one such
    request ends the process.

    Args:
        node: one that was made with `start_parameter_services=False`.
    """

    def _set_parameters_callback(
        self, request: SetParameters.Request, response: SetParameters.Response
    ) -> SetParameters.Response:
        for parameter in request.parameters:
            problem = _problem([parameter])
            if problem is None:
                one = SetParameters.Request(parameters=[parameter])
                super()._set_parameters_callback(one, response)
            else:
                response.results.append(problem)
        return response

    def _set_parameters_atomically_callback(
        self,
        request: SetParametersAtomically.Request,
        response: SetParametersAtomically.Response,
    ) -> SetParametersAtomically.Response:
        problem = _problem(request.parameters)
        if problem is None:
            return super()._set_parameters_atomically_callback(request, response)
        response.result = problem
        return response


def _problem(parameters: Iterable[ParameterMessage]) -> SetParametersResult | None:
    """What to answer where one of them cannot be read; None where all can."""
    for parameter in parameters:
        try:
            Parameter.from_parameter_msg(parameter)
        except (ValueError, TypeError, AssertionError) as error:
            return SetParametersResult(
                successful=False, reason=f'{parameter.name} cannot be read: {error}'
            )
    return None
