"""Rules for pydantic models and scikit-learn estimators: what was set, without what their libraries add."""

from collections.abc import Mapping
from typing import Any

from .names import class_name, is_importable
from .objects import CLASS_NOISE, MACHINERY, instance_rule, type_rule, without_kept_hash
from .walk import NotHashable, Rule, Walk

__all__ = ["RULES"]

# Any: both libraries are optional, their types have no name here.


def _model(walk: Walk, value: Any) -> bytes:
    if not hasattr(value, "__pydantic_private__"):  # of the first release, which ``pydantic.v1`` still has
        return instance_rule(walk, value)
    return walk.part(value, _encode_model)


def _encode_model(walk: Walk, value: Any) -> bytes:
    """A model: class, fields, extra fields, private attributes. Which fields were set is not told."""
    cls = type(value)
    fields = without_kept_hash(cls, vars(value))
    return walk.facts(
        "model", cls, fields, value.__pydantic_extra__ or None, value.__pydantic_private__ or None
    )


def _model_class(walk: Walk, cls: type) -> bytes:
    """The class of models; one that was made by ``Model[int]`` is told by what it was made of."""
    made = vars(cls).get("__pydantic_generic_metadata__") or {}
    if made.get("origin") is not None:
        return walk.part(cls, lambda walk, cls: walk.facts("model of", made["origin"], made["args"]))
    if is_importable(cls) or not hasattr(cls, "model_fields"):
        return type_rule(walk, cls)
    return walk.part(cls, _encode_local_class)


def _encode_local_class(walk: Walk, cls: Any) -> bytes:
    """The class of models that no name leads to: bases, fields, and what else was written in it."""
    if walk.visit is not None:
        walk.visit(cls)
    fields = {
        name: (field.annotation, field.default, field.default_factory, *field.metadata)
        for name, field in cls.model_fields.items()
    }
    noise = (*CLASS_NOISE, "__class_vars__", "__private_attributes__", "__signature__", "__orig_bases__")
    own = {
        name: held
        for name, held in vars(cls).items()
        if not name.startswith("__pydantic_") and name not in noise and not isinstance(held, MACHINERY)
    }
    return walk.facts("model class", class_name(cls), cls.__bases__, fields, own)


def _estimator(walk: Walk, value: Any) -> bytes:
    own_reduction: object = type(value).__reduce_ex__, type(value).__reduce__
    if own_reduction != (object.__reduce_ex__, object.__reduce__):
        return instance_rule(walk, value)
    return walk.part(value, _encode_estimator)


def _encode_estimator(walk: Walk, value: Any) -> bytes:
    """An estimator: class and state, without the release of scikit-learn that it was made by."""
    try:
        state = value.__getstate__()
    except (TypeError, RuntimeError, AttributeError) as exc:
        raise NotHashable(value, str(exc)) from exc
    if isinstance(state, Mapping):
        noise = {*_NOISE, *_unseeded_streams(value, state)}
        state = {
            name: held for name, held in without_kept_hash(type(value), state).items() if name not in noise
        }
    return walk.facts("estimator", type(value), state)


# The release of scikit-learn, and an address.
_NOISE = ("_sklearn_version", "_stop_words_id")


def _unseeded_streams(value: Any, state: Mapping[str, Any]) -> list[str]:
    """Random streams that fitting left without a seed: the one of ``numpy.random``, or copies of it."""
    if state.get("random_state", 0) is not None:
        return []
    parameters = value.get_params(deep=False)
    return [name for name in state if name not in parameters and type(state[name]).__name__ == "RandomState"]


RULES: dict[str, Rule] = {
    "pydantic:BaseModel": _model,
    "pydantic:ModelMetaclass": _model_class,
    "sklearn:BaseEstimator": _estimator,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
