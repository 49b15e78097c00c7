"""A golden case: a stack file and the platform of its machines, and every file that comes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.properties.made import Site, bare_machines, site_of

from colonnade.render import DatabaseRole, Desired, Platform, Unit
from colonnade.rollout import Plan, describe
from colonnade.spec import parse

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/colonnade.toml"))


@dataclass(frozen=True)
class Case:
    """The directory of a case, and the stack in it."""

    name: str

    @property
    def expected(self) -> Path:
        """Where the expected files are."""
        return HERE / self.name / "expected"

    @cached_property
    def site(self) -> Site:
        """The stack, rendered with passwords that are the same every time."""
        directory = HERE / self.name
        stack = parse((directory / "colonnade.toml").read_text(), filename="colonnade.toml")
        return site_of(stack, platform=Platform(**json.loads((directory / "platform.json").read_text())))

    def made(self) -> dict[str, bytes]:
        """Return every file that is made, by its path below ``expected``."""
        files = {"plan.txt": _plan(self.site.plan(bare_machines(self.site))).encode()}
        for machine, desired in self.site.desired.items():
            document = json.dumps(_document(desired), indent=2, ensure_ascii=False)
            files[f"{machine}/desired.json"] = f"{document}\n".encode()
            files |= {f"{machine}{file.path}": file.text.encode() for file in desired.all_files}
        return files


def _plan(plan: Plan) -> str:
    """Return the plan from bare machines, as a person would read it."""
    lines = [f"note: {warning}" for warning in plan.warnings]
    for stage in plan.stages:
        lines += ["", f"{stage.title}{f' (interrupts: {stage.interrupts})' if stage.interrupts else ''}"]
        for machine, steps in stage.work.items():
            lines += [f"  {machine}", *(f"    {describe(step)}  ({step.why})" for step in steps)]
    return "\n".join(lines) + "\n"


def _document(desired: Desired) -> Mapping[str, Any]:
    """Return what a machine should be besides the text of its files."""
    return {
        "packages": [f"{p.name} from {p.suite}" if p.suite else p.name for p in desired.packages],
        "users": {user.name: user.home for user in desired.users},
        "directories": {d.path: f"{d.owner}:{d.group} {d.mode:o}" for d in desired.directories},
        "files": {
            file.path: {
                "rights": f"{file.owner}:{file.group} {file.mode:o}",
                **({"secret": True} if file.secret else {}),
                **({"check": file.check} if file.check else {}),
                **({"after": file.after} if file.after else {}),
            }
            for file in desired.all_files
        },
        "units": {unit.name: _unit(unit) for unit in desired.units},
        "database": _role(desired.database) if desired.database else None,
        "app": {"build": desired.app.build, "migrate": desired.app.migrate} if desired.app else None,
        "ports": list(desired.ports),
    }


def _unit(unit: Unit) -> Mapping[str, Any]:
    return {
        "wave": unit.wave.value,
        "runs": unit.runs,
        "restarted for": sorted(unit.restart),
        "reloaded for": sorted(unit.reload),
        **({"after a release": True} if unit.after_release else {}),
        **({"probe": list(unit.probe)} if unit.probe else {}),
    }


def _role(role: DatabaseRole) -> Mapping[str, Any]:
    return {
        "schema": role.schema,
        "accounts": {
            account.name: {"password": str(account.password), "grants": list(account.grants), "tls": account.tls}
            for account in role.accounts
        },
        "settings": dict(sorted(role.settings.items())),
    }
