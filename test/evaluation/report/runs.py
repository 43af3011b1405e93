# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small runs for the tests of reports: random frames of three classes, and what goes with them."""

import numpy as np

from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.latency import latency_summary
from mbu_ros.evaluation.report.facts import LabelCounts, RunFacts
from mbu_ros.evaluation.report.report import build_report
from mbu_ros.evaluation.report.thresholds import Thresholds

CLASSES = ClassMap(('road', 'sky', 'car'), ((128, 0, 0), (0, 128, 0), (0, 0, 128)))
SECOND = 10**9


def frame(index, *, labelled=True, size=(12, 16), wrong=0.2, clocked=True):
    """A sample and its mask, of which about that share is wrong."""
    random = np.random.default_rng(index)
    label = random.integers(0, 2, size, np.uint8)
    label[0] = IGNORE
    mask = np.where(random.random(size) < wrong, 2, label)
    mask[label == IGNORE] = 0
    image = np.full((*size, 3), index % 256, np.uint8)
    stamp = index * SECOND // 10 if clocked else None
    time = index / 10 if clocked else None
    name = f'frame{index:03d}'
    return Sample(name, image, label if labelled else None, time, stamp), mask.astype(np.uint8)


def evaluate(count=6, *, labelled=True, sequences=('',), classes=CLASSES, **options):
    """An evaluation of so many frames of each sequence."""
    settings = {'pictures': True, 'against': False, **options}
    evaluation = Evaluation(classes, **settings)
    for sequence in sequences:
        for index in range(count):
            sample, mask = frame(index, labelled=labelled, wrong=0.1 + 0.05 * (index % 5))
            evaluation.add(
                sample,
                mask,
                sequence=sequence,
                latency_ms=10.0 + index,
                stages_ms={'network': 9.0 + index},
                other_mask=np.zeros_like(mask) if settings['against'] else None,
            )
    return evaluation


def facts(**changes):
    """What the frames of `evaluate` do not say."""
    values = {
        'mode': 'offline',
        'source': 'drive/val',
        'model': 'small',
        'engine': 'reference',
        'device': 'CPU',
        'frames_in': 7,
        'model_sha256': 'ab' * 32,
        'dropped': {'bad': 1},
        'labels': LabelCounts(6, 2, 1, 5.0),
        'configuration': {'jobs': 2, 'boundary': (1, 3), 'label_topic': None},
        'notes': ('two messages could not be read',),
    }
    return RunFacts(**{**values, **changes})


def peak():
    """As `find_peak` returns it, on a machine without a GPU."""
    runs = [
        {
            'asked_hz': hz,
            'rate_hz': hz,
            'is_peak': hz == 12.5,
            'sent': 50,
            'received': 50,
            'dropped': dropped,
            'drop_share': dropped / 50,
            'answered_hz': hz * (50 - dropped) / 50,
            'latency_ms': latency_summary([hz, 2 * hz, 4 * hz]),
            'cpu_percent': 151.5,
            'memory_mb': 210.0,
            'gpu_percent': None,
            'gpu_memory_mb': None,
            'watts': None,
            'joules_per_frame': None,
            'energy_source': None,
        }
        for hz, dropped in ((10.0, 0), (30.0, 31), (12.5, 0))
    ]
    return {
        'max_drop': 0.01,
        'seconds': 5.0,
        'cameras': [],
        'frames_preloaded': 20,
        'engine': 'reference',
        'peak_hz': 12.5,
        'limited_by_player': False,
        'runs': runs,
        'tries': [{'hz': 30.0, 'sent': 50, 'dropped': 31}],
        'notes': ['no energy: there is no NVML here'],
    }


def whole_report(**changes):
    """A report in which every part has something, and its evaluation."""
    evaluation = evaluate(sequences=('a:/front', 'a:/rear'), against=True)
    everything = {
        'frames_in': 14,
        'dropped': {'bad': 1},
        'peak': peak(),
        'against': 'large',
        'resources': {'cpu_percent': 151.5},
        **changes,
    }
    return evaluation, build_report(evaluation, facts(**everything), Thresholds(0.1, 5.0, 0.5))
