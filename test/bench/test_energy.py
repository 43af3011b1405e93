# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.bench.energy import MeterError, measure_energy
from mbu_ros.bench.rails import Integral, RailMeter, find_rails


class FakeGpu:
    """A device on a clock of its own: 50 W idle, 300 W busy; a counter that moves in steps."""

    source = 'fake counter'

    def __init__(self, step=0.1, batch_seconds=0.004):
        self.now = self.energy = 0.0
        self.step, self.batch_seconds = step, batch_seconds
        self.queued = 0
        self.batches = 0
        self.shown, self.next_update = 0.0, step

    def sleep(self, seconds):
        self._pass(seconds, 50)

    def enqueue(self):
        self.queued += 1

    def synchronize(self):
        for _ in range(self.queued):
            self._pass(self.batch_seconds, 300)
        self.batches += self.queued
        self.queued = 0

    def joules(self):
        return self.shown

    def _pass(self, seconds, watts):
        end = self.now + seconds
        while self.next_update <= end:
            self.energy += (self.next_update - self.now) * watts
            self.now = self.next_update
            self.shown = self.energy
            self.next_update += self.step
        self.energy += (end - self.now) * watts
        self.now = end


def measure(gpu, **options):
    settings = {'frames': 1, 'seconds': 2.0, 'clock': lambda: gpu.now, 'sleep': gpu.sleep}
    return measure_energy(gpu, gpu.enqueue, gpu.synchronize, **{**settings, **options})


@pytest.mark.parametrize('step', [0.001, 0.037, 0.1])
def test_energy_per_frame_whatever_the_counter_s_step(step):
    gpu = FakeGpu(step)
    energy = measure(gpu)
    # Each end is right to one chunk of 20 ms.
    assert energy.joules_per_frame == pytest.approx(300 * 0.004, rel=0.02)
    assert energy.watts == pytest.approx(300, rel=0.02)
    assert energy.idle_watts == pytest.approx(50, rel=0.2)
    assert energy.seconds >= 2
    assert energy.frames == pytest.approx(energy.seconds / 0.004, rel=0.02)
    assert energy.source == 'fake counter'


def test_energy_of_batches_is_per_frame():
    energy = measure(FakeGpu(batch_seconds=0.05), frames=4)
    assert energy.joules_per_frame == pytest.approx(300 * 0.05 / 4, rel=0.05)


def test_the_queue_is_bounded():
    gpu = FakeGpu()
    longest = 0

    def enqueue():
        nonlocal longest
        gpu.enqueue()
        longest = max(longest, gpu.queued)

    measure_energy(
        gpu, enqueue, gpu.synchronize, frames=1, seconds=1, clock=lambda: gpu.now, sleep=gpu.sleep
    )
    assert 1 < longest <= 10


def test_a_counter_that_stands_still_is_an_error():
    gpu = FakeGpu()
    gpu.joules = lambda: 1.0
    with pytest.raises(MeterError, match='stands still'):
        measure(gpu)


def rail(folder, channel, label, millivolts, milliamperes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'in{channel}_label').write_text(f'{label}\n')
    (folder / f'in{channel}_input').write_text(f'{millivolts}\n')
    (folder / f'curr{channel}_input').write_text(f'{milliamperes}\n')


def agx(root):
    first, second = root / '1-0040/hwmon/hwmon3', root / '1-0041/hwmon/hwmon4'
    rail(first, 1, 'VDD_GPU_SOC', 20000, 1000)
    rail(first, 2, 'VDD_CPU_CV', 20000, 250)
    rail(first, 3, 'VIN_SYS_5V0', 5000, 800)
    rail(second, 2, 'VDDQ_VDD2_1V8AO', 5000, 300)
    (first / 'in7_label').write_text('sum of shunt voltages\n')
    (second / 'in1_label').write_text('NC\n')  # a label with no channel behind it


def test_rails_of_an_agx_orin_without_those_counted_twice(tmp_path):
    agx(tmp_path)
    rails = find_rails(tmp_path)
    assert [r.label for r in rails] == ['VDD_GPU_SOC', 'VDD_CPU_CV', 'VIN_SYS_5V0']
    assert [r.watts() for r in rails] == pytest.approx([20.0, 5.0, 4.0])


def test_rails_of_an_orin_nano_are_its_input_alone(tmp_path):
    folder = tmp_path / '1-0040/hwmon/hwmon1'
    rail(folder, 1, 'VDD_IN', 5000, 2000)
    rail(folder, 2, 'VDD_CPU_GPU_CV', 5000, 800)
    rail(folder, 3, 'VDD_SOC', 5000, 400)
    assert [r.label for r in find_rails(tmp_path)] == ['VDD_IN']


def test_no_rails_and_unknown_rails(tmp_path):
    assert find_rails(tmp_path / 'nothing') == []
    rail(tmp_path / 'x/hwmon/hwmon0', 1, 'VDD_OTHER', 5000, 1)
    with pytest.raises(MeterError, match='unknown board: VDD_OTHER'):
        find_rails(tmp_path)


def test_power_is_integrated_by_trapezoids():
    integral = Integral()
    for seconds, watts in [(1.0, 10.0), (2.0, 20.0), (2.5, 20.0), (4.5, 0.0)]:
        integral.add(seconds, watts)
    assert integral.joules == pytest.approx(15 + 10 + 20)


def test_a_rail_meter_counts_up_and_ends_its_thread(tmp_path):
    agx(tmp_path)
    with RailMeter(find_rails(tmp_path), interval=0.001) as meter:
        first = meter.joules()
        while meter.joules() <= first:  # ends, or the test hangs
            pass
        thread = meter._thread
    assert not thread.is_alive()
    assert 'VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0' in meter.source


def test_a_rail_that_goes_away_is_an_error(tmp_path):
    agx(tmp_path)
    rails = find_rails(tmp_path)
    rails[0].voltage.write_text('what\n')
    with RailMeter(rails, interval=0.001) as meter:
        meter._thread.join(timeout=30)
        with pytest.raises(MeterError, match='hwmon3'):
            meter.joules()
