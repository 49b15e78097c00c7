"""A throw-away machine without an init: the lab's image under an overlay, in namespaces of its own.

Nothing that runs in there reaches the image or the host, and nothing of it is left when it ends.
"""

import subprocess
from pathlib import Path

_ENTER = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$SCRATCH"
mkdir "$SCRATCH/upper" "$SCRATCH/work" "$SCRATCH/root"
mount -t overlay overlay -o "lowerdir=$IMAGE,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$SCRATCH/root"
mount -t proc proc "$SCRATCH/root/proc"
mount --rbind /dev "$SCRATCH/root/dev"
mount -t tmpfs tmpfs "$SCRATCH/root/run"
mkdir "$SCRATCH/root/run/lock" "$SCRATCH/root/run/haproxy"
mount --bind "$CASE" "$SCRATCH/root/mnt"
ip link set lo up
ip address add "$ADDRESS" dev lo
exec chroot "$SCRATCH/root" /bin/sh /mnt/inside
"""
SECONDS = 120


def run_inside(image: Path, directory: Path, *, address: str, script: str) -> str:
    """Run a script as root inside and return what it printed; ``directory`` is /mnt there, ``address`` its own."""
    case, scratch = directory / "case", directory / "scratch"
    case.mkdir(exist_ok=True)
    scratch.mkdir()
    (case / "inside").write_text(script)
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--uts", "--ipc", "sh", "-c", _ENTER],
        env={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "IMAGE": str(image),
            "CASE": str(case),
            "SCRATCH": str(scratch),
            "ADDRESS": address,
        },
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()
