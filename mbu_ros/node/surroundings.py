# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the ROS graph tells about a topic of images, in words that say what to set."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

NO_PUBLISHER, OTHER_TYPE, SEVERAL_PUBLISHERS = 'no publisher', 'other type', 'several publishers'
"""What may be wrong with a topic."""
COMPRESSED = '/compressed'
"""What image_transport puts behind the name of a topic of raw images."""


def find_problem(node: Node, topic: str, wanted: Any) -> str:
    """What is wrong with a topic, as one of the words above; '' where nothing is.

    Args:
        topic: full name.
        wanted: type of its messages, Image or CompressedImage.
    """
    fitting = len(fitting_publishers(node, topic, wanted))
    if not fitting:
        return OTHER_TYPE if node.count_publishers(topic) else NO_PUBLISHER
    return SEVERAL_PUBLISHERS if fitting > 1 else ''


def explain(
    node: Node, problem: str, topic: str, wanted: Any, remapped: str, seconds: float
) -> str:
    """A problem in one or two sentences.

    Args:
        remapped: name that a user remaps to choose another topic: 'image', 'front/image'.
        seconds: how long there has been the problem.
    """
    if problem == SEVERAL_PUBLISHERS:
        count = node.count_publishers(topic)
        return (
            f'{count} publishers on {topic}: images of all of them are segmented as they come. If '
            'that is not meant, remap one of them'
        )
    base = topic.removesuffix(COMPRESSED)
    if problem == OTHER_TYPE:
        types = sorted({info.topic_type for info in node.get_publishers_info_by_topic(topic)})
        text = f'{topic} carries {", ".join(types)}, not {type_name(wanted)}; no image will come'
        if wanted is Image and type_name(CompressedImage) in types and base != topic:
            return f'{text}. {_advise("compressed", remapped, base)}'
        if wanted is CompressedImage and type_name(Image) in types:
            return f'{text}. {_advise("raw", remapped, topic)}'
        return f'{text}. Remap: -r {remapped}:=TOPIC'
    text = f'No publisher on {topic} after {seconds:.0f} s'
    if wanted is Image and fitting_publishers(node, topic + COMPRESSED, CompressedImage):
        return f'{text}, but there is one on {topic}{COMPRESSED}. {_advise("compressed")}'
    if wanted is CompressedImage and fitting_publishers(node, base, Image):
        return f'{text}, but there is one on {base}. {_advise("raw")}'
    return f'{text}; {_known(node, wanted)}. Start the camera, or remap: -r {remapped}:=TOPIC'


def fitting_publishers(node: Node, topic: str, wanted: Any) -> list[Any]:
    """Publishers of a topic, as TopicEndpointInfo, that send this type of messages."""
    infos = node.get_publishers_info_by_topic(topic)
    return [info for info in infos if info.topic_type == type_name(wanted)]


def type_name(message_type: Any) -> str:
    """As the graph names it."""
    return f'sensor_msgs/msg/{message_type.__name__}'


def _advise(transport: str, remapped: str = '', topic: str = '') -> str:
    text = f'Set the parameter transport to {transport}'
    return f'{text}, and remap: -r {remapped}:={topic}' if topic else text


def _known(node: Node, wanted: Any) -> str:
    """Topics that the node could be remapped to."""
    own = node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
    others = sorted(
        name.removesuffix(COMPRESSED) if wanted is CompressedImage else name
        for name, types in node.get_topic_names_and_types()
        if type_name(wanted) in types
        and name not in {topic for topic, _ in own}
        and node.count_publishers(name)
    )
    if not others:
        return 'no image topic is here'
    return f'image topics here are {", ".join(others)}'
