"""The package ouli.test: its messages and methods, described in code instead of by protoc.

python schema.py FILE writes the FileDescriptorSet.
"""

import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "ouli.test"
SERVICE = PACKAGE + ".TestService"
Field = descriptor_pb2.FieldDescriptorProto

PLAIN = {
    "bool": Field.TYPE_BOOL,
    "bytes": Field.TYPE_BYTES,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "string": Field.TYPE_STRING,
}

# Name, type and kind: "repeated", "map" (of texts), "choice" (the oneof). Numbers are consecutive.
MESSAGES = {
    "Empty": [],
    "Payload": [("kind", "Kind"), ("body", "bytes")],
    "Status": [("code", "int32"), ("message", "string")],
    "Credentials": [("user", "string"), ("password", "string"), ("access_token", "string")],
    "Part": [("size", "int32"), ("pause_ms", "int32")],
    "Request": [
        ("response_size", "int32"),
        ("payload", "Payload"),
        ("response_status", "Status"),
        ("credentials", "Credentials"),
        ("tags", "string", "repeated"),
        ("counts", "int32", "map"),
        ("text", "string", "choice"),
        ("number", "int64", "choice"),
        ("sleep_ms", "int32"),
        ("parts", "Part", "repeated"),
        ("compress_response", "bool"),
        ("rich_status", "bool"),
        ("count_calls", "bool"),
        ("log_in", "bool"),
    ],
    "Response": [
        ("payload", "Payload"),
        ("credentials", "Credentials"),
        ("tags", "string", "repeated"),
        ("counts", "int32", "map"),
        ("text", "string", "choice"),
        ("number", "int64", "choice"),
        ("received_bytes", "int32"),
        ("call", "int32"),
    ],
    # Has the layout of google.rpc.Status, for grpc-status-details-bin.
    "RichStatus": [("code", "int32"), ("message", "string"), ("details", "Detail", "repeated")],
    "Detail": [("type_url", "string"), ("value", "bytes")],
}

# Name, request type, response type, and whether each side streams.
METHODS = [
    ("EmptyCall", "Empty", "Empty", False, False),
    ("UnaryCall", "Request", "Response", False, False),
    ("StreamingInputCall", "Request", "Response", True, False),
    ("StreamingOutputCall", "Request", "Response", False, True),
    ("FullDuplexCall", "Request", "Response", True, True),
    ("UnimplementedCall", "Empty", "Empty", False, False),
]


def add_map(message, name, value):
    """The entry of a map of texts; the name of its type."""
    entry = message.nested_type.add(name=name.capitalize() + "Entry")
    entry.options.map_entry = True
    single = Field.LABEL_OPTIONAL
    entry.field.add(name="key", number=1, type=Field.TYPE_STRING, label=single)
    entry.field.add(name="value", number=2, type=PLAIN[value], label=single)
    return f".{PACKAGE}.{message.name}.{entry.name}"


def add_message(file, name, fields):
    message = file.message_type.add(name=name)
    for number, (field_name, kind, *more) in enumerate(fields, 1):
        field = message.field.add(name=field_name, number=number, label=Field.LABEL_OPTIONAL)
        if "repeated" in more or "map" in more:
            field.label = Field.LABEL_REPEATED
        if "map" in more:
            field.type, field.type_name = Field.TYPE_MESSAGE, add_map(message, field_name, kind)
        elif kind in PLAIN:
            field.type = PLAIN[kind]
        else:
            field.type = Field.TYPE_ENUM if kind == "Kind" else Field.TYPE_MESSAGE
            field.type_name = f".{PACKAGE}.{kind}"
        if "choice" in more:
            if not message.oneof_decl:
                message.oneof_decl.add(name="choice")
            field.oneof_index = 0


def file():
    """The description of the whole package."""
    described = descriptor_pb2.FileDescriptorProto(
        name="ouli/test.proto", package=PACKAGE, syntax="proto3"
    )
    kind = described.enum_type.add(name="Kind")
    for number, name in enumerate(["KIND_UNSPECIFIED", "KIND_ZEROS", "KIND_PATTERN"]):
        kind.value.add(name=name, number=number)
    for name, fields in MESSAGES.items():
        add_message(described, name, fields)
    service = described.service.add(name="TestService")
    for name, asked, answered, asks_many, answers_many in METHODS:
        service.method.add(
            name=name,
            input_type=f".{PACKAGE}.{asked}",
            output_type=f".{PACKAGE}.{answered}",
            client_streaming=asks_many,
            server_streaming=answers_many,
        )
    return described


_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(file().SerializeToString())


def _message(name):
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


Empty, Request, Response = _message("Empty"), _message("Request"), _message("Response")
RichStatus = _message("RichStatus")
KIND_ZEROS, KIND_PATTERN = 1, 2


def encode(message):
    """The bytes of a message, the same each time."""
    return message.SerializeToString(deterministic=True)


def secrets(secret):
    """What is secret, by the place where it is sent: all are different, and all hold `secret`."""
    return {
        "authorization": "Bearer bR" + secret,
        "x-api-key": "aK" + secret,
        "password": "pW" + secret,
        # It has the pattern of a GitHub token, so it is found without descriptors.
        "access_token": "ghp_" + secret + "0123456789abcdef",
        "issued": "iS" + secret,
        "x-auth-token": "tR" + secret,
    }


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as out:
        out.write(descriptor_pb2.FileDescriptorSet(file=[file()]).SerializeToString())
