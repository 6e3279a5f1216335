"""`ostiary …`: arguments in, exit codes out. Hands the file's sections and the environment down; decides nothing."""

from ostiary.cli.main import run

__all__ = ["run"]
