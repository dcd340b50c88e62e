"""The worked examples for GitHub Actions and GitLab parse, keep to the servers' rules, and their gates pass and fail.

They are held against the schemas that are published for both, `github-workflow.json` of SchemaStore and `ci.json` of
GitLab, as the package check-jsonschema has them; and against rules of our own, few and stricter: which keys there are,
which of them are needed and of what kind.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixelgauge.cli import main
from tests.docs.pages import DOCS, blocks
from tests.pictures import random_pixels

yaml = pytest.importorskip("yaml", reason="PyYAML, of the test extra, is not installed")
jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")

PAGE = DOCS / "how-to/continuous-integration.md"
TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT, "minItems": 1}


def mapping(properties: dict[str, Any], *needed: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed), "additionalProperties": False, **more}


STEP = mapping(
    {
        **dict.fromkeys(("id", "if", "name", "shell", "working-directory"), TEXT),
        "uses": {"type": "string", "pattern": r"^[\w.-]+/[\w./-]+@[\w.-]+$"},
        "run": TEXT,
        "with": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "env": {"type": "object"},
        "continue-on-error": {"type": "boolean"},
        "timeout-minutes": {"type": "number"},
    },
    oneOf=[{"required": ["uses"]}, {"required": ["run"]}],
)
ACCESS = {"type": "object", "additionalProperties": {"enum": ["read", "write", "none"]}}
GITHUB_JOB = mapping(
    {
        **dict.fromkeys(("name", "if"), TEXT),
        "runs-on": TEXT,
        "needs": {"anyOf": [TEXT, TEXTS]},
        "permissions": ACCESS,
        "env": {"type": "object"},
        "defaults": {"type": "object"},
        "strategy": {"type": "object"},
        "timeout-minutes": {"type": "number"},
        "steps": {"type": "array", "items": STEP, "minItems": 1},
    },
    "runs-on",
)
GITHUB = mapping(
    {
        "name": TEXT,
        "on": {"type": "array", "items": {"enum": ["push", "pull_request", "workflow_dispatch"]}, "minItems": 1},
        "permissions": ACCESS,
        "env": {"type": "object"},
        "concurrency": TEXT,
        "jobs": {
            "type": "object",
            "patternProperties": {r"^[_a-zA-Z][\w-]*$": GITHUB_JOB},
            "additionalProperties": False,
        },
    },
    "on",
    "jobs",
)
GITLAB_JOB = mapping(
    {
        **dict.fromkeys(("image", "stage", "timeout", "extends", "coverage"), TEXT),
        **dict.fromkeys(("script", "before_script", "after_script", "tags", "needs"), TEXTS),
        **{key: {"type": "object"} for key in ("variables", "cache", "environment")},
        "rules": {"type": "array"},
        "allow_failure": {"type": "boolean"},
        "artifacts": mapping(
            {
                "name": TEXT,
                "paths": TEXTS,
                "exclude": TEXTS,
                "when": {"enum": ["on_success", "on_failure", "always"]},
                "expire_in": TEXT,
                "reports": mapping({"junit": {"anyOf": [TEXT, TEXTS]}}),
            }
        ),
    },
    "script",
)
GITLAB = {
    "type": "object",
    "properties": {"stages": TEXTS, "variables": {"type": "object"}},
    "additionalProperties": GITLAB_JOB,
}
RULES = {".github/workflows/pictures.yml": GITHUB, ".gitlab-ci.yml": GITLAB}


class _Loader(yaml.SafeLoader):
    """YAML 1.2, in which `on` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def example(name: str) -> Any:
    (found,) = (block for block in blocks(PAGE) if block.file == name)
    assert found.language == "yaml"
    return yaml.load(found.text, _Loader)  # a SafeLoader


def command_of(name: str) -> list[str]:
    """Words of the one command of pixelgauge."""
    job = example(name)
    job = job["jobs"]["pictures"] if "jobs" in job else job["pictures"]
    lines = job["script"] if "script" in job else [step["run"] for step in job["steps"] if "run" in step]
    (command,) = (line for line in lines if line.startswith("pixelgauge "))
    return shlex.split(command)[1:]


@pytest.mark.parametrize("name", RULES)
def test_examples_keep_to_the_rules(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(RULES[name])
    jsonschema.validate(example(name), RULES[name])


WRONG: list[tuple[str, Any]] = [
    (".github/workflows/pictures.yml", lambda found: found["jobs"]["pictures"].pop("runs-on")),
    (".github/workflows/pictures.yml", lambda found: found["jobs"]["pictures"]["steps"][0].update(run="both")),
    (".github/workflows/pictures.yml", lambda found: found["jobs"]["pictures"].update(script=["of the other"])),
    (".github/workflows/pictures.yml", lambda found: found.update({True: found.pop("on")})),
    (".gitlab-ci.yml", lambda found: found["pictures"].update(steps=[])),
    (".gitlab-ci.yml", lambda found: found["pictures"]["artifacts"].update(when="never")),
    (".gitlab-ci.yml", lambda found: found["pictures"]["artifacts"]["reports"].update(junit=3)),
]


STRICTER: list[tuple[str, Any]] = [(".gitlab-ci.yml", lambda found: found["pictures"].pop("script"))]
"""What the published schema lets pass: a job may have its script of another, which the example has not."""


@pytest.mark.parametrize(("name", "wrong"), WRONG + STRICTER)
def test_the_rules_see_what_is_wrong(name: str, wrong: Any) -> None:
    found = example(name)
    wrong(found)
    assert not jsonschema.Draft202012Validator(RULES[name]).is_valid(found)


# ---- the published schemas --------------------------------------------------------------------------------------------

PUBLISHED = {".github/workflows/pictures.yml": "github-workflows", ".gitlab-ci.yml": "gitlab-ci"}
published = pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None,
    reason="check-jsonschema, of the test extra, which has the published schemas, is not installed",
)


def schema_of(name: str) -> Any:
    """Validator of the schema that is published for a file."""
    folder = importlib.resources.files("check_jsonschema.builtin_schemas") / "vendor"
    schema = json.loads((folder / f"{PUBLISHED[name]}.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


@published
@pytest.mark.parametrize("name", PUBLISHED)
def test_examples_keep_to_the_published_schema(name: str, tmp_path: Path) -> None:
    schema_of(name).validate(example(name))
    (found,) = (block for block in blocks(PAGE) if block.file == name)
    (tmp_path / "example.yml").write_text(found.text)
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{PUBLISHED[name]}", "example.yml"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)  # by YAML of its own too
    assert done.returncode == 0, done.stdout + done.stderr


@published
@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_the_published_schema_sees_what_is_wrong(name: str, wrong: Any) -> None:
    found = example(name)
    wrong(found)
    assert not schema_of(name).is_valid(found)


@pytest.mark.parametrize("name", RULES)
def test_the_job_passes_and_fails(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for side in ("expected", "made"):
        (tmp_path / side).mkdir()
        for i in range(3):
            Image.fromarray(random_pixels((32, 32, 3), i)).save(tmp_path / side / f"{i}.png")
    assert main(command_of(name)) == 0
    assert {"current.csv", "pictures.xml"} <= {entry.name for entry in tmp_path.iterdir()}
    (tmp_path / "current.csv").unlink()
    Image.fromarray(random_pixels((32, 32, 3), 9)).save(tmp_path / "made" / "1.png")
    assert main(command_of(name)) == 3
    failed = {case.attrib["name"] for case in ElementTree.parse("pictures.xml").iter("testcase") if len(case)}
    assert failed == {"1.png", "--fail-under ssim=0.9", "--fail-under mean:ssim=0.95"}
    (tmp_path / "current.csv").unlink()
    Image.fromarray(random_pixels((32, 32, 3), 1)).save(tmp_path / "made" / "1.png")
    (tmp_path / "made" / "2.png").unlink()
    assert main(command_of(name)) == 3
