"""Benchmarks of what a run spends: `agegender bench`. Every figure stands beside another of the same run."""

BENCHMARKS = {
    "data": "the cache's build against Pillow",
    "growth": "the cache's build and an epoch, as the data grows tenfold",
    "memory": "peak memory of a job, as the data grows tenfold",
    "step": "one training step, part by part",
    "fit": "images per second in fit against the reference pipeline",
    "cost": "training steps of all the networks in turn, as ratios to the first",
    "epoch": "an epoch on the data against one resident batch",
    "lightning": "fit against a bare loop at 64 pixels",
    "startup": "commands, the way to the first step, a complete sweep again",
    "inference": "PyTorch, plain and compiled, and ONNX Runtime",
    "accuracy": "the same seeds trained by both paths; long, so only when named",
}
DEFAULT = tuple(name for name in BENCHMARKS if name not in ("accuracy", "cost"))
