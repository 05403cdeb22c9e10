"""Encodings, and protocols within bytes."""

from __future__ import annotations

from telamon.haproxy.samples.row import Converter
from telamon.haproxy.samples.types import Type

_S, _I, _B, _BOOL = Type.STR, Type.INT, Type.BIN, Type.BOOL
_PROTOBUF = (
    "field:fields [type:bool|double|enum|fixed32|fixed64|float|int32|int64|sfixed32|sfixed64"
    "|sint32|sint64|uint32|uint64]"
)
_CHUNKS = "[separator:str] [size:int] [truncate:int]"

CONVERTERS = (
    Converter("b64dec", "", _S, _B, "Decodes base64."),
    Converter("base64", "", _B, _S, "Encodes as base64."),
    Converter("be2dec", "separator:str size:int [truncate:int]", _B, _S,
              "Big-endian numbers as decimal ones."),
    Converter("be2hex", _CHUNKS, _B, _S, "Bytes as hexadecimal groups."),
    Converter("fix_is_valid", "", _B, _BOOL, "Whether it is a FIX message."),
    Converter("fix_tag_value", "tag:str", _B, _B, "The value of a FIX tag."),
    Converter("hex", "", _B, _S, "Bytes as hexadecimal digits."),
    Converter("hex2i", "", _S, _I, "The number that hexadecimal digits write."),
    Converter("htonl", "", _I, _B, "A number's four bytes in network order."),
    Converter("json", "[input:ascii|utf8|utf8s|utf8p|utf8ps]", _S, _S, "Escaped for JSON."),
    Converter("json_query", "path:str [type:asint]", _S, Type.ANY, "A value within JSON."),
    Converter("jwt_header_query", "[path:str] [type:asint]", _B, Type.ANY,
              "Within a JWT's header."),
    Converter("jwt_payload_query", "[path:str] [type:asint]", _B, Type.ANY,
              "Within a JWT's payload."),
    Converter("jwt_verify", "algorithm:str key:jwtkey", _B, _I, "1 if a JWT's signature is right."),
    Converter("le2dec", "separator:str size:int [truncate:int]", _B, _S,
              "Little-endian numbers as decimal ones.", "3.1"),
    Converter("mqtt_field_value", "type:str field:str", _B, _S, "A field of an MQTT message."),
    Converter("mqtt_is_valid", "", _B, _BOOL, "Whether it is an MQTT message."),
    Converter("protobuf", _PROTOBUF, _B, _B, "A field of a Protocol Buffers message."),
    Converter("rfc7239_field", "name:for|by|host|proto", _S, _S, "A field of a Forwarded.", "2.8"),
    Converter("rfc7239_is_valid", "", _S, _BOOL, "Whether it is a Forwarded header.", "2.8"),
    Converter("rfc7239_n2nn", "", _S, Type.ANY, "The node's name or address.", "2.8"),
    Converter("rfc7239_n2np", "", _S, Type.ANY, "The node's port.", "2.8"),
    Converter("ub64dec", "", _S, _B, "Decodes URL-safe base64."),
    Converter("ub64enc", "", _B, _S, "Encodes as URL-safe base64."),
    Converter("ungrpc", _PROTOBUF, _B, _B, "A field of a gRPC message."),
    Converter("url_dec", "[in_form:int]", _S, _S, "Decodes percent signs."),
    Converter("url_enc", "[type:query]", _S, _S, "Encodes with percent signs."),
)  # fmt: skip
