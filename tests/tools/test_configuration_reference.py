import pytest
from configuration_reference import allowed, head, options_of, read_keys, reference
from paths import CONF

PAGE = reference(CONF)


@pytest.mark.parametrize("group", sorted(options_of(CONF)))
def test_every_option_of_a_group_is_on_the_page(group: str) -> None:
    for option in options_of(CONF)[group]:
        assert f"| `{group}={option}` | " in PAGE


def test_every_key_of_a_run_is_on_the_page_with_its_default_and_comment() -> None:
    keys = read_keys(CONF / "train.yaml")
    assert {"name", "seed", "report.threshold_age"} <= {key.name for key in keys}
    for key in keys:
        if key.default:
            assert f"| `{key.name}` | `" in PAGE
    assert "| `on_error` | `continue` |" in PAGE


def test_a_comment_may_go_on_below(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("a:\n  b: 1  # one\n        # two\nc: {d: 2}\n")
    assert [(key.name, key.default, key.comment) for key in read_keys(tmp_path / "a.yaml")] == [
        ("a", "", ""),
        ("a.b", "1", "one two"),
        ("c", "{d: 2}", ""),
    ]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("data.limit", "integer ≥ 1 or `null`"),
        ("model.dropout", "number ≥ 0.0, < 1.0"),
        ("on_error", "`continue` or `stop`"),
        ("tags", "list of text"),
        ("resume", "`true` or `false` or `extend`"),
        ("loss.effective_beta", ""),
    ],
)
def test_allowed_values_are_those_of_the_typed_configuration(key: str, values: str) -> None:
    assert allowed(key) == values


def test_a_head_ends_with_its_first_sentence_and_not_at_al(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("# @package _global_\n# A network, He et al. 2016, of torchvision. More.\na: 1\n")
    assert head(tmp_path / "a.yaml") == "A network, He et al. 2016, of torchvision"
