import pytest

from fireline.domain.on_demand import OnDemand


def test_a_value_is_made_once_and_when_it_is_asked_for() -> None:
    made: list[str] = []

    def make(name: str) -> object:
        made.append(name)
        return object()

    shelf = OnDemand(["b", "a"], make)
    assert (list(shelf), len(shelf), "a" in shelf, "c" in shelf, 3 in shelf) == (["b", "a"], 2, True, False, False)
    assert made == []
    assert shelf["a"] is shelf["a"]
    assert made == ["a"]


def test_a_name_that_is_not_there_is_missing_as_from_any_mapping() -> None:
    shelf = OnDemand(["a"], len)
    assert shelf.get("b") is None
    with pytest.raises(KeyError):
        shelf["b"]


def test_a_value_that_cannot_be_made_is_tried_again() -> None:
    answers = iter([None, 5])

    def make(_name: str) -> int:
        found = next(answers)
        if found is None:
            raise ValueError("not now")
        return found

    shelf = OnDemand(["a"], make)
    with pytest.raises(ValueError, match="not now"):
        shelf["a"]
    assert shelf["a"] == 5
