# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames go to the engine together, in what order, and what a bad one costs; no DDS."""

import threading

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from mbu_ros.engine.base import EngineError
from mbu_ros.errors import InputError
from mbu_ros.node.scheduler import Scheduler


class Camera:
    """Has so many frames; a new one waits as soon as one is taken if it is `busy`."""

    def __init__(self, name, scheduler, confidence=False, busy=False):
        self.name, self.scheduler, self.confidence, self.busy = name, scheduler, confidence, busy
        self.frames, self.done, self.dropped, self.batches = [], [], [], []
        scheduler.add(self)

    def send(self, frame=None):
        self.frames.append(frame or f'{self.name}{len(self.done) + len(self.frames)}')
        self.scheduler.notify(self)

    def take(self, engine):
        if not self.frames:
            return None
        frame = self.frames.pop()
        if self.busy:
            self.send()
        return None if frame == 'unusable' else Task(self, frame)


class Task:
    def __init__(self, camera, frame):
        self.camera, self.frame, self.confidence = camera, frame, camera.confidence

    def finish(self, result, batch, begin, end):
        assert result == f'result of {self.frame}' and begin <= end
        self.camera.done.append(self.frame)
        self.camera.batches.append(batch)

    def drop(self, error):
        self.camera.dropped.append((self.frame, type(error)))


class Engine:
    def __init__(self):
        self.calls, self.fault, self.max_batch = [], None, 3

    def segment(self, frames, *, confidence):
        self.calls.append((list(frames), confidence))
        if 'bad' in frames:
            raise InputError('a bad frame')
        if self.fault:
            raise self.fault
        return [f'result of {frame}' for frame in frames]


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def jobs():
    return []


@pytest.fixture
def scheduler(jobs):
    scheduler = Scheduler()
    scheduler.attach(jobs.append)
    return scheduler


def run(jobs, engine, most=100):
    while jobs and most:
        jobs.pop(0)(engine)
        most -= 1


def test_what_waits_goes_as_one_batch_with_one_job(scheduler, jobs, engine):
    front, rear = Camera('front', scheduler), Camera('rear', scheduler)
    rear.send()
    front.send()
    front.send()
    assert len(jobs) == 1
    run(jobs, engine)
    # In the order of the cameras, whichever came first.
    assert engine.calls == [(['front1', 'rear0'], False)]
    assert front.batches == rear.batches == [2]
    assert not jobs
    front.send()
    assert len(jobs) == 1


def test_more_cameras_than_a_batch_take_turns(scheduler, jobs, engine):
    cameras = [Camera(name, scheduler, busy=True) for name in 'abcdefg']
    for camera in cameras:
        camera.send()
    run(jobs, engine, most=70)
    assert all(len(frames) == 3 for frames, _ in engine.calls)
    counts = [len(camera.done) for camera in cameras]
    assert sum(counts) == 210 and max(counts) - min(counts) <= 1


def test_a_rare_camera_is_not_starved_by_busy_ones(jobs, engine):
    scheduler, engine.max_batch = Scheduler(), 1
    scheduler.attach(jobs.append)
    busy = [Camera(name, scheduler, busy=True) for name in 'ab']
    rare = Camera('rare', scheduler)
    for camera in busy:
        camera.send()
    for turn in range(10):
        rare.send()
        run(jobs, engine, most=3)
        assert len(rare.done) == turn + 1


def test_batches_fit_the_engine_that_runs_now(scheduler, jobs, engine):
    cameras = [Camera(name, scheduler) for name in 'abcd']
    for engine.max_batch, sizes in ((1, [1] * 4), (8, [4]), (3, [3, 1])):  # a substitute, and back
        engine.calls.clear()
        for camera in cameras:
            camera.send()
        run(jobs, engine)
        assert [len(frames) for frames, _ in engine.calls] == sizes


def test_unusable_frames_leave_room_for_others(scheduler, jobs, engine):
    cameras = [Camera(name, scheduler) for name in 'abcd']
    for camera, frame in zip(cameras, ('unusable', 'b', 'c', 'd')):
        camera.send(frame)
    run(jobs, engine)
    assert [frames for frames, _ in engine.calls] == [['b', 'c', 'd']]


def test_scores_are_computed_only_for_those_that_want_them(scheduler, jobs, engine):
    plain, scored = Camera('plain', scheduler), Camera('scored', scheduler, confidence=True)
    plain.send()
    scored.send()
    run(jobs, engine)
    assert engine.calls == [(['plain0'], False), (['scored0'], True)]


def test_a_bad_frame_does_not_cost_the_others(scheduler, jobs, engine):
    cameras = [Camera(name, scheduler) for name in 'abc']
    for camera, frame in zip(cameras, ('a0', 'bad', 'c0')):
        camera.send(frame)
    run(jobs, engine)
    assert [camera.done for camera in cameras] == [['a0'], [], ['c0']]
    assert cameras[1].dropped == [('bad', InputError)]
    assert cameras[0].batches == [1]


@pytest.mark.parametrize('fault', [EngineError('lost'), MemoryError(), RuntimeError('what')])
def test_a_failing_engine_costs_the_batch_and_not_the_stream(scheduler, jobs, engine, fault):
    cameras = [Camera(name, scheduler) for name in 'ab']
    engine.fault = fault
    for camera in cameras:
        camera.send()
    run(jobs, engine)
    assert [camera.dropped for camera in cameras] == [[('a0', type(fault))], [('b0', type(fault))]]
    engine.fault = None
    cameras[0].send('again')
    run(jobs, engine)
    assert cameras[0].done == ['again']


def test_a_camera_that_left_is_not_asked(scheduler, jobs, engine):
    front, rear = Camera('front', scheduler), Camera('rear', scheduler)
    front.send()
    rear.send()
    scheduler.remove(front)
    front.send()
    run(jobs, engine)
    assert (front.done, rear.done) == ([], ['rear0'])
    scheduler.remove(front)  # twice is allowed
    scheduler.add(front)
    front.send('back')
    run(jobs, engine)
    assert front.done == ['back']


def test_frames_wait_while_nobody_is_attached(jobs, engine):
    scheduler = Scheduler()
    camera = Camera('a', scheduler)
    camera.send()
    scheduler.attach(jobs.append)
    assert len(jobs) == 1
    run(jobs, engine)
    assert camera.done == ['a0']
    scheduler.attach(None)
    camera.send()
    assert not jobs


def test_jobs_move_to_the_new_engine(scheduler, jobs, engine):
    camera, new_jobs, new = Camera('a', scheduler), [], Engine()
    camera.send()
    scheduler.attach(new_jobs.append)
    run(jobs, engine)  # what the old place had not begun
    assert not engine.calls and not camera.done
    run(new_jobs, new)
    assert new.calls == [(['a0'], False)]
    camera.send()
    assert not jobs and len(new_jobs) == 1


def test_a_new_engine_waits_for_the_batch_of_the_old_one(scheduler, jobs):
    begun, go_on, order = threading.Event(), threading.Event(), []

    class Slow(Engine):
        def segment(self, frames, *, confidence):
            begun.set()
            assert go_on.wait(10)
            order.append('old')
            return super().segment(frames, confidence=confidence)

    class New(Engine):
        def segment(self, frames, *, confidence):
            order.append('new')
            return super().segment(frames, confidence=confidence)

    camera, new_jobs = Camera('a', scheduler), []
    camera.send()
    old = threading.Thread(target=run, args=(jobs, Slow()))
    old.start()
    assert begun.wait(10)
    scheduler.attach(new_jobs.append)
    camera.send()
    assert len(new_jobs) == 1
    new = threading.Thread(target=run, args=(new_jobs, New()))
    new.start()
    new.join(0.1)
    assert order == []
    go_on.set()
    old.join()
    new.join()
    assert order == ['old', 'new'] and len(camera.done) == 2
