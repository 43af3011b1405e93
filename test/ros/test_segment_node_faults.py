# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that fails in mid-stream: the engine that outlasts it, and the node around it."""

import logging
import threading

import numpy as np
import pytest

from mbu_ros.engine.base import EngineError, EngineUnavailable, RawFrame
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model
from mbu_ros.node.formats import Formats
from mbu_ros.node.lasting import RETRY_SECONDS, RETURN_SECONDS, LastingEngine

from .workshop import FRAME, MODEL, Workshop, make_node, spinning


@pytest.fixture
def shop():
    return Workshop()


def lasting(shop):
    return LastingEngine(shop.create, shop, clock=lambda: shop.now)


def fails(engine, error, text=None):
    with pytest.raises(error, match=text):
        engine.segment([FRAME])


def works(engine):
    (result,) = engine.segment([FRAME])
    assert result.labels.shape == (20, 30) and engine.state.failure is None
    return True


def test_an_engine_that_works_is_left_alone(shop):
    engine = lasting(shop)
    assert all(works(engine) for _ in range(3))
    state = engine.state
    assert (state.name, state.device, state.reason) == ('fake', 'fake device', 'fake was there')
    assert state.model is engine.model is MODEL
    assert shop.lines == ['Engine: fake on fake device (fake was there)']
    engine.close()
    engine.close()
    assert shop.closed == shop.made and len(shop.made) == 1


def test_bad_frames_are_no_failures(shop):
    engine = lasting(shop)
    shop.faults = [InputError('no frame')] * 5
    for _ in range(5):
        fails(engine, InputError)
        assert engine.state.failure is None
    assert works(engine) and len(shop.made) == 1 and len(shop.lines) == 1


@pytest.mark.parametrize('error', [EngineError('GPU refused'), MemoryError('full'), ValueError()])
def test_one_failure_costs_one_frame(shop, error):
    engine = lasting(shop)
    shop.faults = [error]
    fails(engine, type(error))
    assert str(error) in engine.state.failure and 'fake engine failed' in engine.state.failure
    assert 'trying once more' in shop.lines[-1]
    assert works(engine) and len(shop.made) == 1 and not shop.closed
    assert 'works again' in shop.lines[-1]
    shop.faults = [error]  # much later: again the first in a row
    fails(engine, type(error))
    assert works(engine) and len(shop.made) == 1


def test_a_second_failure_costs_the_engine(shop):
    engine = lasting(shop)
    shop.faults = [EngineError('context lost')] * 2
    for _ in range(2):
        fails(engine, EngineError, 'context lost')
    assert shop.closed == shop.made and 'making a new one' in shop.lines[-1]
    assert 'context lost' in engine.state.failure
    assert works(engine) and len(shop.made) == 2
    engine.close()
    assert shop.closed == shop.made


def test_a_new_engine_may_be_of_another_kind():
    shop = Workshop('cuda', 'reference')
    engine = lasting(shop)
    shop.faults = [EngineError('lost')] * 2
    fails(engine, EngineError)
    fails(engine, EngineError)
    assert engine.state.name == 'cuda'
    assert works(engine)
    assert (engine.state.name, engine.state.reason) == ('reference', 'reference was there')
    assert engine.max_batch == engine._engine.max_batch == 1 != shop.made[0].max_batch
    assert 'Engine: reference on reference device (reference was there)' in shop.lines
    assert engine.state.instead == 'it stands in for cuda: reference was there'


def test_a_substitute_gives_way_to_the_first_kind_once_that_works_again():
    shop = Workshop('cuda', 'reference', 'cuda')
    engine = lasting(shop)
    shop.faults = [EngineError('lost')] * 2
    fails(engine, EngineError)
    fails(engine, EngineError)
    assert works(engine) and works(engine) and len(shop.made) == 2, 'not tried at each frame'
    for refusal in (EngineUnavailable('no GPU'), MemoryError('full')):
        shop.refusals = [refusal]
        shop.now += RETURN_SECONDS
        assert works(engine) and engine.state.name == 'reference', 'an attempt costs no frame'
        assert works(engine) and not shop.refusals
    assert shop.asked == ['', '', 'cuda', 'cuda'], 'another substitute is not made for nothing'
    shop.now += RETURN_SECONDS
    assert works(engine) and engine.state.name == 'cuda' and engine.state.instead == ''
    assert engine.state.reason == 'cuda works again'
    engine.close()
    assert sorted(map(id, shop.closed)) == sorted(map(id, shop.made))


def test_a_substitute_may_be_followed_by_one_of_another_model():
    shop = Workshop('reference', 'cuda')
    engine = LastingEngine(shop.create, shop, clock=lambda: shop.now, kind='cuda')
    assert engine.state.instead == 'it stands in for cuda: reference was there'
    assert works(engine) and engine.state.name == 'reference', 'the first frame need not wait'
    shop.now += RETURN_SECONDS
    assert works(engine) and engine.state.name == 'cuda' and engine.state.instead == ''


def test_an_engine_that_fails_at_the_frames_that_come_is_not_gone_back_to():
    shop = Workshop('reference', 'cuda')
    engine = LastingEngine(shop.create, shop, clock=lambda: shop.now, kind='cuda')
    assert works(engine)
    shop.faults = [MemoryError('too little for such frames')]
    shop.now += RETURN_SECONDS
    assert works(engine) and engine.state.name == 'reference', 'and it costs no frame'
    assert [one.name for one in shop.closed] == ['cuda'] and not shop.faults
    shop.now += RETURN_SECONDS
    assert works(engine) and engine.state.name == 'cuda'
    engine.close()
    assert len(shop.closed) == len(shop.made) == 3


@pytest.mark.parametrize('kind', ['', 'reference'])
def test_a_gpu_that_is_there_later_stands_in_for_nothing(kind):
    shop = Workshop('reference', 'cuda')
    engine = LastingEngine(shop.create, shop, clock=lambda: shop.now, kind=kind)
    shop.faults = [MemoryError('full')] * 2
    fails(engine, MemoryError)
    fails(engine, MemoryError)
    assert works(engine) and (engine.state.name, engine.state.instead) == ('cuda', '')
    assert engine.kind == 'cuda', 'for the engine of the next model'
    shop.now += RETURN_SECONDS
    assert works(engine) and len(shop.made) == 2


def test_a_substitute_that_cannot_be_freed_gives_way_all_the_same(monkeypatch):
    shop = Workshop('reference', 'cuda')
    engine = LastingEngine(shop.create, shop, clock=lambda: shop.now, kind='cuda')

    def fail(_):
        raise EngineError('nothing works')

    monkeypatch.setattr(shop, 'close', fail)
    shop.now += RETURN_SECONDS
    assert works(engine) and engine.state.name == 'cuda'
    assert any('could not be freed: nothing works' in line for line in shop.lines)


def test_a_substitute_that_fails_is_made_again_at_once():
    shop = Workshop('cuda', 'reference')
    engine = lasting(shop)
    shop.faults = [EngineError('lost')] * 2
    fails(engine, EngineError)
    fails(engine, EngineError)
    assert works(engine)
    shop.faults = [EngineError('lost')] * 2
    shop.now += RETRY_SECONDS
    fails(engine, EngineError)
    fails(engine, EngineError)
    assert works(engine) and len(shop.made) == 3


def test_attempts_are_not_made_too_often(shop):
    engine = lasting(shop)
    shop.faults = [EngineError('lost')] * 2
    shop.refusals = [EngineUnavailable('no GPU any more'), MemoryError('full')]
    fails(engine, EngineError)
    fails(engine, EngineError)
    fails(engine, EngineError, 'no engine could be made again: no GPU any more')
    for _ in range(10):
        fails(engine, EngineError, 'no GPU any more')
    assert len(shop.refusals) == 1 and 'no GPU any more' in engine.state.failure
    shop.now += RETRY_SECONDS
    fails(engine, EngineError, 'MemoryError: full')
    shop.now += RETRY_SECONDS
    assert works(engine) and len(shop.made) == 2
    engine.close()
    assert shop.closed == shop.made


def test_a_new_engine_that_fails_at_once_is_given_up_at_once(shop):
    engine = lasting(shop)
    shop.faults = [EngineError('lost')] * 4
    for _ in range(3):
        fails(engine, EngineError, 'lost')
    assert len(shop.made) == len(shop.closed) == 2
    fails(engine, EngineError, 'lost')  # too soon for a third one
    assert len(shop.made) == 2 and len(shop.faults) == 1
    shop.now += RETRY_SECONDS
    fails(engine, EngineError, 'lost')
    shop.now += RETRY_SECONDS
    assert works(engine) and len(shop.made) == 4


def test_an_engine_that_cannot_be_freed_is_mentioned(shop, monkeypatch):
    engine = lasting(shop)

    def fail(_):
        raise EngineError('nothing works')

    monkeypatch.setattr(shop, 'close', fail)
    engine.close()
    assert 'could not be freed: nothing works' in shop.lines[-1]


def test_a_new_engine_is_prepared_for_what_the_old_one_was_given(shop):
    engine = lasting(shop)
    array = np.zeros((7, 9, 3), np.uint8)
    odd = RawFrame(bytes(2 * 40), 2, 10, 40, 'mono16', 1)
    engine.segment([FRAME], confidence=True)
    engine.segment([array, odd])
    shop.faults = [InputError('no frame')]
    with pytest.raises(InputError):
        engine.segment([array] * 3)
    for _ in range(3):
        engine.segment([FRAME])
    seen = []

    def segment(made, frames, confidence):
        seen.append((frames, confidence))
        return []

    shop.segment = segment
    LastingEngine(shop.create, shop, engine.formats.list())
    (with_scores, several, last) = seen
    assert last == ([FRAME], False) and with_scores == ([FRAME], True)
    assert several[0][0].shape == array.shape and several[0][1] == odd and not several[1]

    def fail(*_):
        raise MemoryError('full')

    shop.segment = fail
    with pytest.raises(MemoryError):
        LastingEngine(shop.create, shop, engine.formats.list())
    assert shop.closed == shop.made[2:], 'the one that could not be prepared'


def test_memory_is_measured_when_asked_and_never_fails(shop):
    engine = lasting(shop)
    assert engine.state.memory is None
    engine.measure()
    assert engine.state.memory.used == 1_500_000
    shop.made[0].memory = lambda: 1 / 0
    engine.measure()
    assert engine.state.memory is None and engine.state.failure is None
    engine.close()
    engine.measure()


def test_only_the_newest_formats_are_remembered():
    formats = Formats()
    for width in [*range(1, 30), 25]:
        formats.add([np.zeros((1, width, 3), np.uint8)], False)
    assert [look[1] for (look,), _ in formats.list()] == [22, 23, 24, 26, 27, 28, 29, 25]


def test_an_engine_that_cannot_be_made_at_first_is_an_error(shop):
    shop.refusals = [EngineUnavailable('no driver')]
    with pytest.raises(EngineUnavailable, match='no driver'):
        lasting(shop)


@pytest.fixture
def node(ros, shop, tmp_path, monkeypatch):
    """The node, active in this process, with the engines of `shop`."""
    from mbu_ros.node import engines

    path = tmp_path / 'small.safetensors'
    save_model(MODEL, path)
    monkeypatch.setattr(engines, 'create_engine', shop.create)
    node = make_node('faulty', {'model': str(path)})
    assert node.start()
    with spinning(node):
        yield node


def test_an_engine_that_is_busy_is_asked_for_its_memory_once(node, shop):
    # Once a second: after an hour of a GPU that hangs the stream would wait for thousands of them.
    asked, go_on = [], threading.Event()
    worker = node._pipeline._worker
    shop.made[0].memory = lambda: asked.append(1)
    worker.drain()
    asked.clear()
    worker.submit(go_on.wait, 20)
    for _ in range(50):
        node._pipeline.measure()
    go_on.set()
    worker.drain()
    assert 1 <= len(asked) <= 3, 'and once by the diagnostics, maybe'
    node._pipeline.measure()
    worker.drain()
    assert len(asked) >= 2, 'and again when it has the time'


def test_the_stream_goes_on_after_a_fault(node, shop, peer, wait_until):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    from sensor_msgs.msg import Image

    from mbu_ros.imaging.messages import fill_image

    masks = peer.collect(Image, '/segmentation/mask')
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    publisher = peer.publisher(Image, '/image')
    wait_until(lambda: peer.node.count_publishers('/segmentation/mask'), 'a publisher')
    statistics = node._pipeline.cameras[0].statistics

    def done(summary):
        return summary.segmented + summary.dropped['engine']

    def send():
        before = statistics.summary()
        message = Image()
        fill_image(message, np.zeros((20, 30, 3), np.uint8), 'rgb8')
        publisher.publish(message)
        wait_until(lambda: done(statistics.summary()) == done(before) + 1, 'a result')

    def engine_status(level):
        found = [s for a in list(arrays) for s in a.status if s.name == 'faulty: engine']
        return found[-1] if found and found[-1].level == level else None

    send()
    status = wait_until(lambda: engine_status(DiagnosticStatus.OK), 'an engine that is well')
    assert status.message == 'fake on fake device (fake was there)'

    shop.faults = [EngineError('context lost'), MemoryError('full')]
    shop.refusals = [EngineUnavailable('no GPU any more')]
    for _ in range(3):
        send()
    summary = statistics.summary()
    assert (summary.received, summary.segmented, summary.dropped['engine']) == (4, 1, 3)
    status = wait_until(lambda: engine_status(DiagnosticStatus.ERROR), 'an error')
    assert 'no GPU any more' in status.message and status.hardware_id == 'fake device'

    def another_mask():
        send()
        return statistics.summary().segmented > 1

    wait_until(another_mask, 'another mask')
    wait_until(lambda: engine_status(DiagnosticStatus.OK), 'the end of the error')
    wait_until(lambda: len(masks) >= 1, 'masks')

    def told():
        status = engine_status(DiagnosticStatus.OK)
        return status and {item.key: item.value for item in status.values}

    wait_until(lambda: 'GPU memory of the engine (MB)' in told(), 'the memory')
    values = told()
    assert values['GPU memory of the engine (MB)'] == '1.5' and values['Architecture'] == 'sm_0'
    assert (values['GPU memory free (MB)'], values['GPU memory (MB)']) == ('2', '8')
    assert len(shop.made) == 2 and shop.closed == shop.made[:1]
    node.release()
    assert shop.closed == shop.made
    (thread,) = shop.threads
    assert thread != threading.get_ident()


def test_every_end_frees_the_engine_in_its_own_thread(node, shop):
    from rclpy.lifecycle import TransitionCallbackReturn

    success = TransitionCallbackReturn.SUCCESS
    for end in (node.trigger_cleanup, node.trigger_shutdown):
        if shop.made == shop.closed:
            assert node.start()
        assert node.trigger_deactivate() == success and len(shop.closed) == len(shop.made) - 1
        assert end() == success
        assert shop.closed == shop.made
    # A thread for each engine, which made it, ran it and freed it.
    assert len(shop.made) == 2 and len(shop.threads) <= 2
    assert threading.get_ident() not in shop.threads


def test_what_python_logs_reaches_the_nodes_log(monkeypatch, shop):
    pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    from mbu_ros.node.ros_logging import forward_logging

    package = logging.getLogger('mbu_ros')
    monkeypatch.setattr(package, 'handlers', [])
    monkeypatch.setattr(package, 'level', package.level)
    seen = []
    for name in ('info', 'warning', 'error'):
        setattr(shop, name, lambda text, name=name: seen.append((name, text)))
    forward_logging(shop)
    logger = logging.getLogger('mbu_ros.engine.cuda.compile')
    # Where the pytest plugin of launch is installed, it keeps loggers to themselves.
    monkeypatch.setattr(logger, 'propagate', True)
    logger.debug('not this')
    logger.info('compiling %d', 3)
    logger.warning('slow')
    logger.error('broken')
    assert seen == [('info', 'compiling 3'), ('warning', 'slow'), ('error', 'broken')]
