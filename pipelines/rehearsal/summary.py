"""The rehearsal in Markdown, short enough for a comment on the pull request."""

from pipelines.rehearsal.record import Gate, Rehearsal, Version

SIGNS = {"promoted": "✅", "aborted": "❌", "paused": "⏸️", "nothing": "⚪"}
_VERDICTS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "⏸️ inconclusive", "error": "❌ error"}


def summary(rehearsal: Rehearsal) -> str:
    """A heading with the ending, the reason, a table of the gates, and how to repeat it."""
    head, base = rehearsal.head, rehearsal.base
    lines = [
        f"### {SIGNS[rehearsal.ending]} Rehearsal: {title(rehearsal)}",
        "",
        _cell(rehearsal.reason),
        "",
    ]
    if rehearsal.gates:
        lines += ["| gate | where | verdict | value | rule |", "|---|---|---|---|---|"]
        lines += [_row(gate) for gate in rehearsal.gates]
        lines.append("")
    stable = f"version {base.version} (`{base.digest[:19]}`, `{base.commit[:10]}`)"
    if rehearsal.strategy != "first":
        lines.append(
            f"Stable: {stable}, candidate: version {head.version} (`{head.digest[:19]}`, `{head.commit[:10]}`)."
        )
    if (traffic := rehearsal.traffic) is not None:
        sent, errors = sum(traffic.sent.values()), sum(traffic.errors.values())
        lines.append(
            f"{sent:,} requests, {errors:,} of them failed; {traffic.source}, {traffic.rate:g} a second, "
            f"seed {traffic.seed}; {rehearsal.strategy}, {rehearsal.seconds:.0f} s; Prometheus {rehearsal.prometheus}."
        )
    lines += [_cell(note) for note in rehearsal.notes]
    lines += ["", f"Repeat it: `{repeat(rehearsal)}`"]
    return "\n".join(lines) + "\n"


def title(rehearsal: Rehearsal) -> str:
    """What was rehearsed and how it ended."""
    ended = {"nothing": "nothing to rehearse"}.get(rehearsal.ending, rehearsal.ending)
    return f"{rehearsal.model} {rehearsal.head.version} for {rehearsal.environment}: {ended}"


def repeat(rehearsal: Rehearsal) -> str:
    """The command that rehearses the same again."""
    words = [f"mainline rehearse {rehearsal.model} --env {rehearsal.environment}"]
    words.append(f"--base {rehearsal.base.commit[:12]} --head {rehearsal.head.commit[:12]}")
    if (traffic := rehearsal.traffic) is not None:
        words.append(f"--rate {traffic.rate:g} --seed {traffic.seed}")
    return " ".join(words)


def _version(version: Version) -> str:
    return f"version {version.version} (`{version.digest[:19]}`, `{version.commit[:10]}`)"


def _row(gate: Gate) -> str:
    name = f"**{gate.name}**" if gate.decided else gate.name
    cells = (name, gate.where, _VERDICTS.get(gate.verdict, gate.verdict), gate.value, gate.rule)
    return "| " + " | ".join(_cell(cell) or " " for cell in cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
