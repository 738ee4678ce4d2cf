# SPDX-License-Identifier: MIT
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    struct_pb2,
    text_format,
    timestamp_pb2,
)
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError

FIELD = descriptor_pb2.FieldDescriptorProto


def classes():
    """Person, with a repeated Person, and Pet."""
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", package="test", syntax="proto3")
    person = file.message_type.add(name="Person")
    person.field.add(name="name", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    person.field.add(name="age", number=2, type=FIELD.TYPE_INT32, label=FIELD.LABEL_OPTIONAL)
    person.field.add(
        name="friends", number=3, type=FIELD.TYPE_MESSAGE, label=FIELD.LABEL_REPEATED, type_name=".test.Person"
    )  # fmt: skip
    person.field.add(name="scores", number=4, type=FIELD.TYPE_DOUBLE, label=FIELD.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Person"))


def smoke():
    Person = classes()
    ada = Person(name="Ada", age=36, scores=[1, 2.5])
    ada.friends.add(name="Charles").friends.add(name="Grace", age=-1)
    copied = Person.FromString(ada.SerializeToString())
    errors = []
    try:
        Person.FromString(b"\x0a\xff")
    except DecodeError as error:
        errors.append(type(error).__name__)
    for name, value in (("age", "text"), ("age", 2**40), ("absent", 1)):
        try:
            setattr(ada, name, value)
        except (TypeError, ValueError, AttributeError) as error:
            errors.append(type(error).__name__)
    value = struct_pb2.Struct()
    value.update({"numbers": [1, 2], "nested": {"yes": True, "nothing": None}})
    wrapped = any_pb2.Any()
    wrapped.Pack(timestamp_pb2.Timestamp(seconds=1709208000))
    unpacked = timestamp_pb2.Timestamp()
    return {
        "implementation": api_implementation.Type(),
        "bytes": ada.SerializeToString(deterministic=True).hex(),
        "same": copied == ada,
        "text": text_format.MessageToString(ada),
        "parsed": text_format.Parse('name: "Alan" scores: [1, 2]', Person()).scores[1],
        "json": json_format.MessageToDict(ada),
        "struct": json_format.MessageToDict(value),
        "any": (wrapped.Unpack(unpacked), unpacked.ToJsonString()),
        "fields": [(each.name, each.number) for each in Person.DESCRIPTOR.fields],
        "set": [field.name for field, _ in ada.friends[0].ListFields()],
        "many": sum(Person.FromString(Person(age=each).SerializeToString()).age for each in range(1000)),
        "errors": errors,
    }
