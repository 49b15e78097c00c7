"""A disk that is full under MySQL, made with a small one: no disk of the host is ever filled.

Before the drill the standby's MySQL is stopped, its data copied into a file system of a fixed size in memory, and a
link to it put in the data directory's place; then it becomes the primary. The fault fills what is left of that file
system: a real "no space left on device". Because the data is in memory meanwhile, this is for the lab alone.
"""

from colonnade import paths
from colonnade.drill.act import Await, Do, Part
from colonnade.drill.database.cluster import LEADING, WHOLE
from colonnade.drill.database.process_faults import MYSQL, started
from colonnade.drill.fault import Fault, Limits

FREE_MIB = 96
"""What is free in the small file system until it is filled."""
SMALL = "/run/colonnade-drill-disk"
ASIDE = f"{paths.MYSQL_DATA}.drill"
"""The data directory as it was before the drill."""
FILLER = f"{SMALL}/filler"

PREPARE = f"""
set -eu
systemctl stop {MYSQL}
size=$(( $(du -sm {paths.MYSQL_DATA} | cut -f1) + {FREE_MIB} ))
mkdir -p {SMALL}
mount -t tmpfs -o "size=${{size}}M,mode=0755" colonnade-drill {SMALL}
cp -a {paths.MYSQL_DATA} {SMALL}/data
# A link, not a mount: a directory that is provisioned anew can take its place.
mv {paths.MYSQL_DATA} {ASIDE}
ln -s {SMALL}/data {paths.MYSQL_DATA}
systemctl start {MYSQL}
"""

FILL = f"""
dd if=/dev/zero of={FILLER} bs=1M 2>/dev/null || :
dd if=/dev/zero of={FILLER} bs=4k oflag=append conv=notrunc 2>/dev/null || :
"""

RESTORE = f"""
set -eu
rm -f {FILLER}
if [ -L {paths.MYSQL_DATA} ]; then
  systemctl stop {MYSQL}
  rm -rf {ASIDE}
  cp -a {SMALL}/data {ASIDE}
  rm {paths.MYSQL_DATA}
  mv {ASIDE} {paths.MYSQL_DATA}
elif [ ! -e {paths.MYSQL_DATA} ]; then
  # The preparation was interrupted between its last two steps.
  mv {ASIDE} {paths.MYSQL_DATA}
fi
systemctl start {MYSQL}
rm -rf {ASIDE}
if mountpoint -q {SMALL}; then umount -l {SMALL}; rmdir {SMALL}; fi
"""

FAULTS = (
    Fault(
        "disk-full",
        "the primary's MySQL runs out of disk: its data, moved onto a small file system beforehand, fills it",
        prepare=(
            Do(Part.STANDBY, PREPARE),
            Await(Part.STANDBY, WHOLE, seconds=90.0),
            Do(Part.STANDBY, f'{paths.AGENT_COMMAND} switchover --to "$STANDBY_NODE" --seconds 30'),
            Await(Part.STANDBY, LEADING, seconds=30.0),
            Await(Part.STANDBY, WHOLE, seconds=60.0),
        ),
        inject=(Do(Part.STANDBY, FILL),),
        heal=(Do(Part.STANDBY, f"rm -f {FILLER}"), started(Part.STANDBY, MYSQL)),
        hold=15.0,
        limits=Limits(gap=15.0, redundant=180.0),
        restore=(Do(Part.STANDBY, RESTORE),),
        only_lab="it keeps MySQL's data in memory meanwhile",
    ),
)
