import pytest

from inference_worker.errors import RecipeInvalid
from inference_worker.training.recipe import Recipe, parse_recipe


def test_missing_values_take_defaults_and_equal_recipes_have_one_digest() -> None:
    """SPEC 2.25"""
    assert parse_recipe({}) == Recipe()
    spelled = parse_recipe({"learning_rate": "1e-3", "target_modules": ["v_proj", "q_proj"]})
    assert (
        spelled.digest()
        == parse_recipe({"learning_rate": "0.0010", "target_modules": ["q_proj", "v_proj"]}).digest()
    )
    assert spelled.digest() != Recipe().digest()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 0),
        ("rank", True),
        ("passes", "3"),
        ("learning_rate", "nan"),
        ("learning_rate", "-1"),
        ("learning_rate", "x"),
        ("target_modules", []),
        ("target_modules", ["lm_head"]),
        ("checkpoints", 4),
        ("covariance_adapters", 14),
        ("covariance_adapters", 17),
        ("covariance_adapters", 98),
        ("covariance_adapters", False),
        ("covariance_passes", 0),
        ("covariance_layers", 0),
        ("dropout", 1),
    ],
)
def test_out_of_bounds_recipes_are_refused_by_name(field: str, value: object) -> None:
    """SPEC 2.25"""
    with pytest.raises(RecipeInvalid) as refused:
        parse_recipe({field: value})
    assert refused.value.field == field
