"""The statistics in the forms that programs read: CSV, typed lines, JSON (guide 9.1, 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from telamon.runtime.fields import BY_NAME, FIELDS, NATURES, ORIGINS, SCOPES, Field
from telamon.runtime.rows import Row, Value

CSV_HEADER = "# " + ",".join(field.name for field in FIELDS) + ",\n"


def to_csv(rows: Iterable[Row]) -> str:
    """The header, a line a row, and every line ends in a comma, as HAProxy's do."""
    return CSV_HEADER + "".join(_csv_line(row) for row in rows)


def _csv_line(row: Row) -> str:
    cells = (_csv_cell(row.values.get(field.name, "")) for field in FIELDS)
    return ",".join(cells) + ",\n"


def _csv_cell(value: Value) -> str:
    text = str(value)
    if any(c in text for c in '",\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _typed_cells(row: Row) -> Iterable[tuple[int, Field, Value]]:
    for name, value in sorted(row.values.items(), key=lambda item: BY_NAME[item[0]][0]):
        position, field = BY_NAME[name]
        yield position, field, value


def to_typed(rows: Iterable[Row]) -> str:
    """`type.iid.sid.position.name.process:tags:type:value`, a line a value."""
    lines = []
    for row in rows:
        prefix = f"{row.kind.letter}.{row.proxy.id}.{row.values['sid']}"
        for position, field, value in _typed_cells(row):
            tags = field.tags_for(row.kind)
            lines.append(f"{prefix}.{position}.{field.name}.1:{tags}:{field.type}:{value}\n")
    return "".join(lines)


def to_json(rows: Iterable[Row]) -> str:
    """An array a row, an object a value."""
    document = [
        [
            {
                "objType": row.kind.label,
                "proxyId": row.proxy.id,
                "id": row.values["sid"],
                **json_value(position, field.name, field.tags_for(row.kind), field.type, value),
            }
            for position, field, value in _typed_cells(row)
        ]
        for row in rows
    ]
    return json.dumps(document, separators=(",", ":"))


def json_value(position: int, name: str, tags: str, type_: str, value: Value) -> dict[str, Any]:
    """One value of the typed JSON output (`show stat json`, `show info json`)."""
    return {
        "field": {"pos": position, "name": name},
        "processNum": 1,
        "tags": {
            "origin": ORIGINS[tags[0]],
            "nature": NATURES[tags[1]],
            "scope": SCOPES[tags[2]],
        },
        "value": {"type": type_, "value": value},
    }


JSON_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "oneOf": [
        {"title": "Info", "type": "array", "items": {"$ref": "#/definitions/item"}},
        {
            "title": "Stat",
            "type": "array",
            "items": {"type": "array", "items": {"$ref": "#/definitions/statItem"}},
        },
    ],
    "definitions": {
        "item": {
            "type": "object",
            "properties": {
                "field": {
                    "type": "object",
                    "properties": {"pos": {"type": "integer"}, "name": {"type": "string"}},
                    "required": ["pos", "name"],
                },
                "processNum": {"type": "integer"},
                "tags": {
                    "type": "object",
                    "properties": {
                        "origin": {"type": "string", "enum": sorted(ORIGINS.values())},
                        "nature": {"type": "string", "enum": sorted(NATURES.values())},
                        "scope": {"type": "string", "enum": sorted(SCOPES.values())},
                    },
                    "required": ["origin", "nature", "scope"],
                },
                "value": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "enum": ["s32", "s64", "u32", "u64", "str"]},
                        "value": {"type": ["integer", "string"]},
                    },
                    "required": ["type", "value"],
                },
            },
            "required": ["field", "processNum", "tags", "value"],
        },
        "statItem": {
            "allOf": [
                {"$ref": "#/definitions/item"},
                {
                    "properties": {
                        "objType": {
                            "type": "string",
                            "enum": ["Frontend", "Backend", "Listener", "Server"],
                        },
                        "proxyId": {"type": "integer", "minimum": 0},
                        "id": {"type": "integer", "minimum": 0},
                    },
                    "required": ["objType", "proxyId", "id"],
                },
            ]
        },
    },
}
"""What `show schema json` and the page's `;json-schema` give (guide, `show schema json`)."""
