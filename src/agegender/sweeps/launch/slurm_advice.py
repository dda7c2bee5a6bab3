"""What Slurm refuses, and which key of the launcher mends it."""

import re

# Words of Slurm's refusals, and of the reasons for which a job would wait forever, with the key that mends them.
_ADVICE = {
    "gres|generic resource": "hydra.launcher.gpus_per_node: null on nodes without GPUs",
    "time limit|timelimit|wallduration|wallclock|maxwall": "hydra.launcher.timeout_min",
    "account": "hydra.launcher.account",
    "qos(?!max|grp|min)": "hydra.launcher.qos",
    "memory|maxmem|mempernode|mempercpu": "hydra.launcher.mem_gb",
    "feature|constraint": "hydra.launcher.constraint",
    "partition": "hydra.launcher.partition",
    "cpu count|cpuspertask|cpusper|maxcpu|more processors": "hydra.launcher.cpus_per_task",
    "node configuration|nodeconfiguration|badconstraints": (
        "hydra.launcher.cpus_per_task, mem_gb, gpus_per_node and constraint: no node has so much"
    ),
    "array": "hydra.launcher.array_parallelism, or fewer jobs",
}
_NO_REFUSAL = re.compile(
    r"Priority|Resources|Dependency|BeginTime|JobArrayTaskLimit|ReqNode|Node\w*(Down|Reserved)", re.ASCII
)


def advice(answer: str) -> str:
    """Return the key that an answer of Slurm's asks to change, as the end of a line; empty where it asks for none."""
    if _NO_REFUSAL.match(answer):
        return ""
    mends = [key for words, key in _ADVICE.items() if re.search(words, answer, re.IGNORECASE)]
    return f"; change {mends[0]}" if mends else ""
