"""A program in kubectl's place, which answers as a cluster did that a test describes."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pipelines.cluster.kubectl import Kubectl

_PROGRAM = """\
#!{python}
import json, sys
arguments = sys.argv[1:]
words = [each for each in arguments if not each.startswith("-")]
answers = json.loads({answers!r})
for key, answer in answers.items():
    if all(part in arguments for part in key.split()):
        if answer.get("error"):
            sys.exit(answer["error"])
        sys.stdout.write(answer["text"])
        sys.exit(0)
sys.exit("nothing is known of " + " ".join(arguments))
"""


def answering(folder: Path, answers: Mapping[str, object]) -> Kubectl:
    """A Kubectl whose answers are known: by words that its arguments hold, the first that fits.

    Args:
        answers: text, or a list of objects, or an exception's text as `{"error": ...}`.
    """
    known = {key: _answer(value) for key, value in answers.items()}
    program = folder / "kubectl"
    program.write_text(_PROGRAM.format(python=sys.executable, answers=json.dumps(known)))
    program.chmod(0o755)
    return Kubectl(None, str(program))


def _answer(value: object) -> object:
    if isinstance(value, list):
        return {"text": json.dumps({"items": value})}
    return value if isinstance(value, dict) else {"text": value}
