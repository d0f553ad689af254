"""The JSON Schema of a study file, for editors that complete and check YAML.

It is made of the same parameters that a run checks. What only a run can see (that a
band's lower edge lies below the upper one, that a domain exists) is not in it.
"""

from __future__ import annotations

from typing import Any

from phi_kit import steps
from phi_kit.core.params import StepParams
from phi_kit.domains.custom import Definition

from .study_draft import COMMON, START

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """The schema of a whole file, keys in lower case."""
    definitions: dict[str, Any] = {}
    common = _properties(StepParams, definitions)
    at_top, every, per_domain = {}, {}, {}
    for step in steps.STEPS:
        model = steps.load(step).Params
        properties = _properties(model, definitions)
        at_top |= {name: properties[name] for name in model.AT_TOP}
        apart = {*COMMON, *model.AT_TOP, "domain", "domains"}
        own = {name: one for name, one in properties.items() if name not in apart}
        every[step.name] = _mapping(own, says=step.folder)
        if step.per_domain:
            per_domain[step.name] = every[step.name]
    of_domain = {**_properties(Definition, definitions), **at_top, **per_domain}
    domains = {
        "oneOf": [
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "object", "additionalProperties": _mapping(of_domain)},
        ]
    }
    top = {name: common[name] for name in COMMON}
    top |= {START: {"type": "string"}, **at_top, "domains": domains, **every}
    whole = {**_mapping(top), "type": "object", "required": ["domains"]}
    return {"$schema": DIALECT, "title": "phi_kit study", **whole, "$defs": definitions}


def _properties(model: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """A model's fields as schemas; what they refer to goes into the definitions."""
    schema = model.model_json_schema()
    definitions |= schema.get("$defs", {})
    return schema.get("properties", {})


def _mapping(properties: dict[str, Any], *, says: str = "") -> dict[str, Any]:
    """A mapping of these keys and no others; it may also be left empty."""
    schema = {"type": ["object", "null"], "additionalProperties": False}
    return {**schema, "properties": properties} | ({"title": says} if says else {})
