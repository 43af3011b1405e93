# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contact sheets and animated pictures, drawn with OpenCV alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.replacing import replacing

FONT = cv2.FONT_HERSHEY_SIMPLEX
SCALE = 0.45
LINE = 22
"""Height of a line of text, in pixels."""
GAP = 8
"""Pixels between pictures, and around the sheet."""
PAPER, INK = (255, 255, 255), (40, 40, 40)


class AnimationUnavailable(RuntimeError):
    """The installed OpenCV cannot write animated pictures; the text says what would help."""


def fit_width(picture: np.ndarray, width: int) -> np.ndarray:
    """Scale a picture [H, W] or [H, W, 3] down to `width`; a narrower one is returned as it is.

    Pictures of one channel are taken for class ids, which must not be mixed: nearest neighbour.
    """
    if picture.shape[1] <= width:
        return picture
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    method = cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_AREA
    return cv2.resize(picture, (width, height), interpolation=method)


def write_sheet(
    path: Path | str,
    rows: Sequence[Sequence[np.ndarray | None]],
    column_titles: Sequence[str],
    row_titles: Sequence[str],
    classes: ClassMap,
) -> None:
    """Write a sheet of pictures with captions and the legend of the class colours, as PNG.

    Args:
        path: file to write; its folder is made where missing.
        rows: pictures, uint8 [H, W, 3] RGB, each row with one per column; None leaves a gap.
        column_titles: captions above the columns.
        row_titles: a caption above each row of pictures.
        classes: what the legend at the bottom shows.

    Raises:
        InputError: the file cannot be written.
    """
    width = max(picture.shape[1] for row in rows for picture in row if picture is not None)
    page = GAP + (width + GAP) * len(column_titles)
    parts = [_titles(column_titles, width, page)]
    for title, row in zip(row_titles, rows):
        parts += [_caption(title, page), _pictures(row, width, page)]
    parts.append(_legend(classes, page))
    write_image(Path(path), np.concatenate(parts))


def write_animation(path: Path | str, frames: Sequence[np.ndarray], milliseconds: int) -> None:
    """Write an animated picture that repeats forever; the suffix says the format.

    Args:
        path: '.png' (APNG, lossless), '.webp' (far smaller for photographs) or '.gif'.
        frames: uint8 [H, W, 3] RGB, all of the first one's shape.
        milliseconds: how long each frame shows.

    Raises:
        AnimationUnavailable: OpenCV is older than 4.12, or was built without this format.
        InputError: the file cannot be written.
    """
    path = Path(path)
    if not hasattr(cv2, 'imencodeanimation'):
        raise AnimationUnavailable(
            f'OpenCV {cv2.__version__} cannot write animated pictures; install 4.12 or newer'
        )
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in frames]
    animation.durations = [milliseconds] * len(frames)
    quality = [cv2.IMWRITE_WEBP_QUALITY, 80]
    try:
        encoded = cv2.imencodeanimation(path.suffix, animation, quality)[1]
    except cv2.error as error:
        raise AnimationUnavailable(
            f'this OpenCV ({cv2.__version__}) cannot write animated {path.suffix} pictures: '
            f'{error.err}'
        ) from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded)


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, np.uint8)


def _text(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), FONT, SCALE, INK, 1, cv2.LINE_AA)


def _titles(titles: Sequence[str], width: int, page: int) -> np.ndarray:
    canvas = _paper(LINE + GAP // 2, page)
    for column, title in enumerate(titles):
        span = cv2.getTextSize(title, FONT, SCALE, 1)[0][0]
        _text(canvas, title, GAP + column * (width + GAP) + (width - span) // 2, LINE - 4)
    return canvas


def _caption(title: str, page: int) -> np.ndarray:
    canvas = _paper(LINE, page)
    _text(canvas, title, GAP, LINE - 7)
    return canvas


def _pictures(row: Sequence[np.ndarray | None], width: int, page: int) -> np.ndarray:
    height = max(picture.shape[0] for picture in row if picture is not None)
    canvas = _paper(height + GAP, page)
    for column, picture in enumerate(row):
        if picture is not None:
            x = GAP + column * (width + GAP)
            canvas[: picture.shape[0], x : x + picture.shape[1]] = picture
    return canvas


def _legend(classes: ClassMap, page: int) -> np.ndarray:
    swatch = LINE - 8
    places, x, line = [], GAP, 0
    for name in classes.names:
        span = swatch + 6 + cv2.getTextSize(name, FONT, SCALE, 1)[0][0] + 2 * GAP
        if x + span > page and x > GAP:
            x, line = GAP, line + 1
        places.append((x, line * LINE))
        x += span
    canvas = _paper((line + 1) * LINE + GAP, page)
    for (x, y), name, color in zip(places, classes.names, classes.colors):
        canvas[y + 4 : y + 4 + swatch, x : x + swatch] = color
        _text(canvas, name, x + swatch + 6, y + LINE - 6)
    return canvas


def write_image(path: Path, picture: np.ndarray) -> None:
    """Write uint8 [H, W, 3] RGB or [H, W]; the suffix says the format.

    Raises:
        InputError: the file cannot be written.
    """
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(path.suffix, picture)[1]
    with replacing(path) as temporary:
        temporary.write_bytes(encoded)
