"""Errors reported in one line."""

import errno

import pytest

from agegender.system.errors import DatasetNotFoundError, InputError, MachineError, describe, end, exit_code, explain


def test_a_users_mistake_is_told_in_one_line() -> None:
    assert describe(InputError("first line\n   second line")) == "first line second line"


def test_a_kind_of_users_mistake_is_told_as_well() -> None:
    assert describe(DatasetNotFoundError("no images in x")) == "no images in x"


def test_a_mistake_that_a_library_has_wrapped_is_still_told() -> None:
    try:
        try:
            raise InputError("the cause")
        except InputError as cause:
            raise RuntimeError("wrapped") from cause
    except RuntimeError as error:
        assert describe(error) == "the cause"


def test_a_mistake_during_whose_handling_something_else_failed_is_still_told() -> None:
    try:
        try:
            raise InputError("the context")
        except InputError:
            raise RuntimeError("later")  # noqa: B904
    except RuntimeError as error:
        assert describe(error) == "the context"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_a_limit_of_the_machine_names_the_place_and_the_way_out(number: int) -> None:
    message = describe(OSError(number, "as the system says", "/some/where"))
    start = "/some/where: as the system says; "
    assert message is not None and message.startswith(start) and len(message) > len(start)


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("x"), OSError("no number"), ZeroDivisionError()])
def test_a_defect_is_told_in_no_line_since_its_traceback_matters(error: Exception) -> None:
    assert describe(error) is None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of", "data.resident=false"),
        ("CUDA error: out of memory\nCUDA kernel errors might be", "data.batch_size"),
        ("The NVIDIA driver on your system is too old (found version 11040).", "trainer=cpu"),
        ("Found no NVIDIA driver on your system. Please check", "trainer=cpu"),
    ],
)
def test_a_gpu_that_is_full_or_has_no_fitting_driver_is_a_fault_of_the_machine(text: str, remedy: str) -> None:
    fault = explain(RuntimeError(text))
    assert isinstance(fault, MachineError)
    assert remedy in str(fault) and "\n" not in str(fault)


@pytest.mark.parametrize("text", ["CUDA error: device-side assert triggered", "out of memory", "mat1 and mat2 shapes"])
def test_another_error_of_pytorch_is_a_defect(text: str) -> None:
    assert explain(RuntimeError(text)) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_fault_of_the_machine_is_no_mistake_of_the_users(number: int) -> None:
    fault = OSError(number, "as the system says", "/some/where")
    assert isinstance(explain(fault), MachineError) and exit_code(fault) == 1
    again = explain(explain(fault) or fault)
    assert isinstance(again, MachineError) and str(again) == describe(fault)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOENT])
def test_a_place_that_cannot_be_used_is_the_users_mistake(number: int) -> None:
    assert isinstance(explain(OSError(number, "as the system says")), InputError)
    assert exit_code(OSError(number, "as the system says")) == 2


def test_a_command_ends_with_the_line_and_the_exit_code_of_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        end(OSError(errno.ENOSPC, "No space left on device", "runs"), " (runs_dir= chooses it)")
    assert ended.value.code == 1
    expected = "error: runs: No space left on device; free some space, or choose another disk (runs_dir= chooses it)\n"
    assert capsys.readouterr().err == expected
