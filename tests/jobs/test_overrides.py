"""Tests of overrides: what Hydra refuses is quoted, and nothing else is touched."""

import random
from pathlib import Path
from typing import get_args

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pydantic.fields import FieldInfo

from agegender.jobs.overrides import TEXT_KEYS, normalize_arguments, quote_override
from agegender.jobs.schema import Config, Data, Model, Wandb

# Punctuation of paths and of Hydra's grammar, letters of other alphabets, blanks.
CHARACTERS = "ab/=~ ()]}'\"\\.:é日я#&;!$*?+-_0 1\t%^<>|`@"


def parse(override: str):
    return OverridesParser.create().parse_override(override).value()


def is_accepted(override: str) -> bool:
    try:
        parse(override)
    except HydraException:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "runs/mine/small_cnn/plain/0/optimizer.lr=0.001/checkpoints/best.ckpt",
        "/data/faces (2)/UTKFace.tar",
        "faces(1)",
        "/données/visages.tar",
        "/данные/лица.tar",
        "/データ/顔.tar",
        "it's here.tar",
        'a "quoted" name',
        "a#b;c&d!e",
        "C:\\faces=2\\",
        "sha256:ab=",
        "x==y",
        "a]b",
        "half (open",
    ],
)
def test_a_path_that_hydra_refuses_arrives_as_it_was_typed(text: str) -> None:
    assert not is_accepted(f"data.root={text}")
    assert parse(quote_override(f"data.root={text}")) == text


def test_any_text_without_hydras_own_brackets_arrives_as_it_was_typed() -> None:
    draw = random.Random(0)
    for _ in range(300):
        text = "".join(draw.choices(CHARACTERS, k=draw.randint(1, 8))).strip(" \t~")
        if not is_accepted(f"key={text}"):
            assert parse(quote_override(f"key={text}")) == text, text


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.lr=1e-3,1e-4",
        "optimizer.lr=interval(1e-4, 1e-2)",
        "optimizer.lr=tag(log, interval(1e-4, 1e-2))",
        "model=choice(small_cnn, resnet18)",
        "tags=[a, b]",
        "+trainer.max_time={hours: 1}",
        "name=mine",
        "data.root='~/already quoted'",
        "data.root=null",
        "data.root=",
        "~trainer.profiler",
        "data.root=${oc.env:HOME}/faces",
        "data.split_file=/a/b/split-0011.csv",
    ],
)
def test_what_hydra_accepts_is_left_alone(override: str) -> None:
    assert quote_override(override) == override


@pytest.mark.parametrize("override", ["my key=3", "optimizer.lr=interval(1,)", "=3", "optimizer.lr=range(1,2,3,4,5)"])
def test_a_mistake_that_quotes_do_not_mend_is_left_to_hydra(override: str) -> None:
    assert quote_override(override) == override


@pytest.mark.parametrize("text", ["~/UTKFace.tar", "~/faces (1)/x=y.tar", "~"])
def test_a_tilde_is_the_home_directory(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parse(quote_override(f"data.root={text}")) == "/home/me" + text[1:]


def test_a_sweep_over_paths_stays_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for given in ("ckpt_path=runs/lr=1/a.ckpt,~/b.ckpt,plain.ckpt", "ckpt_path=choice(runs/lr=1/a.ckpt, ~/b.ckpt, c)"):
        override = OverridesParser.create().parse_override(quote_override(given))
        assert override.is_sweep_override()
        texts = [str(getattr(value, "text", value)) for value in override.value().list]
        assert texts[:2] == ["runs/lr=1/a.ckpt", "/home/me/b.ckpt"]


def test_a_comma_in_the_name_of_a_file_does_not_divide_it(tmp_path: Path) -> None:
    path = tmp_path / "lr=1,wd=2.ckpt"
    path.touch()
    assert parse(quote_override(f"ckpt_path={path}")) == str(path)


def test_elements_of_lists_and_dictionaries_are_quoted_by_themselves() -> None:
    assert parse(quote_override("tags=[lr=1, done]")) == ["lr=1", "done"]
    assert parse(quote_override("+a={b: c=d, e: [f=g]}")) == {"b": "c=d", "e": ["f=g"]}


def test_only_overrides_are_quoted_among_the_arguments() -> None:
    given = ["-m", "--config-dir", "a=b=c", "data.root=b=c", "seed=1,2"]
    assert normalize_arguments(given) == ["-m", "--config-dir", "a=b=c", "data.root='b=c'", "seed=1,2"]


@pytest.mark.parametrize(
    "given",
    [
        ["model=a,b", "-m", "seed=1,2"],
        ["model=a,b", "seed=1,2", "-m"],
        ["-m", "model=a,b", "seed=1,2"],
    ],
)
def test_overrides_on_both_sides_of_a_flag_stay_in_order_and_follow_it(given: list[str]) -> None:
    arguments = normalize_arguments(given)
    assert arguments == ["-m", "model=a,b", "seed=1,2"]
    assert get_args_parser().parse_args(arguments).overrides == ["model=a,b", "seed=1,2"]


def test_an_unknown_flag_is_left_to_hydra() -> None:
    assert normalize_arguments(["seed=1", "--multi"]) == ["--multi", "seed=1"]


@pytest.mark.parametrize("text", ["20260101", "1e3", "007", "1_000", "inf", "true", "off", "-5"])
def test_a_name_that_looks_like_a_number_stays_the_text_that_was_typed(text: str) -> None:
    for key in ("name", "data.root", "+logger.wandb.project"):
        assert parse(quote_override(f"{key}={text}")) == text
    assert quote_override(f"seed={text}") == f"seed={text}"


def test_what_is_no_text_of_a_text_key_is_left_alone() -> None:
    for override in ("data.root=null", "name=a,b", "tags=[]", "tags=[a,'3']", "name='3'", "data.root="):
        assert quote_override(override) == override


def test_elements_of_a_list_of_texts_stay_text() -> None:
    assert parse(quote_override("tags=[2024, a, 1e-3]")) == ["2024", "a", "1e-3"]


def test_the_keys_of_text_are_those_of_the_configuration() -> None:
    texts = {key for key, field in Config.model_fields.items() if _is_text(field)}
    for group, section in (("data", Data), ("model", Model), ("logger.wandb", Wandb)):
        texts |= {f"{group}.{key}" for key, field in section.model_fields.items() if _is_text(field)}
    texts -= {"data.age_groups"}  # the name of a scheme, or numbers
    assert texts == TEXT_KEYS - {"output_dir"}  # of eval.py


def _is_text(field: FieldInfo) -> bool:
    """Whether a value may be any text, and no number."""
    kinds = {getattr(kind, "__origin__", kind) for kind in get_args(field.annotation) or (field.annotation,)}
    is_mapping = getattr(field.annotation, "__origin__", None) is dict
    return str in kinds and not is_mapping and not kinds & {int, float, bool}


@pytest.mark.parametrize("key", ["project", "entity", "mode"])
def test_a_key_that_was_renamed_works_with_one_line_that_says_so(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert normalize_arguments([f"logger.{key}=x"]) == [f"logger.wandb.{key}=x"]
    assert capsys.readouterr().err.count(f"logger.{key} is logger.wandb.{key} now") == 1


@pytest.mark.parametrize(
    ("override", "mend"),
    [
        ("logger.wandb.tags=[a,b]", "tags= sets them"),
        ("+logger.wandb.offline=True", "logger.wandb.mode=offline writes offline runs"),
        ("logger.wandb.job_type=x", "WANDB_JOB_TYPE sets it"),
    ],
)
def test_a_key_of_lightnings_wandb_logger_is_refused_with_what_does_the_same(
    override: str, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        normalize_arguments([override])
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {override.lstrip('+')}: there is no such key; {mend}\n"


def test_no_logger_may_be_called_null() -> None:
    assert normalize_arguments(["logger=null"]) == ["logger=none"]


def test_a_bare_file_name_is_the_value_of_the_key_that_it_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "lr=1.ckpt"
    path.touch()
    (argument,) = normalize_arguments([str(path)], file_key="ckpt_path")
    assert argument.startswith("ckpt_path=") and parse(argument) == str(path)
    assert normalize_arguments(["nothing.ckpt"], file_key="ckpt_path") == ["nothing.ckpt"]


def test_quoting_twice_is_quoting_once() -> None:
    once = quote_override("data.root=it's (a) \\ test=1")
    assert quote_override(once) == once
