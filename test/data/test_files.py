# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import zlib

import cv2
import numpy as np
import pytest

from mbu_ros.data.files import list_images, read_image, read_label
from mbu_ros.errors import InputError

from .encoded import exif_of_orientation, jpeg_with_exif, png


def test_label_with_an_unknown_class(tmp_path):
    path = tmp_path / 'label.png'
    cv2.imwrite(str(path), np.full((4, 4), 2, np.uint8))
    with pytest.raises(InputError, match='label value 2 is neither one of the 2 classes'):
        read_label(path, 2)
    assert (read_label(path, 3) == 2).all()


@pytest.mark.parametrize('suffix', ['.jpg', '.bmp', '.tif'])
def test_a_label_of_another_format_whose_values_are_in_range(tmp_path, suffix):
    path = tmp_path / 'label.png'
    label = np.zeros((16, 16), np.uint8)
    label[:, 5:] = 9
    path.write_bytes(cv2.imencode(suffix, label)[1].tobytes())
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).max() < 16
    with pytest.raises(InputError, match='this is no PNG.*write them again'):
        read_label(path, 16)


INDICES = [bytes([0, 1, 2, 1])] * 4


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (png(8, 3, INDICES, bytes(range(9))), 'a palette; keep its indices.*Image.fromarray'),
        (png(2, 3, [b'\x19'] * 4, bytes(range(9))), 'a palette; keep its indices'),
        (png(16, 0, [b'\0\0\0\1\0\2\0\1'] * 4), '16 bits per pixel; if all.*Image.fromarray'),
        (png(1, 0, [b'\x50'] * 4), '1 bits per pixel; save it with 8'),
        (png(4, 0, [b'\x01\x21'] * 4), '4 bits per pixel; save it with 8'),
        (png(8, 2, [bytes(12)] * 4), 'colours; save the class index'),
        (png(16, 2, [bytes(24)] * 4), 'colours; save the class index'),
        (png(8, 4, [bytes(8)] * 4), 'transparency; save the class index'),
    ],
    ids=['palette', 'palette2', 'grey16', 'grey1', 'grey4', 'color8', 'color16', 'transparent'],
)
def test_labels_of_other_kinds_of_png(tmp_path, content, text):
    path = tmp_path / 'label.png'
    path.write_bytes(content)
    assert cv2.imread(str(path)) is not None
    with pytest.raises(InputError, match=f'must be an 8-bit grey PNG, this PNG has {text}'):
        read_label(path, 3)
    path.write_bytes(png(8, 0, INDICES))
    assert read_label(path, 3).tolist() == [list(row) for row in INDICES]


@pytest.mark.parametrize(
    'content', [b'', b'not an image', b'\x89PNG\r\n\x1a\n' + bytes(20)], ids=len
)
def test_unreadable_files(tmp_path, content):
    path = tmp_path / 'image.png'
    path.write_bytes(content)
    with pytest.raises(InputError, match='not an image'):
        read_image(path)
    with pytest.raises(InputError, match='not an image'):
        read_label(path, 2)
    with pytest.raises(InputError, match='cannot be read'):
        read_image(tmp_path / 'missing.png')
    with pytest.raises(InputError, match='no such folder'):
        list_images(tmp_path / 'missing')


@pytest.mark.parametrize('share', [0.1, 0.5, 0.99])
def test_a_jpeg_that_was_cut_off(tmp_path, share):
    # Older OpenCV fills the rest with grey.
    content = cv2.imencode('.jpg', np.full((64, 64, 3), 200, np.uint8))[1].tobytes()
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    assert read_image(path).min() > 190
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match='truncated.*copy or download it again'):
        read_image(path)


def test_an_image_is_turned_upright_or_left_as_it_is_stored(tmp_path):
    path = tmp_path / 'image.jpg'
    image = np.zeros((16, 32, 3), np.uint8)
    path.write_bytes(jpeg_with_exif(image, exif_of_orientation(6)))
    assert read_image(path).shape == (32, 16, 3)
    assert read_image(path, upright=False).shape == (16, 32, 3)


def test_an_image_that_claims_to_be_enormous(tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    content = bytearray(path.read_bytes())
    content[16:24] = (40000).to_bytes(4, 'big') * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    path.write_bytes(content)
    with pytest.raises(InputError, match='cannot be decoded|not an image'):
        read_image(path)
