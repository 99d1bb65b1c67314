"""pydantic, attrs and scikit-learn: what was set counts, what the library notes beside it does not."""

import copy
import pickle
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
import pydantic
import pydantic.v1
import pytest
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key

T = TypeVar("T")


class Inner(pydantic.BaseModel):
    tags: list[str] = []


class Model(pydantic.BaseModel):
    x: int = 1
    inner: Inner = Inner()
    _secret: int = pydantic.PrivateAttr(default=3)

    @cached_property
    def double(self) -> int:
        return 2 * self.x


class Other(pydantic.BaseModel):
    x: int = 1
    inner: Inner = Inner()


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    x: int = 1


class Box(pydantic.BaseModel, Generic[T]):
    content: T


class Numbers(pydantic.RootModel[list[int]]):
    pass


@attrs.define
class Slotted:
    x: int
    tags: list[str] = attrs.field(factory=list)


@attrs.frozen(cache_hash=True)
class Frozen:
    x: int


@attrs.frozen(slots=False, cache_hash=True)
class Plain:
    x: int


def secret(number: int) -> Model:
    model = Model()
    model._secret = number
    return model


def opened(**extra: Any) -> Open:
    return Open.model_validate({"x": 1, **extra})


def test_fields_that_were_set_to_their_defaults() -> None:
    """Whether a field was given or left out is not content; what a property left is."""
    read = Model()
    assert repr(read)
    assert_one_key(
        [Model(), Model(x=1), Model(x=1, inner=Inner(tags=[])), Model.model_validate({"x": "1"}), read]
    )
    assert read.double == 2
    assert_apart([Model(), read])
    assert_copies_agree(lambda: Model(x=2))
    assert_copies_agree(lambda: opened(more=[1]))
    assert_copies_agree(lambda: Numbers([1, 2]))
    assert_copies_agree(lambda: Box[int](content=1), pickled=False)


def test_models_are_apart() -> None:
    """Class, fields, extra fields, private attributes, and what a generic model was made of."""
    assert_apart(
        [
            Model(),
            Model(x=2),
            Model(inner=Inner(tags=["a"])),
            secret(4),
            Other(),
            Open(),
            opened(y=2),
            opened(y=3),
            Box[int](content=1),
            Box[float](content=1),
            Box[Any](content=1),
            Box(content=1),
            Numbers([1]),
            Numbers([2]),
            Model,
            Other,
            Box,
            Box[int],
            Box[str],
        ]
    )


def test_models_of_classes_in_functions() -> None:
    """A class that no name leads to counts by what was written in it."""

    def make(default: int) -> Any:
        class Local(pydantic.BaseModel):
            x: int = default

        return Local

    assert_one_key([make(1), make(1)])
    assert_one_key([make(1)(x=5), make(1)(x=5)])
    assert_apart([make(1)(x=5), make(2)(x=5), make(1)(x=6)])


@pytest.mark.filterwarnings("ignore:Core Pydantic V1")
def test_models_of_the_first_release() -> None:
    """``pydantic.v1`` is still there: by what it gives to pickle."""
    make = pydantic.v1.create_model("Old", x=(int, 1), __module__="tests")
    assert key_of(make(x=2)) == key_of(make(x=2)) != key_of(make(x=3))


def test_attrs_count_by_content() -> None:
    """With slots or without; the hash that attrs keeps in an instance is no content."""
    used = [Frozen(1), Plain(1)]
    assert_one_key([used[0], Frozen(1)])
    before = list(map(key_of, used))
    assert {hash(each) for each in used}
    assert list(map(key_of, used)) == before
    for make in (lambda: Slotted(1, ["a"]), lambda: Frozen(1), lambda: Plain(1)):
        assert_copies_agree(make)
    assert_apart([Slotted(1), Slotted(2), Slotted(1, ["a"]), Frozen(1), Frozen(2), Plain(1), Plain(2)])


@pytest.mark.parametrize(
    "model",
    [SVC(), DecisionTreeClassifier(), MLPClassifier(max_iter=2), GaussianProcessClassifier()],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_agree_with_their_copies(model: BaseEstimator) -> None:
    """Fitted or not, with a seed or without."""
    numbers, classes = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    empty = key_of(model)
    assert_copies_agree(lambda: model)
    model.fit(numbers, classes)
    assert key_of(model) != empty
    assert_one_key([model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))])
    assert_apart([model, copy.deepcopy(model).set_params(random_state=1)])


class Drawing(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A parameter that is a stream, and a property that is kept."""

    def __init__(self, rng: Any = None, random_state: Any = None) -> None:
        self.rng, self.random_state = rng, random_state

    @cached_property
    def size(self) -> int:
        return 3


def test_streams_that_are_parameters_count() -> None:
    """Only what fitting left of the shared stream does not."""
    one, two = (Drawing(np.random.RandomState(seed)) for seed in (1, 2))
    assert_apart([one, two, Drawing()])


class Partly:
    """Slots, with a ``__dict__`` beside them for what is kept."""

    __slots__ = ("__dict__", "x")

    def __init__(self, x: int) -> None:
        self.x = x

    @cached_property
    def size(self) -> int:
        return self.x


class Alone:
    """Nothing but what is kept."""

    @cached_property
    def size(self) -> int:
        return 1


def test_a_kept_property_is_content() -> None:
    """Of objects with slots, with nothing else, of estimators: it may have been assigned."""
    for make in (lambda: Partly(1), Alone, Drawing):
        read, given = make(), make()
        assert read.size in (1, 3)
        given.size = 7
        assert_apart([make(), read, given])
    assert_apart([Partly(1), Partly(2)])


def test_addresses_and_releases_are_no_content() -> None:
    """A vectorizer notes the address of its stop words, each estimator the release it was pickled by."""
    texts = ["a bc de", "bc fg"]
    assert_copies_agree(lambda: TfidfVectorizer(stop_words=["bc"]).fit(texts))


def test_constraints_of_a_model_made_inside_a_function_count() -> None:
    """Two models that no name leads to differ in what their fields allow."""

    def make(least: int) -> Any:
        class Local(pydantic.BaseModel):
            x: int = pydantic.Field(5, ge=least)

        return Local

    assert_one_key([make(1), make(1)])
    assert_apart([make(1), make(2)])
