# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages to arrays and back: every encoding on hand-made pixels, and what is refused."""

import array
import struct
import sys
import types

import cv2
import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.imaging import messages
from mbu_ros.imaging.messages import ENCODINGS, fill_image, to_label, to_rgb


def image(encoding, rows, width, height=None, *, padding=0, big_endian=0, numpy_data=False):
    """An Image as rclpy gives it (data in an array.array), or as rosbags does (in a NumPy array).

    `rows` is any array whose first axis is the rows; its bytes become the data.
    """
    rows = np.ascontiguousarray(rows)
    rows = rows.view(np.uint8).reshape(len(rows), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    data = rows.reshape(-1) if numpy_data else array.array('B', rows.tobytes())
    return types.SimpleNamespace(
        height=len(rows) if height is None else height,
        width=width,
        encoding=encoding,
        is_bigendian=big_endian,
        step=rows.shape[1],
        data=data,
    )


def compressed(content, kind='jpeg'):
    return types.SimpleNamespace(format=kind, data=array.array('B', content))


def pixels(height=4, width=6, channels=3, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture(params=['rosbags-image', 'cv_bridge'])
def converter(request, monkeypatch):
    """Run a test with each of the two converters that messages may find."""
    if request.param == 'cv_bridge':
        pytest.importorskip('cv_bridge', reason='cv_bridge comes with a ROS 2 installation only')
    else:
        monkeypatch.setitem(sys.modules, 'cv_bridge', None)  # makes its import fail
    messages._converters.cache_clear()
    yield request.param
    messages._converters.cache_clear()


@pytest.mark.parametrize('numpy_data', [False, True])
@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize(
    'encoding, order',
    [
        ('rgb8', [0, 1, 2]),
        ('bgr8', [2, 1, 0]),
        ('rgba8', [0, 1, 2, 3]),
        ('bgra8', [2, 1, 0, 3]),
    ],
)
def test_colour_encodings(encoding, order, padding, numpy_data):
    rgba = pixels(channels=len(order))
    stored = rgba[..., order]
    result = to_rgb(image(encoding, stored, 6, padding=padding, numpy_data=numpy_data))
    assert result.dtype == np.uint8 and result.flags.c_contiguous
    np.testing.assert_array_equal(result, rgba[..., :3])


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey(encoding, padding):
    grey = pixels(channels=1)[..., 0]
    message = image(encoding, grey, 6, padding=padding)
    np.testing.assert_array_equal(to_rgb(message), np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(to_label(message), grey)


def test_rgb8_is_not_copied():
    message = image('rgb8', pixels(), 6)
    result = to_rgb(message)
    message.data[0] ^= 255
    assert result[0, 0, 0] == message.data[0]


@pytest.mark.parametrize('big_endian', [0, 1])
@pytest.mark.parametrize('padding', [0, 4])
@pytest.mark.parametrize(
    'encoding, order',
    [
        ('rgb16', [0, 1, 2]),
        ('bgr16', [2, 1, 0]),
        ('rgba16', [0, 1, 2, 3]),
        ('bgra16', [2, 1, 0, 3]),
        ('mono16', [0]),
    ],
)
def test_sixteen_bits_scale_to_eight(converter, encoding, order, padding, big_endian):
    # 257 * v is the 16-bit number that stands for v exactly, its bytes alike: a little less, so
    # that the order of the bytes shows. A grey level may be cut off.
    values = np.maximum(pixels(channels=len(order)), 1)
    stored = values[..., order].astype(np.uint16) * 257 - 100
    stored = stored.astype('>u2' if big_endian else '<u2')
    result = to_rgb(image(encoding, stored, 6, padding=padding, big_endian=big_endian))
    assert result.dtype == np.uint8 and result.shape == (4, 6, 3)
    expected = np.broadcast_to(values[..., :3], result.shape)
    assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('order', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_of_a_uniform_colour(converter, order, bits):
    colour = {'r': 200, 'g': 90, 'b': 30}
    mosaic = np.tile(np.array([colour[c] for c in order], np.uint8).reshape(2, 2), (4, 5))
    stored = mosaic if bits == 8 else mosaic.astype('<u2') * 257
    result = to_rgb(image(f'bayer_{order}{bits}', stored, 10))
    assert result.shape == (8, 10, 3)
    assert np.abs(result.astype(int) - [200, 90, 30]).max() <= 1


# Limited-range BT.601, as cameras send it: (Y, U, V) and the RGB they stand for.
YUV_COLOURS = [
    ((81, 90, 240), (255, 0, 0)),
    ((145, 54, 34), (0, 255, 0)),
    ((41, 240, 110), (0, 0, 255)),
    ((16, 128, 128), (0, 0, 0)),
    ((235, 128, 128), (255, 255, 255)),
]


@pytest.mark.parametrize('padding', [0, 2])
@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21'])
@pytest.mark.parametrize('yuv, rgb', YUV_COLOURS)
def test_yuv(converter, encoding, yuv, rgb, padding):
    y, u, v = yuv
    height, width = 4, 6
    if encoding in ('yuv422', 'uyvy'):
        rows = np.tile(np.array([u, y, v, y], np.uint8), (height, width // 2))
    elif encoding in ('yuv422_yuy2', 'yuyv'):
        rows = np.tile(np.array([y, u, y, v], np.uint8), (height, width // 2))
    else:
        chroma = [u, v] if encoding == 'nv12' else [v, u]
        rows = np.full((height * 3 // 2, width), y, np.uint8)
        rows[height:] = np.tile(np.array(chroma, np.uint8), width // 2)
    result = to_rgb(image(encoding, rows, width, height, padding=padding))
    assert result.shape == (height, width, 3)
    assert np.abs(result.astype(int) - rgb).max() <= 3


def test_yuv_keeps_pixels_in_place(converter):
    luma = np.random.default_rng(2).integers(16, 236, (4, 6), np.uint8)
    packed = np.stack([np.full_like(luma, 128), luma], axis=-1)
    semi_planar = np.concatenate([luma, np.full((2, 6), 128, np.uint8)])
    expected = np.clip((luma.astype(float) - 16) * 255 / 219, 0, 255)
    for result in (
        to_rgb(image('uyvy', packed, 6)),
        to_rgb(image('yuyv', packed[..., ::-1], 6)),
        to_rgb(image('nv12', semi_planar, 6, 4)),
    ):
        assert np.abs(result - expected[..., None]).max() <= 1.5


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_compressed_colour_and_grey(suffix):
    smooth = cv2.resize(pixels(3, 4), (32, 24), interpolation=cv2.INTER_LINEAR)
    tolerance = 0 if suffix == '.png' else 4  # mean difference, in grey levels
    content = cv2.imencode(suffix, smooth[..., ::-1])[1].tobytes()
    assert np.abs(to_rgb(compressed(content)).astype(int) - smooth).mean() <= tolerance
    grey = smooth[..., 0]
    result = to_rgb(compressed(cv2.imencode(suffix, grey)[1].tobytes()))
    assert np.abs(result.astype(int) - grey[..., None]).mean() <= tolerance


def test_compressed_refuses_what_cannot_be_decoded():
    jpeg = cv2.imencode('.jpg', pixels(24, 32))[1].tobytes()
    png = cv2.imencode('.png', pixels(24, 32))[1].tobytes()
    for content, words in [
        (b'', 'is empty'),
        (jpeg[: len(jpeg) // 2], 'truncated'),
        (jpeg[:2], 'truncated'),
        (png[:20], 'damaged'),
        (b'not an image at all', 'damaged'),
        (b'\xff\xd8' + b'\x00' * 50 + b'\xff\xd9', 'damaged'),
    ]:
        with pytest.raises(InputError, match=words):
            to_rgb(compressed(content))


def test_compressed_keeps_the_size_that_the_camera_sent():
    content = cv2.imencode('.jpg', np.zeros((16, 32, 3), np.uint8))[1].tobytes()
    # Exif with one entry: orientation (0x112), 16 bits, one value, 6 for a quarter turn.
    entry = struct.pack('<HHIHH', 0x112, 3, 1, 6, 0)
    exif = b'Exif\0\0II*\0' + struct.pack('<IH', 8, 1) + entry + struct.pack('<I', 0)
    marked = content[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + content[2:]
    assert cv2.imdecode(np.frombuffer(marked, np.uint8), cv2.IMREAD_COLOR).shape == (32, 16, 3)
    assert to_rgb(compressed(marked)).shape == (16, 32, 3)


def test_unknown_encodings_name_those_that_work():
    # 8UC3 among them: it does not say in which order the colours lie.
    for encoding in ('', 'rgb', 'RGB8', '8UC3', '32FC1', '16UC1', 'nv24', 'jpeg', 'é' * 100):
        with pytest.raises(InputError, match='rgb8, bgr8') as caught:
            to_rgb(image(encoding, pixels(), 6))
        assert repr(encoding[:40]) in str(caught.value)
    with pytest.raises(InputError, match='mono8, 8UC1'):
        to_label(image('rgb8', pixels(), 6))


@pytest.mark.parametrize(
    'change, words',
    [
        ({'height': 0}, 'empty'),
        ({'width': 0}, 'empty'),
        ({'height': 5}, 'must have 90 bytes of data, this has 72'),
        ({'height': 3}, 'must have 54 bytes of data, this has 72'),
        ({'width': 7}, 'step 18; a row of it takes at least 21 bytes'),
        ({'step': 17}, 'step 17; a row of it takes at least 18 bytes'),
        ({'step': 0}, 'step 0'),
        ({'step': 19}, 'must have 76 bytes of data, this has 72'),
        ({'data': array.array('B')}, 'must have 72 bytes of data, this has 0'),
        ({'data': array.array('B', bytes(71))}, 'must have 72 bytes of data, this has 71'),
        ({'data': array.array('B', bytes(73))}, 'must have 72 bytes of data, this has 73'),
        ({'height': 2**32 - 1, 'width': 2**32 - 1, 'step': 2**32 - 1}, 'too large'),
        ({'height': 2**32 - 1, 'width': 1}, 'too large'),
        ({'height': 10_001, 'width': 10_000, 'step': 30_000}, 'too large'),
    ],
)
def test_sizes_that_do_not_fit(change, words):
    message = image('rgb8', pixels(), 6)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(InputError, match=words):
        to_rgb(message)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_no_size_and_no_length_crashes(converter, encoding):
    random = np.random.default_rng(3)
    outcomes = set()
    for _ in range(200):
        height, width = (int(v) for v in random.integers(0, 5, 2))
        step = int(random.integers(0, 40))
        length = step * (height * 3 // 2 if encoding.startswith('nv') else height)
        if random.random() < 0.3:
            length = int(random.integers(0, 200))
        message = types.SimpleNamespace(
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=int(random.integers(0, 2)),
            step=step,
            data=array.array('B', bytes(length)),
        )
        try:
            result = to_rgb(message)
        except InputError:
            outcomes.add('refused')
        else:
            outcomes.add('converted')
            assert result.shape == (height, width, 3) and result.dtype == np.uint8
    assert outcomes == {'refused', 'converted'}


def test_odd_sizes_of_encodings_with_shared_colours():
    with pytest.raises(InputError, match='even size'):
        to_rgb(image('uyvy', np.zeros((4, 10), np.uint8), 5))
    with pytest.raises(InputError, match='even size'):
        to_rgb(image('nv12', np.zeros((4, 6), np.uint8), 6, 3))


@pytest.mark.parametrize('encoding, channels', [('mono8', 1), ('rgb8', 3)])
def test_fill_image_is_the_inverse(encoding, channels):
    # A slice whose rows and columns are not contiguous in memory.
    content = pixels(8, 12, channels)[::2, ::-2]
    content = content[..., 0] if channels == 1 else content
    message = types.SimpleNamespace(header='untouched')
    fill_image(message, content, encoding)
    assert isinstance(message.data, array.array) and message.data.typecode == 'B'
    assert (message.height, message.width, message.step) == (4, 6, 6 * channels)
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    assert message.header == 'untouched'
    back = to_label(message) if channels == 1 else to_rgb(message)
    np.testing.assert_array_equal(back, content)


def test_messages_of_rosbags():
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    header = store.types['std_msgs/msg/Header'](
        stamp=store.types['builtin_interfaces/msg/Time'](sec=1, nanosec=2), frame_id='camera'
    )
    content = pixels()
    written = store.types['sensor_msgs/msg/Image'](
        header, 4, 6, 'bgr8', 0, 18, content.reshape(-1)
    )
    read = store.deserialize_cdr(
        store.serialize_cdr(written, 'sensor_msgs/msg/Image'), 'sensor_msgs/msg/Image'
    )
    np.testing.assert_array_equal(to_rgb(read), content[..., ::-1])
    jpeg = cv2.imencode('.png', content)[1].reshape(-1)
    packed = store.types['sensor_msgs/msg/CompressedImage'](header, 'png', jpeg)
    np.testing.assert_array_equal(to_rgb(packed), content[..., ::-1])
