# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image files that OpenCV does not write: JPEG with EXIF, PNG of any kind."""

import struct
import zlib

import cv2


def jpeg_with_exif(image, exif):
    """A JPEG of a BGR image, with TIFF data in an EXIF segment."""
    encoded = cv2.imencode('.jpg', image)[1].tobytes()
    segment = b'Exif\0\0' + exif
    return encoded[:2] + b'\xff\xe1' + struct.pack('>H', len(segment) + 2) + segment + encoded[2:]


def exif_of_orientation(orientation):
    """TIFF data with one entry: orientation (0x112), 16 bits, one value."""
    entry = struct.pack('<HHIHH', 0x112, 3, 1, orientation, 0)
    return b'II*\0' + struct.pack('<IH', 8, 1) + entry + struct.pack('<I', 0)


def png(depth, color_type, rows, palette=b''):
    """A PNG, from the bytes of its rows; every row has as many pixels as there are rows."""
    size = len(rows)
    header = struct.pack('>IIBBBBB', size, size, depth, color_type, 0, 0, 0)
    chunks = [(b'IHDR', header), (b'IDAT', zlib.compress(b''.join(b'\0' + r for r in rows)))]
    if palette:
        chunks.insert(1, (b'PLTE', palette))
    chunks.append((b'IEND', b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in chunks
    )
