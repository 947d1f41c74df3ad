"""The online gates of a new model: as the shipped ones have them, until its own traffic says otherwise."""

# Rows that repeat say little; a table of thirty distinct rows is the least that a test of a distribution is worth.
MOST_DISTINCT = 100
LEAST_DISTINCT = 30


def online_yaml(n_rows: int) -> str:
    """The lines of gates.yaml's `online`.

    Args:
        n_rows: of the first table: a held-out part of it is replayed, so no more distinct rows can be asked for.
    """
    return _ONLINE.format(distinct=min(MOST_DISTINCT, max(LEAST_DISTINCT, n_rows // 8)))


_ONLINE = """\
  online:
    scrape:
      settle: 30s
      max_age_seconds: 60
      retries: 210
      reason: >-
        two scrapes 15 s apart until new pods are targets with a rate; four without a sample are no signal; what does
        not answer is asked again every 10 s, for 35 minutes
    samples:
      min_requests: 500
      min_rows: 500
      interval: 15s
      count: 120
      reason: >-
        what drift and errors need; 15 s x 120 = 30 minutes, enough above 1.2 requests a second
    storm:
      max_ratio: 0.05
      min_failures: 5
      max_p90_seconds: 0.1
      min_requests: 20
      max_restarts: 0
      window: 1m
      interval: 10s
      reason: >-
        shares and seconds; five failures of less than a hundred are no accident, and one in ten this slow is seen
        by every caller; what restarts again and again never has enough samples to be judged by
    errors:
      max_ratio: 0.005
      min_requests: 500
      min_failures: 5
      window: 30m
      max_refused_excess: 0.02
      refused_deviations: 3
      compare_window: 30m
      stable_window: 1h
      interval: 15s
      count: 140
      successes: 21
      reason: >-
        shares; a healthy server fails one request in a thousand, so three of 500 may be chance and are waited on,
        five are not; refusals are the callers' until this version refuses 2 in 100 more than stable in the same
        half hour, three standard errors away from that: 500 requests can tell; 21 looks are the 5 minutes that memory
        takes: after a blue-green switch nothing goes unwatched meanwhile
    latency:
      max_p99_seconds: 0.1
      max_ratio_to_stable: 2.0
      floor_seconds: 0.025
      min_requests: 200
      window: 10m
      stable_window: 1h
      interval: 15s
      count: 140
      successes: 21
      reason: >-
        seconds; an answer takes 1 to 5 ms, so 100 ms is a caller's patience and no noise; twice stable's p99, of
        which less than 25 ms is a pause of the node; 200 requests hold two beyond their p99
    saturation:
      max_restarts: 0
      max_memory_bytes: 450000000
      memory_window: 5m
      memory_horizon_seconds: 900
      max_in_flight: 64
      min_requests: 200
      window: 30m
      interval: 15s
      count: 140
      successes: 21
      reason: >-
        bytes a pod, 15 minutes ahead of a trend of 5: its limit is 536870912; less than 5 minutes cannot tell a
        leak from warming up; 64 requests in flight at one pod wait longer than they are computed
    half:
      window: 5m
      min_requests: 200
      reason: >-
        a canary with half of the traffic is asked about that half alone: the pause before is as long as the window;
        200 requests in it, from 1.4 a second, hold two beyond their p99, and one in twenty that fails is no 0 of them
    inputs:
      min_rows: 500
      min_distinct_rows: {distinct}
      max_distance: 0.2
      alpha: 0.001
      window: 30m
      interval: 30s
      count: 60
      reason: >-
        standard deviations (numbers) or Jensen-Shannon distance (categories); 0.2 of either is what a person would
        call moved, and a test that is wrong in one look of a thousand must agree
    predictions:
      min_rows: 500
      min_distinct_rows: {distinct}
      max_beyond_announced: 0.1
      max_announced: 0.5
      max_announced_shift: 0.25
      alpha: 0.001
      window: 30m
      interval: 30s
      count: 60
      reason: >-
        standard deviations of stable's answers; what the held-out rows announce may differ, a tenth beyond may not;
        beyond 0.5, or 0.25 on average, a person has to raise the limit
    replay:
      rows: 300
      min_distinct_rows: {distinct}
      max_beyond_announced: 0.1
      max_announced: 0.5
      max_announced_shift: 0.25
      alpha: 0.001
      max_error_ratio: 0.01
      max_latency_ratio: 3.0
      latency_floor_seconds: 0.025
      interval: 30s
      count: 20
      reason: >-
        standard deviations of stable's answers, as for predictions; three rows may fail that stable answers, one in
        a thousand does anyway; latency of a preview without load is noisy, so three times, of no less than 25 ms
"""
