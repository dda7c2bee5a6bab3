"""Tests of huge pages: asked for before torch is imported, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

CODE = (
    "from agegender.system.memory import use_huge_pages; use_huge_pages(); import torch; "
    "print(torch.empty(1 << 24).data_ptr() % 4096 == 0)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has them")
@pytest.mark.parametrize(("given", "expected"), [(None, "True"), ("0", "False")])
def test_torch_takes_large_tensors_in_huge_pages_unless_the_user_forbids_it(given: str | None, expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    environment |= {} if given is None else {"THP_MEM_ALLOC_ENABLE": given}
    made = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=120)
    assert made.stdout.strip() == expected, made.stderr
