"""`croissant.json`: a frozen set described for machines, with where it came from.

Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) with
PROV-O terms (https://www.w3.org/TR/prov-o/): sources are entities that the set was
derived from, transforms are activities that made its rows, models are agents. A row's
own past stands in the rows themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from phi_kit import __version__

from .frozen_facts import FrozenFacts

if TYPE_CHECKING:
    import pandas as pd

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_KIT = "phi_kit"
# As the specification's own examples have it, and PROV's terms beside it.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(rows: pd.DataFrame, facts: FrozenFacts, *, file: str, sha256: str) -> str:
    """The text of `croissant.json`.

    Args:
        rows: of the frozen set.
        facts: what is known of it.
        file: path of its Parquet file, from the folder of `croissant.json`.
        sha256: of that file.
    """
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": facts.name,
        "description": facts.summary,
        "version": "1.0.0",
        "identifier": facts.digest,
        "license": facts.licences,
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "rows.parquet",
                "name": "rows.parquet",
                "description": "The rows of the set.",
                "contentUrl": file,
                "encodingFormat": "application/x-parquet",
                "sha256": sha256,
            }
        ],
        "recordSet": [_record_set(rows)],
        "prov:wasDerivedFrom": [_source(name, facts) for name in facts.sources],
        "prov:wasGeneratedBy": [_activity(name, facts) for name in facts.made_by],
        "prov:wasAttributedTo": [_agent(role, facts) for role in facts.models],
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _record_set(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "description": "One row of the set: a question, its gold, what it teaches.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"rows/{name}",
                "name": name,
                "description": f"The column {name}.",
                "dataType": _type(rows[name]),
                "source": {
                    "fileObject": {"@id": "rows.parquet"},
                    "extract": {"column": name},
                },
            }
            for name in rows.columns
        ],
    }


def _type(column: pd.Series) -> str:
    kind = column.dtype.kind
    return {"i": "sc:Integer", "f": "sc:Float", "b": "sc:Boolean"}.get(kind, "sc:Text")


def _id(kind: str, name: str) -> str:
    """A node's name; mlcroissant allows no blanks in it."""
    return f"{kind}/{'-'.join(name.split()) or 'unknown'}"


def _source(name: str, facts: FrozenFacts) -> dict[str, Any]:
    found = facts.sources[name]
    return {
        "@type": "prov:Entity",
        "@id": _id("source", name),
        "prov:label": name,
        "license": found.licence or "unknown",
        "prov:value": found.rows,
    }


def _activity(name: str, facts: FrozenFacts) -> dict[str, Any]:
    """What made rows: a transform, or the student's own answers."""
    tried, kept = facts.made_by[name]
    role = facts.writers.get(name)
    by = {"@id": f"model/{role}"} if role else _kit()
    return {
        "@type": "prov:Activity",
        "@id": _id("transform", name),
        "prov:label": f"{name}: {kept} of {tried} rows kept",
        "prov:wasAssociatedWith": by,
    }


def _agent(role: str, facts: FrozenFacts) -> dict[str, Any]:
    return {
        "@type": "prov:SoftwareAgent",
        "@id": f"model/{role}",
        "prov:label": f"{role}: {facts.models[role]}",
    }


def _kit() -> dict[str, Any]:
    return {
        "@type": "prov:SoftwareAgent",
        "@id": _KIT,
        "prov:label": f"{_KIT} {__version__}",
    }
