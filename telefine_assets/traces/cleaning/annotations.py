"""Whether a value fits the type that the program's signature gives a field.

The file also leaves Telefine, with an exported program, and imports nothing of it.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from telefine_assets.traces.fields import Fields

_NULLS: Final = ("null", "none")
_NULLS_SPELLED: Final = tuple(text for null in _NULLS for text in (null, null.capitalize(), null.upper()))


class FieldTypes:
    """The types of a program's fields, made ready once for all traces.

    Values are judged as JSON by pydantic in its lax mode: ``"3"`` fits ``int``,
    ``3`` does not fit ``str``. A type that pydantic cannot judge, and DSPy's own
    types (images, histories), which are logged as text of many shapes, fit anything.
    """

    def __init__(self, fields: Fields) -> None:
        """Prepare the judges of the annotated fields."""
        self._adapters = {
            name: _adapter(annotation) for name, annotation in fields.types.items() if annotation is not Any
        }
        self._may_be_none = {name for name, annotation in fields.types.items() if NoneType in _members(annotation)}
        self.free_text = tuple(
            name for name in fields.outputs if _members(fields.types.get(name)) - {NoneType} == {str}
        )
        """Output fields whose values are texts, not choices."""

    def fits(self, name: str, value: Any) -> bool:
        """Whether the field may have this value."""
        from pydantic import ValidationError

        try:
            self._judged(name, value)
        except (ValidationError, ArithmeticError, AttributeError, LookupError, TypeError, RecursionError):
            # A model's own validators may trip over a value that they did not expect.
            return False
        return True

    def typed(self, name: str, value: Any) -> Any:
        """A JSON value as the type of the field, as the program's own code expects it; as it is if it does not fit."""
        return self._judged(name, value) if self.fits(name, value) else value

    def _judged(self, name: str, value: Any) -> Any:
        from pydantic.errors import PydanticUserError

        adapter = self._adapters.get(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value, strict=False)
        except PydanticUserError:  # The type names another that was never defined: it cannot be judged.
            return value

    def lacks(self, name: str, value: Any) -> bool:
        """Whether the value is none, and the field needs one."""
        return value is None and name not in self._may_be_none

    def reads_null(self, name: str) -> bool:
        """Whether a text can only mean none: the field may be that, and no spelling of ``null`` or ``none`` fits it."""
        return name in self._may_be_none and not any(self.fits(name, text) for text in _NULLS_SPELLED)

    def expected(self, name: str, value: Any) -> Any:
        """What is expected of a field: MLflow takes no null, so the texts ``null`` and ``none`` stand for it."""
        is_null = isinstance(value, str) and value.strip().lower() in _NULLS
        return None if is_null and self.reads_null(name) else value


def _members(annotation: Any) -> set[Any]:
    """The types that an annotation offers, without what surrounds them; just itself unless it is a union."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return {member for each in get_args(annotation) for member in _members(each)}
    if get_origin(annotation) is Literal and None in get_args(annotation):
        return {annotation, NoneType}
    try:
        return {annotation}
    except TypeError:  # What cannot be hashed is neither str nor None.
        return set()


def _adapter(annotation: Any) -> Any | None:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError

    if _is_of_dspy(annotation, set()):
        return None
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError, NameError):
        return None


def _is_of_dspy(annotation: Any, seen: set[int]) -> bool:
    """Whether a type of DSPy's stands anywhere in the annotation."""
    if id(annotation) in seen:
        return False
    seen.add(id(annotation))
    parts = list(get_args(annotation))
    if isinstance(annotation, type):
        if any(each.__module__.partition(".")[0] == "dspy" for each in annotation.__mro__):
            return True
        parts += [each.annotation for each in getattr(annotation, "model_fields", {}).values()]
    return any(_is_of_dspy(each, seen) for each in parts)
