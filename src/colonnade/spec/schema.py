"""The JSON schema of the stack file, for editors (draft 2020-12, which is pydantic's own)."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from colonnade.spec.model import Stack


class _Schema(GenerateJsonSchema):
    """Pydantic's, without null, which TOML does not have, and without titles made up from keys."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(
        self,
        schema: CoreSchema | core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
    ) -> bool:
        del schema
        return False


def schema() -> dict[str, Any]:
    """Give the JSON schema of a stack file; what only the whole file shows is not in it."""
    made = Stack.model_json_schema(schema_generator=_Schema)
    made["title"] = "Colonnade stack file"
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
