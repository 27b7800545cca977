"""Rosters: the names of the subjects of a look. Very many targets have the same, which is kept once."""

from monitor.store.codec import encode_roster, roster_key


class Rosters:
    """The rosters in use, one object of each.

    `changes` is what the file does not have yet: a roster's key with its text, or None where nobody has it any more.
    """

    def __init__(self) -> None:
        self.changes: dict[tuple[str, ...], str | None] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}
        self._users: dict[frozenset[str], int] = {}

    def take(self, roster: frozenset[str]) -> frozenset[str]:
        """The roster as all have it, for one more user; nothing is kept of one without names."""
        if not roster:
            return roster
        shared = self._shared.setdefault(roster, roster)
        users = self._users.get(shared, 0)
        self._users[shared] = users + 1
        if users == 0:
            self.changes[(roster_key(shared),)] = encode_roster(shared)
        return shared

    def leave(self, roster: frozenset[str]) -> None:
        """One user less of what `take` gave."""
        if not roster:
            return
        self._users[roster] -= 1
        if self._users[roster] == 0:
            del self._users[roster], self._shared[roster]
            self.changes[(roster_key(roster),)] = None
