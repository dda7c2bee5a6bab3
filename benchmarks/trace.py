"""What a GPU does in a training step: kernels, and the time during which at least one of them runs."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from torch.profiler import ProfilerActivity, profile

from benchmarks.clock import synchronize

# Categories in the profiler's trace. A CPU's operators, which contain each other, take the kernels' place in tests.
_GPU = ("kernel", "gpu_memcpy", "gpu_memset")
_CPU = ("cpu_op",)


@dataclass(frozen=True)
class Work:
    """Work of a device per training step.

    Attributes:
        num_kernels: kernels, copies and fills; on a CPU operators.
        busy_ms: milliseconds during which at least one of them runs.
    """

    num_kernels: float
    busy_ms: float


class Trace:
    """Records some training steps with PyTorch's profiler.

    Args:
        path: where the trace is written for a moment.
        on_gpu: whether to count the GPU's work, not the CPU's.
    """

    def __init__(self, path: Path, *, on_gpu: bool) -> None:
        self._path = path
        self._on_gpu = on_gpu
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        self._profile = profile(activities=activities, acc_events=True)

    def start(self) -> None:
        synchronize()
        self._profile.start()

    def stop(self, num_steps: int) -> Work:
        """End the recording after this many steps."""
        synchronize()
        self._profile.stop()
        self._profile.export_chrome_trace(str(self._path))
        events = json.loads(self._path.read_text())["traceEvents"]
        self._path.unlink()
        return work(events, _GPU if self._on_gpu else _CPU, num_steps)


def work(events: Iterable[dict[str, Any]], categories: Iterable[str], num_steps: int) -> Work:
    """Sum up the events of these categories in a trace of several steps; times that overlap count once."""
    names = set(categories)
    spans = sorted((event["ts"], event["ts"] + event["dur"]) for event in events if event.get("cat") in names)
    busy = 0.0
    reached = float("-inf")
    for start, end in spans:  # microseconds
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return Work(len(spans) / num_steps, busy / 1000 / num_steps)


class FitTrace(lightning.Callback):
    """Traces some steps of a fit.

    Args:
        trace: to record with.
        first_step: that is traced.
        num_steps: that are traced.

    Attributes:
        work: per step; None before the end.
    """

    def __init__(self, trace: Trace, first_step: int, num_steps: int) -> None:
        self._trace = trace
        self._first = first_step
        self._num_steps = num_steps
        self.work: Work | None = None

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self._first:
            self._trace.start()
        elif batch_idx == self._first + self._num_steps:
            self.work = self._trace.stop(self._num_steps)
