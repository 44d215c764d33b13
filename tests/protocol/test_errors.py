import inspect

from protocol import errors


def test_the_docstring_draws_the_whole_tree():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(kind, errors.ProtocolError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
    assert issubclass(errors.ProtocolError, ValueError)


def test_errors_carry_the_values_that_disagree():
    error = errors.SharesDoNotSum("parts", 10, 9)
    assert (error.expected, error.actual) == (10, 9) and "parts must sum to 10, but sum to 9" in str(error)
    field = errors.WireError("a.b", "missing")
    assert (field.field, field.reason, str(field)) == ("a.b", "missing", "a.b: missing")
