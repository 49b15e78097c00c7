"""One MySQL server, by its agent: looked at, changed one action at a time, written to, provisioned anew."""

from colonnade.adapters.mysql.look import Seen
from colonnade.adapters.mysql.server import MysqlServer, Place

__all__ = ["MysqlServer", "Place", "Seen"]
