"""Upgrades of a database's layout by Alembic; loaded when one is due."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from fireline.engine.ports import Unavailable


def configuration(folder: Path, connection: Connection | None = None) -> Config:
    """Alembic's settings: the folder of migrations, and the connection to work on."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, folder: Path) -> None:
    """To the newest revision; raises Unavailable for a layout that this version does not know."""
    try:
        command.upgrade(configuration(folder, connection), "head")
    except CommandError as fault:
        raise Unavailable(f"the database's layout is of another Fireline version: {fault}") from fault
