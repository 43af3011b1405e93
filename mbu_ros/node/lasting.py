# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that is made again when it fails, so that a stream goes on after a fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mbu_ros.engine.base import (
    Engine,
    EngineError,
    Frame,
    Memory,
    Segmentation,
)
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model
from mbu_ros.node.failures import describe_failure
from mbu_ros.node.formats import Batch, Formats, blank

RETRY_SECONDS = 1.0
"""From one attempt to make an engine again to the next."""
RETURN_SECONDS = 30.0
"""From one attempt to get back from a substitute to the next; each may hold frames up a while."""


@dataclass(frozen=True)
class EngineState:
    """What there is to tell of an engine.

    Attributes:
        name, device, architecture, model: of the engine; of the last one, where none could be made
            again.
        max_batch: frames that it runs at once.
        reason: one sentence on why it is this engine.
        memory: what it held when it was last measured; None on a CPU, and before.
        failure: why the last frame was not segmented; None where the engine works.
        instead: why it is not of the kind that was made at first; '' where it is.
    """

    name: str
    device: str
    architecture: str
    model: Model
    max_batch: int
    reason: str
    memory: Memory | None = None
    failure: str | None = None
    instead: str = ''


class LastingEngine:
    """Passes frames on to an engine. For the thread that made this, like every engine.

    A failure costs the frame, and the next one is tried with the same engine: it may have been the
    frame, or memory that was short for a moment. After a second failure in a row the engine is
    closed, and from the next frame on made again as the first was, at most once in `RETRY_SECONDS`;
    so 'auto' may find the engine on the CPU. That substitutes for the first kind until, tried once
    in `RETURN_SECONDS`, one of the first kind works again. A bad frame (InputError) is no failure.

    Args:
        create: makes an engine of this kind, of any kind where that is ''; returns it, and why it
            is this one.
        log: with methods info and error, for a line of text each.
        batches: what batches are to be expected: the first engine is prepared for them.
        clock: monotonic, in seconds.
        kind: name of the kind of engine that it should be; '' for that of the first.

    Attributes:
        kind: the same, known. An engine on a device makes it that device's: nobody wants back what
            runs everywhere.
        formats: what batches were segmented.
        state: an `EngineState`; always replaced whole, so that any thread may read it.

    Raises:
        Exception: whatever `create` raises.
    """

    def __init__(
        self,
        create: Callable[[str], tuple[Engine, str]],
        log: Any,
        batches: Iterable[Batch] = (),
        clock: Callable[[], float] = time.monotonic,
        kind: str = '',
    ) -> None:
        self.kind = kind
        self._create = create
        self._log = log
        self._clock = clock
        self._engine: Engine | None = None
        self._next_attempt = self._next_return = 0.0
        self.formats = Formats()
        self._make()
        try:
            _prepare(self._engine, batches)
        except BaseException:
            self.close()
            raise

    @property
    def model(self) -> Model:
        """The model that runs."""
        return self.state.model

    @property
    def max_batch(self) -> int:
        """Frames that it runs at once now: a substitute may run fewer."""
        return self.state.max_batch

    def segment(self, frames: Sequence[Frame], *, confidence: bool = False) -> list[Segmentation]:
        """Segment frames; see `Engine.segment`.

        Raises:
            EngineError: there is no engine, and none could be made.
            Exception: whatever the engine raises.
        """
        if self._engine is None:
            self._make_again()
        elif self.state.instead and self._clock() >= self._next_return:
            self._return()
        try:
            results = self._engine.segment(frames, confidence=confidence)
        except InputError:
            raise
        except Exception as error:
            self._fail(error)
            raise
        if self.state.failure is not None:
            self.state = replace(self.state, failure=None)
            self._log.info('The engine works again')
        self.formats.add(frames, confidence)
        return results

    def measure(self) -> None:
        """Have `state.memory` tell what the engine holds now. Does not raise."""
        if self._engine is None:
            return
        try:
            memory = self._engine.memory()
        except Exception:  # a device that is lost: the next frame will find that out
            memory = None
        self.state = replace(self.state, memory=memory)

    def close(self) -> None:
        """Free the engine; that it cannot be freed is logged. Twice is allowed."""
        engine, self._engine = self._engine, None
        self._free(engine)

    def _free(self, engine: Engine | None) -> None:
        if engine is None:
            return
        try:
            engine.close()
        except Exception as error:
            text = describe_failure(error)
            self._log.error(f'The {engine.name} engine could not be freed: {text}')

    def _make(self, failure: str | None = None) -> None:
        self._take(*self._create(''), failure)

    def _take(self, engine: Engine, reason: str, failure: str | None = None) -> None:
        self._engine = engine
        self._next_return = self._clock() + RETURN_SECONDS
        if not self.kind or engine.name != ReferenceEngine.name:
            self.kind = engine.name
        instead = '' if engine.name == self.kind else f'it stands in for {self.kind}: {reason}'
        self.state = EngineState(
            engine.name,
            engine.device,
            engine.architecture,
            engine.model,
            engine.max_batch,
            reason,
            failure=failure,
            instead=instead,
        )
        self._log.info(f'Engine: {engine.name} on {engine.device} ({reason})')

    def _return(self) -> None:
        """Go back to an engine of the first kind, if one works by now."""
        engine = None
        try:
            # Of that kind only: to make and warm up another substitute would cost frames.
            engine, _ = self._create(self.kind)
            _prepare(engine, self.formats.list()[-1:])  # with memory for the frames that come
        except Exception:  # the substitute goes on
            self._free(engine)
            self._next_return = self._clock() + RETURN_SECONDS
            return
        self.close()
        self._take(engine, f'{engine.name} works again')

    def _make_again(self) -> None:
        if self._clock() < self._next_attempt:
            raise EngineError(self.state.failure)
        try:
            self._make(self.state.failure)
        except Exception as error:
            failure = f'no engine could be made again: {describe_failure(error)}'
            self.state = replace(self.state, failure=failure)
            self._log.error(f'{failure}; trying again with later frames')
            raise EngineError(failure) from error
        finally:
            self._next_attempt = self._clock() + RETRY_SECONDS

    def _fail(self, error: Exception) -> None:
        again = self.state.failure is not None
        failure = f'the {self.state.name} engine failed: {describe_failure(error)}'
        self.state = replace(self.state, failure=failure)
        self._log.error(f'{failure}; {"making a new one" if again else "trying once more"}')
        if again:
            self.close()


def _prepare(engine: Engine, batches: Iterable[Batch]) -> None:
    """Have an engine run batches that look like these, so that those to come take no longer."""
    for batch in batches:
        frames, confidence = blank(batch)
        engine.segment(frames, confidence=confidence)
