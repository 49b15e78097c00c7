"""The script that installs a stack's packages into an image, with the commands that apply would use."""

from colonnade.render import Platform, packages, sources
from colonnade.rollout.commands import install_commands
from colonnade.topology import Topology


def image_recipe(topology: Topology, platform: Platform) -> str:
    """Return a POSIX sh script that makes an image ready for any machine of the stack."""
    files = {file.path: file for machine in topology.machines for file in sources(topology, machine, platform)}
    wanted = {package for machine in topology.machines for package in packages(topology, machine, platform)}
    lines = ["set -eu", "export DEBIAN_FRONTEND=noninteractive LC_ALL=C"]
    for file in sorted(files.values(), key=lambda file: file.path):
        lines += [f"cat >{file.path} <<'END-OF-FILE'", file.text.rstrip("\n"), "END-OF-FILE"]
    lines += ["echo 'I: updating package lists'", "apt-get -q update"]
    for suite in sorted({package.suite for package in wanted}):
        names = tuple(sorted(package.name for package in wanted if package.suite == suite))
        lines.append(f"echo 'I: installing {len(names)} packages{f' from {suite}' if suite else ''}'")
        lines += install_commands(names, suite)
    # The machine's own apply puts these where they belong; in the image they are only for installing.
    lines += [f"rm -f {path}" for path in sorted(files)]
    return "\n".join(lines) + "\n"
