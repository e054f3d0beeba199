"""The one exception that means: the user can mend this."""


class LacunaError(Exception):
    """A mistake in the input, the parameters or the surroundings.

    The message is one line that says what was wrong, where (file, line, key), what was expected and
    what to do. Stages and the command line print it without a traceback and exit with code 1.
    """


class DivergedError(LacunaError):
    """A training's loss is no longer finite. The setting is to blame, so a search goes on with the next one."""
