"""Templates to text. An unknown name in a template is an error, never an empty place in a file."""

from functools import cache
from shlex import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("colonnade.render", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  configuration files, no HTML
    )
    environment.filters["shell"] = quote
    return environment


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


def render(template: str, **values: object) -> str:
    """Fill a template of this package."""
    return _template(template).render(values)
