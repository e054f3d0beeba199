"""How a download ends when it does not end well."""


class DownloadFailedError(Exception):
    """No further try would help. The message is the reason, without the URL, so that equal ones can be counted."""


class TryAgainError(Exception):
    """This try failed and another may not. The message is the reason."""


class BusyError(TryAgainError):
    """The host wants to be left alone; `wait`: for so many seconds, 0 where it does not say."""

    def __init__(self, reason: str, wait: float) -> None:
        super().__init__(reason)
        self.wait = wait


class StoppedError(Exception):
    """The user has stopped the command, or it cannot go on."""
