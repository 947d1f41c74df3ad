"""How many rows may wait for the graph or be in it: beyond, a request is told to come again, at once."""

from services.problems import Fault, Kind, Problem


class Room:
    """Counts rows in and out. One request that is larger than all of it has its turn when it is empty."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @property
    def left(self) -> int:
        """Rows that still fit."""
        return self._most - self._taken

    def take(self, n_rows: int) -> None:
        """Counts rows in.

        Raises:
            Problem: they do not fit.
        """
        if self._taken and n_rows > self.left:
            fault = Fault(
                "server", f"{self._taken} rows wait", f"at most {self._most} rows at once", "try again in a second"
            )
            raise Problem(Kind.BUSY, "Too many rows wait for their answer.", [fault], {"Retry-After": "1"})
        self._taken += n_rows

    def give_back(self, n_rows: int) -> None:
        """Counts rows out."""
        self._taken -= n_rows
