"""Writes docs/results.md: what papers claim beside what was measured here, and everything else that was measured.

python bench/ledger.py [--check]

The claims stand in bench/claims/, a file for each system, and say which line of which file in bench/results/ is theirs. `same`
is the published experiment; `near` is the nearest that was affordable, and `where` and the table's `note` say how it differs. A
claim that names no file, or one that is not there, has its row all the same. With --check nothing is written, and a page that
would change is an error.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import yaml
from kept import (
    BENCH,
    RESULTS,
    command_of,
    date_of,
    device_of,
    has_goal,
    lines_of,
    machine_of,
    measured,
    number,
    pattern,
    programs,
)
from pydantic import BaseModel, ConfigDict

CLAIMS, PAGE = BENCH / "claims", BENCH.parent / "docs" / "results.md"
MISSING = "not yet measured"

HEAD = """\
# Results

What the papers claim, beside what was measured here, and at what cost. *Written by `python bench/ledger.py` from
`bench/claims/` and `bench/results/`; change those, not this page.*

A row has two columns of ours. **Ours** is the published experiment, done again; most of those take days of GPUs and are not
yet measured. **Ours, elsewhere** is the nearest that was affordable, on other data, at another size or by another metric, as
its row says. Such a figure can bear out the order of things, and never the level. Figures are those of one training each unless
a row says another thing; rivals that papers measure beside their own method are left out. [The last
section](#what-was-measured-and-how) gives the command, device and date of every file that figures come from, and
`bench/WANTED.md` lists the runs that would fill the empty rows.
"""


class Part(BaseModel):
    """What stands in a file of claims; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(Part):
    """One number of one line.

    Attributes:
        file: name of the file in bench/results, without its ending.
        line: the line's name; a * stands for anything.
        peer: the same of its peer, where several lines have one name.
        field: which number: ours, the peer's, their ratio, or what the * of the name stands for.
        say: words around it.
    """

    file: str
    line: str
    peer: str | None = None
    field: Literal["ours", "peer", "ratio", "*"] = "ours"
    say: str = "{}"

    def lines(self) -> list[dict[str, Any]]:
        """The lines that are meant: exactly one, or the claim is mistaken."""
        return [
            line
            for line in lines_of(self.file)
            if pattern(self.line).fullmatch(line["name"])
            and (self.peer is None or pattern(self.peer).fullmatch(line["peer_name"] or ""))
        ]

    def told(self) -> str | None:
        """The number in its words; None where the file is not there."""
        if not measured(self.file):
            return None
        found = self.lines()
        if len(found) != 1:
            of = f" of {self.peer!r}" if self.peer else ""
            sys.exit(
                f"bench/claims: {self.line!r}{of} is {len(found)} lines of results/{self.file}.jsonl; it must be one."
            )
        if self.field == "*":
            match = pattern(self.line).fullmatch(found[0]["name"])
            assert match is not None
            return self.say.format(match[1])
        return self.say.format(number(found[0][self.field]))


class Claim(Part):
    """One row."""

    what: str
    published: str
    same: tuple[Figure, ...] = ()
    near: tuple[Figure, ...] = ()
    where: str | None = None
    steps: str | Figure | None = None
    cost: tuple[Figure, ...] = ()


class Table(Part):
    """Rows of one table of a paper; `where` and `steps` are those of rows that name none, `note` tells more of `near`."""

    title: str
    source: str
    measures: str
    note: str | None = None
    where: str | None = None
    steps: str | None = None
    claims: tuple[Claim, ...]


class System(Part):
    """What is claimed of one system."""

    title: str
    paper: str
    about: str
    tables: tuple[Table, ...]


class Contest(Part):
    """Lines of one file that stand beside a peer or a goal."""

    title: str
    file: str
    lines: tuple[str, ...]


class Contests(Part):
    """All of them."""

    title: str
    about: str
    tables: tuple[Contest, ...]


# -- the page ---------------------------------------------------------------------------------------------------------


def row(cells: Iterable[str]) -> str:
    bar = "\\|"
    return f"| {' | '.join(cell.replace('|', bar) for cell in cells)} |"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [row(heads), f"|{'---|' * len(heads)}", *map(row, rows), ""]


def told(figures: Iterable[Figure]) -> str:
    """Figures side by side; nothing where their files are not there."""
    return " / ".join(text for text in (figure.told() for figure in figures) if text is not None)


def claim_row(claim: Claim, whole: Table) -> list[str]:
    """The cells of a claim."""
    ours, elsewhere = told(claim.same), told(claim.near)
    steps, where = claim.steps or whole.steps, claim.where or whole.where
    used = [figure.file for figure in (*claim.same, *claim.near) if measured(figure.file)]
    if elsewhere and not where:
        sys.exit(f"bench/claims: {claim.what!r} has a figure of another experiment, and does not say which (where).")
    spent = [] if not elsewhere else [told([steps]) if isinstance(steps, Figure) else steps or "", told(claim.cost)]
    return [
        claim.what,
        claim.published,
        ours or MISSING,
        f"{elsewhere} *({where})*" if elsewhere else "",
        "; ".join(part for part in spent if part),
        ", ".join(f"`{file}`, {date_of(file)}" for file in dict.fromkeys(used)),
    ]


def claims_of(system: System) -> list[str]:
    """The section of a system."""
    text = [f"## {system.title}", "", system.about, "", f"*{system.paper}.*", ""]
    heads = ["claim", "published", "ours", "ours, elsewhere", "steps, cost", "measured"]
    for part in system.tables:
        rows = [claim_row(claim, part) for claim in part.claims]
        filled = [i for i in range(len(heads)) if i < 3 or any(cells[i] for cells in rows)]
        text += [f"### {part.title}", "", f"*{part.source}: {part.measures}.*", ""]
        text += [f"Ours, elsewhere: {part.note}.", ""] if part.note and any(cells[3] for cells in rows) else []
        text += table([heads[i] for i in filled], [[cells[i] for i in filled] for cells in rows])
    return text


def contest_row(line: dict[str, Any]) -> list[str]:
    """The cells of a line beside a peer or a goal."""
    verdict = {True: "yes", False: "**no**", None: ""}[line["holds"]] if has_goal(line) else ""
    beside = f"{number(line['peer'])}, {line['peer_name']}" if line["peer_name"] else ""
    ratio = "" if line["ratio"] is None else number(line["ratio"])
    goal = line["goal"] if has_goal(line) else ""
    unit = line["unit"].removesuffix("1 is yes")
    return [line["name"], f"{number(line['ours'])} {unit}".strip(), beside, ratio, goal, verdict]


def contests_of(contests: Contests) -> list[str]:
    """The section beside peers."""
    text = [f"## {contests.title}", "", contests.about, ""]
    for part in contests.tables:
        chosen = [
            line for line in lines_of(part.file) if any(pattern(name).fullmatch(line["name"]) for name in part.lines)
        ]
        text += [f"### {part.title}", ""]
        if not measured(part.file):
            text += [f"*`{part.file}`: {MISSING}.*", ""]
            continue
        text += [f"*`{part.file}`, {date_of(part.file)}, {device_of(part.file)}.*", ""]
        text += table(["what", "ours", "peer", "ratio", "goal", "holds"], map(contest_row, chosen))
    return text


def measurements() -> list[str]:
    """The last section: every file of results, and every program without one."""
    files = sorted(path.stem for path in RESULTS.glob("*.jsonl"))
    rows = []
    for file in files:
        goals = [line["holds"] for line in lines_of(file) if has_goal(line) and line["holds"] is not None]
        held = f"{sum(goals)} of {len(goals)}"
        rows.append(
            [
                f"`{file}`",
                f"`{command_of(file)}`",
                device_of(file),
                date_of(file),
                str(machine_of(file)["commit"]),
                held,
            ]
        )
    text = [
        "## What was measured, and how",
        "",
        "Every file in `bench/results/`: its command, in which folders have but the last part of their names; the machine; the "
        "day; the commit; how many of the lines that are held to a goal reach it.",
        "",
        *table(["file", "command", "device", "date", "commit", "goals"], rows),
    ]
    without = sorted(set(programs()) - {machine_of(file)["program"] for file in files})
    if without:
        names = ", ".join(f"`{name}`" for name in without)
        text += [f"Without results so far: {names}; `bench/WANTED.md` has their commands.", ""]
    return text


def systems() -> list[System]:
    """The nine, in the order of their files."""
    paths = sorted(path for path in CLAIMS.glob("*.yaml") if path.stem != "speed")
    return [System.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths]


def contests() -> Contests:
    return Contests.model_validate(yaml.safe_load((CLAIMS / "speed.yaml").read_text(encoding="utf-8")))


def page() -> str:
    """The whole page."""
    text = [HEAD]
    for system in systems():
        text += claims_of(system)
    return "\n".join([*text, *contests_of(contests()), *measurements()]).rstrip() + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="write nothing; a page that would change is an error")
    wanted = page()
    if not arguments.parse_args().check:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.exit("docs/results.md is not what bench/results/ and bench/claims/ say today: run python bench/ledger.py.")


if __name__ == "__main__":
    main()
