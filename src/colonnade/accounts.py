"""Names of MySQL accounts that a stack and its agents must agree on."""

import zlib

LONGEST = 32
"""Characters of an account's name, by MySQL."""


def replication_account(server: str) -> str:
    """Name of the MySQL account that a server's replica logs in with: one each, so that one can be shut out.

    A longer name than MySQL allows is cut and made unique by a checksum.
    """
    name = f"repl_{server}".replace("-", "_")
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}_{zlib.crc32(server.encode()):08x}"
