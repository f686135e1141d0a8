"""The one root of the errors that Telefine raises on purpose.

A ``TelefineError`` is written for the person who reads it: it names what is
wrong and what would cure it. The command line prints it as one message and
exits non-zero; anything else that escapes is a defect and keeps its traceback.
"""


class TelefineError(Exception):
    """Something is wrong that the reader can put right."""
