"""Sends rows to preview and active and hands the replies to the decision: a preview has no callers of its own.

Captured rows of stable come first, held-out rows of both bundles fill up. Requests and time are bounded.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from models.errors import MainlineError
from models.rows import decode
from services.drift import twins
from services.drift.caller import ASK_SECONDS, Caller, Identity, NotReached, identity
from services.drift.captured import encoded
from services.drift.judgement import Judgement, Party, undecided
from services.drift.limits import replay_limits
from services.drift.references import NotAllowed, Reference
from services.drift.replay import Exchange, Expected, judge_replay
from services.drift.requests import ReplayRequest, origin
from services.drift.sample import Sample, first_of_each
from services.drift.sources import Sources

AT_ONCE = 4  # a preview without load of its own: so many callers make no queue
SEND_SECONDS = 6.0  # with bundles and log to be read, of the 15 s that the judge has
_WARM_UP = 5
_ASKED_AGAIN = 10

Row = Mapping[str, Any]


def assess_replay(request: ReplayRequest, sources: Sources, *, now: datetime) -> Judgement:
    """The judgement on a replay.

    Raises:
        MainlineError: a server or a bundle cannot be had.
    """
    for url in (request.candidate_url, request.stable_url):
        if not sources.may_ask(origin(url)[0]):
            return undecided(f"{url}: the judge may not ask this host; see MAINLINE_REPLAY_HOSTS")
    candidate, stable = identity(request.candidate_url), identity(request.stable_url)
    stranger = _stranger(request, candidate, stable)
    if stranger:
        return undecided(stranger)
    try:
        reference = sources.references.get(model=request.model, uri=candidate.uri, digest=candidate.digest)
        former = sources.references.get(model=request.model, uri=stable.uri, digest=stable.digest)
    except NotAllowed:  # what a server says of itself is not told on
        return undecided("preview or active names a bundle outside of the stores; see MAINLINE_BUNDLE_STORES")
    announced = twins.announced(reference, former)
    if announced is None:
        return undecided("stable needs features, or knows classes, that the candidate does not: a person decides")
    sample, source = _rows(request, sources, reference, former, now)
    try:
        exchanges = _send(request, sample, (reference, former), (candidate, stable))
    except _MixedError as err:
        return undecided(str(err))
    own = reference.answers(sample.matrix)
    expected = Expected(reference.bundle.manifest, candidate.digest, stable.digest, own, announced)
    judged = judge_replay(exchanges, expected, replay_limits(request))
    return replace(
        judged,
        method=(*judged.method, source),
        candidate=_party(candidate, request.candidate_hash),
        stable=_party(stable, request.stable_hash),
    )


class _MixedError(MainlineError):
    """More than one server answers at an address."""


def _stranger(request: ReplayRequest, candidate: Identity, stable: Identity) -> str:
    """Why these are not the two that were asked about; empty where they are."""
    sides = (("preview", candidate, request.candidate_hash), ("active", stable, request.stable_hash))
    for name, found, pod_hash in sides:
        if found.model != request.model:
            return f"the {name} serves another model than {request.model}: see its address"
        if not found.hash:
            return f"the {name} does not tell the hash of its pods: it cannot be told from other pods"
        if found.hash != pod_hash:
            return f"the {name} is answered by other pods than those of hash {pod_hash}: see its service's selector"
    return ""


def _party(found: Identity, pod_hash: str) -> Party:
    return Party(found.model, found.version, found.digest, pod_hash)


def _rows(
    request: ReplayRequest, sources: Sources, reference: Reference, former: Reference, now: datetime
) -> tuple[Sample, str]:
    """Distinct rows that both bundles accept, encoded as the candidate's, and where they come from."""
    try:
        window = sources.window(request.model, request.stable_hash, now - request.window, now, now)
        rows: list[Row] = [] if window.header and window.header.masked else list(window.rows)
    except MainlineError:
        rows = []
    n_captured = len(rows)
    for bundle in (former, reference):
        sample, _ = bundle.held_out
        rows += decode(sample.matrix, bundle.features)
    taken, kept = encoded(rows, reference.features)
    _, both = encoded([rows[number] for number in kept], former.features)
    once = both[first_of_each(taken.matrix[both])]
    captured = once[kept[once] < n_captured]
    chosen = captured[np.linspace(0, len(captured) - 1, min(len(captured), request.rows)).astype(np.intp)]
    filled = once[len(captured) :][: request.rows - len(chosen)]
    source = f"Rows: {len(chosen)} distinct ones that stable answered, {len(filled)} held-out ones of the bundles."
    return Sample(taken.features, taken.matrix[np.concatenate([chosen, filled])]), source


def _send(
    request: ReplayRequest, sample: Sample, bundles: tuple[Reference, Reference], expected: tuple[Identity, Identity]
) -> list[Exchange]:
    """Replies to as many rows as the time allows.

    Raises:
        _MixedError: a connection is answered by others than `expected`.
    """
    rows = decode(sample.matrix, sample.features)
    names = [{feature.name for feature in bundle.features} for bundle in bundles]
    bodies: list[tuple[Row, Row]] = []
    for row in rows:
        ours, theirs = ({name: value for name, value in row.items() if name in known} for known in names)
        bodies.append((ours, theirs))
    until = time.monotonic() + SEND_SECONDS
    shares = [range(first, len(bodies), AT_ONCE) for first in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        send = partial(_send_share, request, bodies, expected, until=until)
        exchanges = [exchange for share in pool.map(send, shares) for exchange in share]
    return _asked_again(request, bodies, exchanges)


def _asked_again(
    request: ReplayRequest, bodies: Sequence[tuple[Row, Row]], exchanges: list[Exchange]
) -> list[Exchange]:
    """The exchanges, of which a few that failed are tried once more: what fails by chance seldom does so twice."""
    failed = [each for each in exchanges if each.stable.status == 200 and each.candidate.status >= 400]
    until = time.monotonic() + ASK_SECONDS
    with Caller(request.candidate_url) as candidate:
        again = {
            each.row
            for each in failed[:_ASKED_AGAIN]
            if time.monotonic() < until and candidate.ask(bodies[each.row][0], until=until).status >= 400
        }
    return [replace(each, again=each.row in again) for each in exchanges]


def _send_share(
    request: ReplayRequest,
    bodies: Sequence[tuple[Row, Row]],
    expected: tuple[Identity, Identity],
    share: range,
    *,
    until: float,
) -> list[Exchange]:
    exchanges = []
    with Caller(request.candidate_url) as candidate, Caller(request.stable_url) as stable:
        _met(candidate, "preview", expected[0])
        _met(stable, "active", expected[1])
        for number in share[:_WARM_UP]:
            if time.monotonic() > until - SEND_SECONDS / 2:
                break
            candidate.ask(bodies[number][0], until=until)
            stable.ask(bodies[number][1], until=until)
        for number in share:
            if time.monotonic() > until:
                break
            ours, theirs = bodies[number]
            if (number // AT_ONCE) % 2:
                reply = candidate.ask(ours, until=until)
                exchanges.append(Exchange(number, reply, stable.ask(theirs, until=until)))
            else:
                former = stable.ask(theirs, until=until)
                exchanges.append(Exchange(number, candidate.ask(ours, until=until), former))
    return exchanges


def _met(caller: Caller, name: str, expected: Identity) -> None:
    """A service spreads connections over its pods, and keeps each with one: so each is asked who answers."""
    try:
        found = caller.identity()
    except NotReached:
        return  # its replies will tell
    if found != expected:
        raise _MixedError(f"several versions answer as the {name}: see its service's selector, or wait for its rollout")
