# SPDX-License-Identifier: MIT
import datetime

from pydantic_core import (
    PydanticCustomError,
    SchemaSerializer,
    SchemaValidator,
    Url,
    ValidationError,
    core_schema,
    from_json,
    to_json,
    to_jsonable_python,
)


class Person:
    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")


def even(value):
    if value % 2:
        raise PydanticCustomError("odd", "{number} is odd", {"number": value})
    return value


def smoke():
    fields = {
        "name": core_schema.model_field(core_schema.str_schema(min_length=2, pattern="^[A-Z]")),
        "age": core_schema.model_field(core_schema.int_schema(ge=0)),
        "born": core_schema.model_field(core_schema.with_default_schema(core_schema.date_schema(), default=None)),
        "scores": core_schema.model_field(core_schema.list_schema(core_schema.float_schema())),
        "even": core_schema.model_field(
            core_schema.no_info_after_validator_function(even, core_schema.int_schema())
        ),
    }  # fmt: skip
    schema = core_schema.model_schema(Person, core_schema.model_fields_schema(fields))
    validator = SchemaValidator(schema)
    given = {"name": "Ada", "age": "36", "born": "1815-12-10", "scores": [1, "2.5"], "even": 4}
    person = validator.validate_python(given)
    try:
        validator.validate_json('{"name": "a", "age": -1, "born": "never", "scores": ["x"], "even": 3}')
    except ValidationError as error:
        errors = [(each["type"], each["loc"], each["msg"]) for each in error.errors()]
        text = str(error)
    union = SchemaValidator(core_schema.union_schema([core_schema.int_schema(strict=True), core_schema.str_schema()]))
    serializer = SchemaSerializer(schema)
    url = Url("https://user@localhost:8080/path?query=1")
    return {
        "person": {key: str(value) for key, value in sorted(vars(person).items())},
        "json": serializer.to_json(person).decode(),
        "python": serializer.to_python(person, exclude={"born"}),
        "errors": errors,
        "text": text,
        "union": [union.validate_python(each) for each in (1, "a")],
        "url": (url.host, url.port, url.path, str(url)),
        "parsed": from_json('{"a": [1, 2.5, "x"], "b": tru', allow_partial=True),
        "dumped": to_json({"at": datetime.timedelta(seconds=90), "raw": b"abc"}).decode(),
        "jsonable": to_jsonable_python({datetime.date(2024, 2, 29): (1, {2})}),
    }
