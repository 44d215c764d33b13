"""The root of the node's error tree. Each stage derives its own errors from it, carrying the values that disagree."""


class OpenLedgerError(Exception):
    """Any failure that the node explains to its operator; `exit_code` is what the command line exits with."""

    exit_code = 1
