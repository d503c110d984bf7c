"""findings.json: what every topic found, assembled, written, and read back through the same types."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from scalestudy.errors import UserError
from scalestudy.files import write_text
from scalestudy.findings.model import Grid, Record
from scalestudy.findings.study import Study, load_study
from scalestudy.results.collect import start_command_of
from scalestudy.results.made import Made, source_of_findings
from scalestudy.topics import TOPICS
from scalestudy.topics.cost.find import Cost
from scalestudy.topics.data_size.find import DataSize
from scalestudy.topics.errors.find import Errors
from scalestudy.topics.expectation.find import Expectation
from scalestudy.topics.limits.find import Limits
from scalestudy.topics.model_size.find import ModelSize
from scalestudy.topics.overfitting.find import Overfitting
from scalestudy.topics.recipes.find import Recipes
from scalestudy.topics.reference.find import Reference
from scalestudy.topics.setup.find import Setup
from scalestudy.topics.steps.find import Steps
from scalestudy.topics.weights.find import Weights

VERSION: Literal[2] = 2
SCHEMA_FILE = Path("docs/findings.schema.json")


class Findings(Record):
    """All findings of a study: its grid, and a field for each topic that finds something of its own."""

    version: Literal[2] = VERSION
    study: str
    title: str
    description: str
    grid: Grid
    setup: Setup
    limits: Limits
    expectation: Expectation
    data_size: DataSize
    model_size: ModelSize
    steps: Steps
    weights: Weights
    recipes: Recipes
    errors: Errors
    reference: Reference
    cost: Cost
    overfitting: Overfitting


def find_all(study: Study) -> Findings:
    """Return the findings of a collected study.

    The same files give the same findings: nothing is drawn at random but with a fixed seed, and no time of
    day goes in.
    """
    parts = {topic.name: topic.part("find") for topic in TOPICS if topic.name in Findings.model_fields}
    study.compare([pair for part in parts.values() if hasattr(part, "pairs") for pair in part.pairs(study)])
    found = {name: study.once(part.find) for name, part in parts.items()}
    record = study.record
    return Findings.model_validate(
        {
            "study": record["study"],
            "title": record.get("title") or record["study"],
            "description": record.get("description") or "",
            "grid": study.grid,
            **found,
        }
    )


def write_findings(folder: Path) -> Path:
    """Analyse the collected study in `folder` (`results/<study>`) and write its findings.json."""
    path = folder / "findings.json"
    source = source_of_findings(folder)
    write_text(path, findings_text(find_all(load_study(folder))))
    Made.of(folder).add([path], source)
    return path


def findings_text(findings: Findings) -> str:
    """Return findings as JSON with one line per entry of each part.

    Full indentation would put each number of each curve on a line of its own.
    """
    return _lines(findings.model_dump(mode="json"), depth=2) + "\n"


def _lines(value: Any, depth: int, margin: str = "") -> str:
    if not depth or not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    inner = margin + " "
    entries = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {_lines(own, depth - 1, inner)}"
        for key, own in value.items()
    ]
    return "{\n" + ",\n".join(entries) + f"\n{margin}}}"


def read_findings(path: Path) -> Findings:
    """Return the findings in a file; UserError, in one line, where it is cut, mistyped or of another version."""
    try:
        return Findings.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is not there; `{start_command_of(path.parent)}` makes it") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = " ".join(filter(None, (where, first["msg"][:1].lower() + first["msg"][1:])))
        raise UserError(
            f"{path}: not whole findings ({what}); `{start_command_of(path.parent)}` makes them again"
        ) from None


def findings_schema() -> str:
    """Return the JSON schema of findings.json."""
    return json.dumps(Findings.model_json_schema(mode="serialization"), indent=1, ensure_ascii=False) + "\n"
