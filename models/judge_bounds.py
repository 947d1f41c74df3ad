"""Between which values the judge takes a limit: gates.yaml is refused by the same bounds before anything is built.

Read by the online half of gates.yaml and by the judge's requests.
"""

from datetime import timedelta

MAX_ROWS = 5000  # of a window or a replay: what one judgement can read in its time
MAX_ALPHA = 0.1  # more is no level of anything
MAX_DISTANCE = 100.0  # in deviations; more would never be exceeded
MAX_WINDOW = timedelta(days=7)
