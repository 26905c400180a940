"""What libraries find in the same bins: change points by ruptures, and strange bins by scikit-learn's isolation forest.

Both get what ours makes of a series first (users and what is usual taken out), so that what is compared is the finding
alone. Their settings are the ones below, chosen by hand; nobody tuned them further.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import median

import numpy as np
import ruptures
from sklearn.ensemble import IsolationForest

from fleet.quiet.fit import LEAST, Case, series_of
from fleet.quiet.least import flat, spread
from fleet.quiet.measures import MEASURES, Measure
from fleet.quiet.usual import by_hour, by_peers

PENALTY = 12.0  # times log(n) and the variance, of a change point
STRANGE = 0.6  # of the last LEAST bins are so
TREES = 50
OFTEN = 0.01  # of the bins before are held for strange


def left_of(measure: Measure, case: Case) -> tuple[list[int], list[float]] | None:
    """Times, and what users and the usual leave of one measure."""
    series = series_of(measure, case, by_peers(measure, case.controls) or by_hour(measure, case.long))
    return None if series is None else (series.at, flat(series.values, series.columns))


def by_change_point(case: Case, penalty: float = PENALTY) -> list[str]:
    """Measures with a change for the worse, of a size that matters, after the release began."""
    found = []
    for name, measure in MEASURES.items():
        series = left_of(measure, case)
        if series is None:
            continue
        at, values = series
        noise = spread([b - a for a, b in zip(values, values[1:], strict=False)]) ** 2 / 2 or 1e-9
        search = ruptures.KernelCPD(kernel="linear", min_size=4).fit(np.array(values))
        ends = search.predict(pen=penalty * log(len(values)) * noise)
        for begin, end in zip(ends, ends[1:], strict=False):
            past = values[:begin]
            moved = measure.worse * (median(values[begin:end]) - median(past[-4 * LEAST :]))
            if at[begin] >= case.begin and end == len(values) and moved >= measure.matters:
                found.append(name)
    return found


def by_forest(case: Case, strange: float = STRANGE) -> list[str]:
    """["several"] where most of the last bins are none that the time before knows."""
    series = {name: found for name, measure in MEASURES.items() if (found := left_of(measure, case))}
    shared = sorted(set.intersection(*(set(at) for at, _ in series.values()))) if series else []
    before = [at for at in shared if at < case.begin]
    after = [at for at in shared if at >= case.begin][-LEAST:]
    if len(before) < 2 * LEAST or len(after) < LEAST:
        return []
    known = {name: dict(zip(at, values, strict=True)) for name, (at, values) in series.items()}

    def rows(times: Sequence[int]) -> np.ndarray:
        return np.array([[one[at] for one in known.values()] for at in times])

    forest = IsolationForest(n_estimators=TREES, contamination=OFTEN, random_state=1).fit(rows(before))
    return ["several"] if (forest.predict(rows(after)) < 0).mean() >= strange else []
