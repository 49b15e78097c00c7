"""The kinds of value in a stack file: a Python type, its check, and what the JSON schema says of it."""

from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from colonnade.spec import checks
from colonnade.spec.sizes import SIZE_PATTERN, Size, buffer_pool_size, memory_size


def _text(title: str, **keywords: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "title": title, **keywords})


_STAYS_INSIDE = {"not": {"pattern": r"(^|/)\.\.(/|$)"}}
_AS_WRITTEN = PlainSerializer(str, return_type=str, when_used="json")

Label = Annotated[str, AfterValidator(checks.label), _text("DNS label", pattern=checks.LABEL_PATTERN)]
Domain = Annotated[str, AfterValidator(checks.domain), _text("DNS domain", format="hostname", pattern=r"\.")]
Address = Annotated[
    str, AfterValidator(checks.address), _text("IP address", anyOf=[{"format": "ipv4"}, {"format": "ipv6"}])
]
UrlPath = Annotated[str, AfterValidator(checks.url_path), _text("URL path", pattern=checks.URL_PATH_PATTERN)]
Inside = Annotated[str, AfterValidator(checks.inside), _text("relative path", pattern="^[^/]", **_STAYS_INSIDE)]
InsideBelow = Annotated[
    str,
    AfterValidator(checks.inside_below),
    _text("relative path", pattern=checks.SAFE_PATH_PATTERN, **_STAYS_INSIDE),
]
Command = Annotated[str, AfterValidator(checks.command), _text("shell command", minLength=1)]
FilePath = Annotated[str, AfterValidator(checks.file_path), _text("file", minLength=1)]
EnvironmentName = Annotated[
    str,
    AfterValidator(checks.environment_name),
    _text("name", pattern=checks.ENVIRONMENT_PATTERN, **{"not": {"enum": sorted(checks.RESERVED_ENVIRONMENT)}}),
]
EnvironmentValue = Annotated[str, AfterValidator(checks.environment_value), _text("text")]
SchemaName = Annotated[
    str,
    AfterValidator(checks.schema_name),
    _text("schema name", pattern=checks.SCHEMA_PATTERN, **{"not": {"enum": sorted(checks.SYSTEM_SCHEMAS)}}),
]
Package = Annotated[str, AfterValidator(checks.package), _text("Debian package", pattern=checks.PACKAGE_PATTERN)]
User = Annotated[str, AfterValidator(checks.user), _text("Linux user", pattern=checks.USER_PATTERN)]
Memory = Annotated[Size, PlainValidator(memory_size), _AS_WRITTEN, _text("size", pattern=SIZE_PATTERN)]
BufferPool = Annotated[Size, PlainValidator(buffer_pool_size), _AS_WRITTEN, _text("size", pattern=SIZE_PATTERN)]
