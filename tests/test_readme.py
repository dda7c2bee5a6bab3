"""What the documentation prints for others to copy works as printed, and README.md stays short."""

import re
from pathlib import Path

import pytest
import torch
from composing import composed
from paths import ROOT

import agegender.models
from agegender.jobs import build
from agegender.jobs import config as schema


def block(path: str) -> str:
    """The code block that begins with a comment naming this file."""
    blocks = re.findall(
        r"^```\w+\n(.*?)^```", (ROOT / "docs" / "extending.md").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    found = [text for text in blocks if text.startswith(f"# {path}\n")]
    assert len(found) == 1, path
    return found[0]


def test_the_example_of_a_model_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.py").write_text(block("src/agegender/models/tiny.py"))
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "tiny.yaml").write_text(block("conf/model/tiny.yaml"))
    monkeypatch.setattr(agegender.models, "__path__", [*agegender.models.__path__, str(tmp_path)])
    overrides = [f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "model=tiny", "data.image_size=32"]
    config = composed(*overrides)
    known = composed()
    schema.parse(config)
    assert {"dropout", "weights", "compile"} <= config["model"].keys() & known["model"].keys()
    module = build.make_module(config)
    outputs = module.network(torch.zeros(2, 3, 32, 32))
    assert outputs.age.shape == (2, module.method.num_outputs) and outputs.gender.shape == (2, 2)


def test_the_readme_is_one_that_one_reads() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 130


def test_links_of_the_readme_lead_to_files() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert targets and all((ROOT / target).exists() for target in targets)
