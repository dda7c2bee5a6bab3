"""The machine: what is installed, and how fast it multiplies and copies; `pytest -rP` shows the figures."""

import pytest
import torch

pytestmark = pytest.mark.gpu

_SIDE = 8192


def milliseconds(function: object, repeats: int = 20) -> float:
    """Return the time of a call by events of the GPU, after three that warm up."""
    assert callable(function)
    for _ in range(3):
        function()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / repeats


def test_the_machine_is_described(device: torch.device) -> None:
    name = torch.cuda.get_device_name(device)
    free, total = torch.cuda.mem_get_info(device)
    print(f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    assert torch.cuda.is_bf16_supported(including_emulation=False)


def test_a_large_product_in_bfloat16_is_right_and_fast(device: torch.device) -> None:
    random = torch.Generator(device).manual_seed(0)
    one, other = (torch.randn(_SIDE, _SIDE, device=device, generator=random).bfloat16() for _ in range(2))
    product = one @ other
    part = one[:64].float() @ other[:, :64].float()
    # Sums of 8,192 products of standard deviation 90, rounded to 8 bits.
    torch.testing.assert_close(product[:64, :64].float(), part, rtol=2e-2, atol=2.0)
    tflops = 2 * _SIDE**3 / 1e9 / milliseconds(lambda: torch.mm(one, other))
    print(f"{tflops:.0f} TFLOP/s in bfloat16")
    assert tflops > 10


def test_a_copy_on_the_device_is_fast(device: torch.device) -> None:
    source = torch.zeros(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    rate = 2 * source.nbytes / 1e6 / milliseconds(lambda: target.copy_(source))  # read and written
    print(f"{rate:.0f} GB/s")
    assert rate > 50
