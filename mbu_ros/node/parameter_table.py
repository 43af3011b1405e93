# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What parameters the node has: meaning, unit, default, range, and when each may be changed."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ros.engine.select import ENGINES

LIVE = 'at any time'
CONFIGURE = 'while the node is unconfigured'
START = 'at the start only'
NODE = 'by the node itself'

OUTPUTS = (
    'mask',
    'color',
    'overlay',
    'overlay/compressed',
    'confidence',
    'camera_info',
    'label_info',
    'timing',
)
"""Topics of a camera, below its `segmentation/`."""


@dataclass(frozen=True)
class Entry:
    """One parameter.

    Attributes:
        name: its name; of a camera's own, what follows the camera's name and a dot.
        default: its value where none is given; of its type.
        description: one sentence, for `ros2 param describe` and the docs.
        changed: when it may be set: `LIVE`, `CONFIGURE`, `START` or `NODE`.
        unit: of a number; '' where it has none.
        low, high: range of a number, both included.
        choices: all that a string, or each string of an array, may be.
        of_camera: whether each named camera has its own, which precedes the node's.
        element: type of the elements of an array that is empty by default.
    """

    name: str
    default: bool | int | float | str | list[str] | list[int]
    description: str
    changed: str
    unit: str = ''
    low: int | float | None = None
    high: int | float | None = None
    choices: tuple[str, ...] = ()
    of_camera: bool = False
    element: type | None = None

    @property
    def inherits(self) -> bool | int | float | str | list[str] | list[int]:
        """Value of a camera's own parameter that stands for that of the node."""
        if isinstance(self.default, str):
            return ''
        if isinstance(self.default, list):
            return ['']
        return type(self.default)(-1)


PARAMETERS = (
    Entry(
        'cameras',
        [''],
        'Names of the cameras, [a-z][a-z0-9_]* each, which precede their topics; one camera '
        'without a name by default',
        START,
    ),
    Entry(
        'model',
        'synthetic',
        'Name of a shipped model, or path of a model file (.safetensors); where it is changed '
        'while the node runs, the old one goes on until the new one is ready',
        LIVE,
    ),
    Entry(
        'model_sha256',
        '',
        "SHA-256 that the model's file must have whenever it is read, 64 hexadecimal digits; a "
        "file of another is refused; '': any file",
        LIVE,
    ),
    Entry(
        'engine',
        'auto',
        'What runs the model; auto: CUDA where it can, else the CPU',
        CONFIGURE,
        choices=ENGINES,
    ),
    Entry(
        'autostart',
        True,
        'Configure and activate at the start; false: wait for a lifecycle manager',
        START,
    ),
    Entry(
        'retry_seconds',
        0.0,
        'With autostart: time from a start that failed to the next attempt; 0: no further attempt, '
        'the node ends with exit code 1',
        LIVE,
        's',
        0.0,
        3600.0,
    ),
    Entry(
        'transport',
        'raw',
        'What images come as; raw: sensor_msgs/Image on image; compressed: '
        'sensor_msgs/CompressedImage on image/compressed',
        CONFIGURE,
        choices=('raw', 'compressed'),
        of_camera=True,
    ),
    Entry(
        'reliability',
        'best_effort',
        'QoS of the subscription to images; best_effort hears every publisher; publisher: that of '
        'the first publisher, with its durability',
        CONFIGURE,
        choices=('best_effort', 'reliable', 'publisher'),
        of_camera=True,
    ),
    Entry(
        'queue_depth',
        5,
        'Depth of the subscription to images',
        CONFIGURE,
        'frames',
        1,
        100,
        of_camera=True,
    ),
    Entry(
        'mask_size',
        'camera',
        "Size of all results; camera: that of the camera's image; network: that of the model's "
        'input',
        CONFIGURE,
        choices=('camera', 'network'),
        of_camera=True,
    ),
    Entry(
        'max_rate',
        0.0,
        'Frames segmented a second at most; 0: no limit',
        LIVE,
        'Hz',
        0.0,
        1000.0,
        of_camera=True,
    ),
    Entry(
        'outputs',
        list(OUTPUTS),
        'Topics that are published while somebody subscribes to them; the others stay silent',
        LIVE,
        choices=OUTPUTS,
        of_camera=True,
    ),
    Entry(
        'overlay_alpha',
        0.5,
        'Weight of the class colours in segmentation/overlay; 0: the image alone',
        LIVE,
        '1',
        0.0,
        1.0,
    ),
    Entry(
        'confidence_threshold',
        0.0,
        'Pixels of less confidence become 255, unlabelled; 0: off',
        LIVE,
        '1',
        0.0,
        1.0,
    ),
    Entry(
        'confidence_encoding',
        'mono8',
        'Encoding of segmentation/confidence; mono8: 0 to 255; 32FC1: 0.0 to 1.0',
        CONFIGURE,
        choices=('mono8', '32FC1'),
    ),
    Entry(
        'limits.min_rate',
        0.0,
        'A camera of which fewer frames come is a warning in /diagnostics; 0: no limit',
        LIVE,
        'Hz',
        0.0,
        1000.0,
        of_camera=True,
    ),
    Entry(
        'limits.max_age',
        5.0,
        'A camera whose last frame is older is stale in /diagnostics; 0: no limit',
        LIVE,
        's',
        0.0,
        3600.0,
        of_camera=True,
    ),
    Entry(
        'limits.max_latency_p95',
        0.0,
        '95th percentile of the time from received to published above which /diagnostics warns; '
        '0: no limit',
        LIVE,
        'ms',
        0.0,
        60000.0,
        of_camera=True,
    ),
    Entry(
        'limits.max_drop_share',
        1.0,
        'Share of dropped frames among those received above which /diagnostics warns; 1: no limit',
        LIVE,
        '1',
        0.0,
        1.0,
        of_camera=True,
    ),
    Entry(
        'class_names',
        [],
        'Names of the classes of the model that runs, by label',
        NODE,
        element=str,
    ),
    Entry(
        'class_colors',
        [],
        'Colours of the classes of the model that runs: red, green, blue of label 0, of label 1, '
        '...; 0 to 255',
        NODE,
        element=int,
    ),
)
"""All of them."""
