"""The number format that this machine's hardware computes in."""

import torch


def choose_precision(precision: str | int, accelerator: str) -> str | int:
    """Resolve `auto`: bfloat16 if the hardware computes in it, else float32; other values stay."""
    if precision != "auto":
        return precision
    if uses_gpu(accelerator):
        has_bfloat16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if has_bfloat16 else "32-true"
    return "bf16-mixed" if _cpu_has_bfloat16() else "32-true"


def is_mixed(precision: str | int) -> bool:
    """Whether weights stay in float32 while matrix products are computed in 16 bits."""
    return str(precision) in ("16-mixed", "bf16-mixed", "16", "bf16")


def uses_gpu(accelerator: str) -> bool:
    """Whether a trainer with this accelerator uses a GPU."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16 (AVX-512 BF16 or AMX); emulated bfloat16 is slower than float32."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None)
