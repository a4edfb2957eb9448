"""Where the numbers come from: commands, code, machine, and the hashes of data, measurements, weights and tables."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from bench.errors import one_line, visible
from bench.report.page.content import Content
from bench.report.page.runs import Run


def provenance(content: Content) -> dict[str, Any]:
    """For each run what its manifest says."""
    return {"heading": "Where the numbers come from", "runs": [_run(run) for run in content.runs]}


def _run(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "name": run.name,
        "command": _command(manifest),
        "sweep": _toml(manifest.get("sweep")),
        "facts": _facts(manifest),
        "hashes": _hashes(run),
        "manifest": visible(json.dumps(manifest, indent=2, ensure_ascii=False)),
    }


def _command(manifest: dict[str, Any]) -> str:
    """The commands that repeat a run; of a merged one, at first those of the runs that it is of.

    Empty where the manifest does not have them.
    """
    if not _argv(manifest):
        return ""
    lines: list[str] = []
    here = ""
    for commit, command in _steps(manifest):
        there = commit or here
        if there != here:
            lines.append(f"git checkout {shlex.quote(there)}")
        if there != here or not lines:
            lines.append("make install")
        lines.append(command)
        here = there
    return visible("\n".join(lines))


def _steps(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The commands, in their order, each with the commit that it ran with; empty where that is not known."""
    merged = manifest.get("merged")
    for source in merged if isinstance(merged, list) else []:
        yield from _steps(_mapping(source))
    commit, given = str(manifest.get("commit") or "").removesuffix("-dirty"), _argv(manifest)
    if given:
        yield commit, f".venv/bin/python -m bench {shlex.join(given)}"
    else:
        yield commit, f"# the command that made {one_line(str(manifest.get('folder')))} is not known"


def _argv(manifest: dict[str, Any]) -> list[str]:
    given = manifest.get("argv")
    return [*map(str, given)] if isinstance(given, list) else []


def _toml(sweep: Any) -> str:
    """The options of a sweep as a file that `bench run --config` reads; a list of JSON is one of TOML."""
    if not isinstance(sweep, dict):
        return ""
    return visible("\n".join(f"{name} = {json.dumps(value)}" for name, value in sweep.items() if value is not None))


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    commit = str(manifest.get("commit") or "not known")
    facts = [
        (
            "code",
            commit.removesuffix("-dirty") + " and changes since that were not committed" * commit.endswith("-dirty"),
        )
    ]
    if "python" in manifest:
        versions = {"Python": manifest["python"], **_mapping(manifest.get("packages"))}
        facts.append(("packages", ", ".join(f"{name} {version}" for name, version in versions.items())))
    facts += [(name, str(value)) for name, value in _mapping(manifest.get("machine")).items()]
    data = _mapping(manifest.get("data"))
    if data:
        facts.append(("data", f"{data.get('name')}, {data.get('split')} split, from {data.get('source')}"))
    return [(name, visible(value)) for name, value in facts]


def _hashes(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    data = _mapping(manifest.get("data"))
    found = {"data": data["sha256"]} if "sha256" in data else {}
    found |= {f"measurements: {name}": value for name, value in _mapping(manifest.get("measurements")).items()}
    found |= {f"weights: {name}": value for name, value in _mapping(manifest.get("weights")).items()}
    found |= _mapping(manifest.get("files")) | {"manifest.json": run.manifest_sha256}
    return [(visible(str(name)), visible(str(value))) for name, value in found.items()]


def _mapping(value: Any) -> dict[str, Any]:
    """A part of a manifest, which is read as it is: nothing vouches for its form."""
    return value if isinstance(value, dict) else {}
