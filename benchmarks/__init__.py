"""Benchmarks of the time and memory of a run: `agegender bench`. Each value has a baseline from the same run."""

BENCHMARKS = {
    "data": "building the cache against Pillow",
    "growth": "building the cache and an epoch, as the data grows tenfold",
    "memory": "peak memory of a job, as the data grows tenfold",
    "step": "one training step, one optimization added at a time",
    "fit": "images per second in fit against the reference pipeline",
    "cost": "training steps of several networks in turn, as ratios to the first one",
    "epoch": "an epoch on the data against one resident batch",
    "lightning": "fit against a bare loop at 64 pixels",
    "overhead": "what a step costs beyond its kernels: loop, seed, callbacks, progress bar",
    "startup": "commands, the time to the first step, and a complete sweep started again",
    "inference": "PyTorch, plain and compiled, and ONNX Runtime",
    "gpu": "a GPU: fit, a bare loop, the reference; autotuner, kernels, checkpoint; --compiled; only on request",
    "gpu_jobs": "1 to 4 jobs that share a GPU; only on request",
    "accuracy": "the same seeds trained by both pipelines; takes long, so only on request",
}
DEFAULT = tuple(name for name in BENCHMARKS if name not in ("accuracy", "cost", "gpu", "gpu_jobs"))
