"""What a check found, for those who read it elsewhere: JUnit XML for a build server, Markdown for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from bench.errors import one_line
from bench.gate.tolerances import TIME
from bench.gate.verdicts import Finding, Verdict
from bench.report.export import Markdown
from bench.report.settings import briefly

SUITE = "phasebench check"
BAD = (Verdict.REGRESSION, Verdict.FAILED, Verdict.MISSING)


def harmless(finding: Finding) -> bool:
    """Whether a finding leaves the exit status at 0. Times are not compared on other hardware, and that is fine."""
    if finding.verdict is Verdict.UNCOMPARED:
        return finding.metric == TIME.name
    return finding.verdict not in BAD


def counted(findings: Sequence[Finding]) -> str:
    """How many verdicts there are of each kind, in words."""
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


def junit(findings: Sequence[Finding], about: str) -> str:
    """JUnit XML with a test case for each finding: a regression is a failure, what could not be judged an error.

    What is inconclusive, and times on other hardware, are skipped tests, which do not fail a build.

    Args:
        about: what was compared with what.
    """
    suite = ET.Element("testsuite", name=SUITE, tests=str(len(findings)))
    counts: Counter[str] = Counter()
    for finding in findings:
        case = ET.SubElement(suite, "testcase", classname=one_line(finding.solver), name=one_line(_name(finding)))
        kind = _kind(finding)
        counts[kind] += 1
        if kind:
            part = ET.SubElement(case, kind, type=str(finding.verdict), message=one_line(finding.words))
            part.text = one_line(finding.words)
        else:
            ET.SubElement(case, "system-out").text = one_line(finding.words)
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(counts[kind]))
    properties = ET.Element("properties")
    ET.SubElement(properties, "property", name="compared", value=one_line(about))
    suite.insert(0, properties)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ("<?xml version='1.0' encoding='utf-8'?>\n", "\n")
    )


def markdown(findings: Sequence[Finding], about: str) -> str:
    """A summary for a pull request: what fails it at first, and what passed folded away."""
    bad = [finding for finding in findings if not harmless(finding)]
    good = [finding for finding in findings if finding.verdict is Verdict.PASS]
    rest = [finding for finding in findings if finding not in bad and finding not in good]
    parts = [f"### {SUITE}: {counted(findings)}", Markdown.text(about)]
    parts += [_table(part, findings) for part in (bad, rest) if part]
    if good:
        parts.append(f"<details><summary>{len(good)} passed</summary>\n\n{_table(good, findings)}\n</details>")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _kind(finding: Finding) -> str:
    """The element of JUnit that a verdict is; empty for a pass."""
    if finding.verdict is Verdict.REGRESSION:
        return "failure"
    if not harmless(finding):
        return "error"
    return "" if finding.verdict is Verdict.PASS else "skipped"


def _name(finding: Finding) -> str:
    where = f" on {finding.problem.briefly()}" if finding.problem is not None else ""
    return f"{finding.metric or 'rows'}{where}"


def _table(part: Sequence[Finding], all_of_them: Sequence[Finding]) -> str:
    words = briefly(finding.problem for finding in all_of_them if finding.problem is not None)
    lines = [
        [
            f"**{finding.verdict}**" if not harmless(finding) else str(finding.verdict),
            Markdown.label(finding.solver),
            Markdown.text(words[finding.problem] if finding.problem is not None else ""),
            finding.metric,
            Markdown.text(finding.words),
        ]
        for finding in part
    ]
    return Markdown.table(["verdict", "solver", "problem", "metric", ""], [False] * 5, lines)
