"""A table that nobody prepared becomes a served model: `mainline new`, one commit, one merge, and no other edit."""

import csv
import json
import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from models.release import read_release, release_path
from models.spec import load_spec
from pipelines import forge, lineage
from pipelines.demo_world import APPROVER, AUTHOR, ask
from pipelines.serve import serve
from tests.loop.loop import PATIENCE_SECONDS, Loop

pytestmark = pytest.mark.slow

NEW = "rents"
DISTRICTS = ("Altstadt", "am Ring", "Süd/Ost", "hills, the")


def messy_table(path: Path) -> None:
    """400 flats: numbers with three spellings of missing, texts with a comma, a date in German, a constant, an id."""
    draw = random.Random(20240229)  # noqa: S311  (a table, no secret)
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "Area (m2)", "rooms", "district", "balcony", "listed on", "country", "rent"])
        for number in range(400):
            area, rooms = draw.uniform(20, 140), draw.randint(1, 6)
            district, balcony = draw.randrange(4), draw.random() < 0.5
            day = date(2021, 3, 1) + timedelta(days=draw.randrange(900))
            rent = 180 + 9 * area + 45 * rooms + 110 * district + 60 * balcony + draw.gauss(0, 40)
            missing = draw.random()
            table.writerow(
                [
                    f"F-{number:05d}",
                    "NA" if missing < 0.05 else f"{area:.1f}",
                    "" if 0.05 < missing < 0.1 else rooms,
                    "n/a" if 0.1 < missing < 0.15 else DISTRICTS[district],
                    "yes" if balcony else "no",
                    "" if 0.15 < missing < 0.18 else day.strftime("%d.%m.%Y"),
                    "DE",
                    f"{rent:.2f}",
                ]
            )


def test_new_table_trains_is_registered_and_served_without_another_edit(loop: Loop, tmp_path: Path) -> None:
    world, table = loop.world, tmp_path / "flats export.csv"
    messy_table(table)
    before = table.read_bytes()
    made = loop.mainline("new", NEW, "--task", "regression", "--target", "rent", "--data", str(table))
    assert made.returncode == 0, made.stdout + made.stderr
    assert table.read_bytes() == before
    features = {feature.name: feature.dtype for feature in load_spec(world.clone / "models" / NEW).features}
    assert features == {
        "Area (m2)": "float", "rooms": "integer", "district": "category", "balcony": "category", "listed on": "date",
    }  # fmt: skip
    assert "id: left out" in made.stdout
    commit = loop.commit(f"models: add {NEW}")
    push = loop.start_push(commit, "main")
    code = push.wait(timeout=PATIENCE_SECONDS)
    said = (loop.stage.log.parent / f"push-{commit[:12]}.log").read_text()
    assert code == 0, said

    (version,) = loop.versions(NEW)
    assert version.tags[lineage.COMMIT] == commit, said
    (proposal,) = forge.open_proposals(world.origin)
    assert (proposal.branch, proposal.draft) == (f"propose/staging/{NEW}/1", False), proposal.body
    forge.merge(world.origin, proposal.branch, APPROVER)
    world.pull(loop.stage)
    release = read_release(world.clone / release_path("staging", NEW))
    assert (release.digest, release.commit) == (version.digest, commit)

    golden = json.loads((Path(release.uri.removeprefix("file://")) / "golden.json").read_bytes())
    server = serve(world.clone, "staging", NEW, home=tmp_path / "serving")
    try:
        answer = ask(server.url, golden["rows"][0])
        walk = loop.mainline("lineage", release.digest, "--json")
        from_server = loop.mainline("lineage", server.url, "--json")
    finally:
        assert server.stop() == 0
    assert answer["digest"] == release.digest
    predictions = answer["predictions"]
    assert isinstance(predictions, list)
    expected = {name: values[0] for name, values in golden["outputs"].items()}
    assert predictions == [pytest.approx(expected, rel=1e-4)]

    assert walk.returncode == 0, walk.stderr
    told = json.loads(walk.stdout)
    assert told["commit"] == commit
    assert told["version"] == f"{NEW} 1"
    assert told["staging approved by"].startswith(APPROVER)
    assert told["staging commit"].startswith(loop.git("rev-parse", "HEAD"))
    assert AUTHOR[0] not in told["staging approved by"]
    assert json.loads(from_server.stdout).items() >= told.items()
