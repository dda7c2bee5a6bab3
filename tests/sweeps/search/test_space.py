import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from agegender.sweeps.search.space import parse_space
from agegender.system.errors import InputError


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0, 0.5)", FloatDistribution(0.0, 0.5)),
        ("tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1, 8))", IntDistribution(1, 8)),
        ("tag(log, int(interval(1, 64)))", IntDistribution(1, 64, log=True)),
        ("range(1, 10, 4)", IntDistribution(1, 9, step=4)),
        ("range(9, 0, -4)", IntDistribution(1, 9, step=4)),
        ("range(0.1, 0.5, 0.2)", FloatDistribution(0.1, 0.3, step=0.2)),  # without its end, as in a grid
        ("choice(16, [3,2])", CategoricalDistribution(["16", "[3,2]"])),
        ("16,32", CategoricalDistribution(["16", "32"])),
    ],
)
def test_hydras_grammar_becomes_a_distribution(text: str, distribution: object) -> None:
    assert parse_space({}, [f"data.batch_size={text}"]).distributions == {"data.batch_size": distribution}


def test_the_command_line_comes_after_the_configuration() -> None:
    params = {"optimizer.lr": "interval(0.1, 0.2)", "model.dropout": "interval(0.1, 0.2)", "augment": None}
    space = parse_space(params, ["optimizer.lr=interval(0.3, 0.4)", "model.dropout=0.5", "model=alexnet"])
    assert space.distributions == {"optimizer.lr": FloatDistribution(0.3, 0.4)}
    assert space.fixed == ["model.dropout=0.5", "model=alexnet"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("optimizer.lr=interval(1, 1)", "an interval from 1.0 to 1.0 is empty"),
        ("optimizer.lr=tag(log, interval(0, 1))", "cannot begin at 0.0"),
        ("optimizer.lr=tag(lgo, interval(1, 2))", "unknown tag lgo"),
        ("data.batch_size=range(3, 3)", "the range is empty"),
        ("data.batch_size=tag(log, range(1, 3))", "a range has equal steps"),
        ("data.batch_size=tag(log, choice(1, 3))", "choices have no logarithmic scale"),
        ("seed=1,2,3", "seed cannot be searched: the luckiest seed is not a result"),
        ("logger.wandb.project=a,b", "its values do not make different experiments"),
        ("model.dropout=0.5", "nothing to search"),
    ],
)
def test_what_cannot_be_searched_is_a_mistake_of_the_users(override: str, told: str) -> None:
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        parse_space({}, [override])


def test_a_broken_space_of_a_configuration_file_is_a_mistake_of_the_users() -> None:
    with pytest.raises(InputError, match=r"hydra\.sweeper\.params"):
        parse_space({"optimizer.lr": "interval(1e-4,"}, [])


def test_numbers_have_six_digits_and_stay_within_their_bounds() -> None:
    space = parse_space({}, ["a=interval(0.1234561, 1)", "b=int(interval(1, 9))", "c=choice(x, y)"])
    assert space.overrides({"a": 0.1234561, "b": 3, "c": "x"}) == ["a=0.1234561", "b=3", "c=x"]
    assert space.overrides({"a": 0.3333333333, "b": 3, "c": "x"})[0] == "a=0.333333"
    assert space.overrides({"a": 1.0, "b": 3, "c": "x"})[0] == "a=1.0"  # not an integer


def test_the_edges_reach_every_bound_and_choice() -> None:
    space = parse_space({}, ["a=interval(0, 1)", "b=range(1, 9)", "c=x,y"])
    assert space.edges() == ["a=0.0", "a=1.0", "b=1", "b=8", "c=x", "c=y"]
