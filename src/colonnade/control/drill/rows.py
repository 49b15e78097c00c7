"""The drill's tables: made on the primary, read at the end on every server, and dropped."""

from colonnade import paths
from colonnade.control.observe import everywhere
from colonnade.drill.database.rows import CREATE, DROP, READ, Rows, parse_rows
from colonnade.errors import ColonnadeError
from colonnade.ports import Remote
from colonnade.topology import Machine, Topology

STATEMENT_SECONDS = 60.0
CAUGHT_UP_SECONDS = 30


class Tables:
    """The drill's tables in the application's schema, as root of each machine sees them."""

    def __init__(self, remote: Remote, topology: Topology) -> None:
        self._remote = remote
        self._topology = topology

    async def make(self, primary: Machine) -> None:
        """Make them, empty."""
        await self._sql(primary, CREATE)

    async def drop(self, primary: Machine) -> None:
        """Take them away again."""
        await self._sql(primary, DROP)

    async def read(self, primary: Machine) -> tuple[Rows, dict[str, Rows], list[str]]:
        """Return what is on the primary, on each replica that has caught up, by node, and who could not be read.

        Raises:
            ColonnadeError: the primary could not be read.

        """
        rows = await self._rows(primary, "")
        executed = (await self._sql(primary, "SELECT @@gtid_executed")).replace("\\n", "").replace("\n", "")
        wait = f"SET @late = WAIT_FOR_EXECUTED_GTID_SET('{executed}', {CAUGHT_UP_SECONDS});"
        replicas = [machine for machine in self._topology.servers if machine != primary]
        found, failures = await everywhere(replicas, lambda machine: self._rows(machine, wait))
        there = {self._topology.machine(name).server or name: rows for name, rows in found.items()}
        return rows, there, [f"not compared with the primary: {error}" for error in failures.values()]

    async def _rows(self, machine: Machine, before: str) -> Rows:
        try:
            return parse_rows(await self._sql(machine, before + READ))
        except ValueError as error:
            raise ColonnadeError(f"the drill's rows cannot be read: {error}", where=machine.name) from error

    async def _sql(self, machine: Machine, statements: str) -> str:
        client = f"exec mysql --protocol=socket --socket={paths.MYSQL_SOCKET} --user=root -N -B"
        command = f"{client} --database={self._topology.stack.database_name}"
        result = await self._remote.run(machine, command, stdin=statements.encode(), seconds=STATEMENT_SECONDS)
        if result.code:
            raise ColonnadeError(
                f"MySQL could not do what the drill needs: {result.complaint.strip()}", where=machine.name
            )
        return result.output
