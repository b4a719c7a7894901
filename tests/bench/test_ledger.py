"""The page of results is what the kept results say, every claim finds its line, and no program is forgotten."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
MACHINE = {
    "program": "digits_quality.py",
    "options": {"threads": "1", "only": "a|b", "out": "x.jsonl", "peers": "site", "data": "../sets/digits"},
    "date": "2026-01-02 03:04 UTC",
    "processor": "CPU",
    "cores": 2,
    "gpu": None,
    "clock": "cpu",
    "threads": 1,
    "commit": "abc",
}


@pytest.fixture
def ledger(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import kept
    import ledger

    kept.content.cache_clear()
    yield ledger
    kept.content.cache_clear()


@pytest.fixture
def kept(ledger, monkeypatch, tmp_path):
    """A folder of results with one file: two lines of one name with two peers, and one alone."""
    import kept

    figures = [
        ("distance", 2.0, 4.0, "before"),
        ("distance", 2.0, 5.0, "nothing"),
        ("training, 70+80 steps", 61.5, None, None),
    ]
    lines = [
        {
            "name": name,
            "ours": ours,
            "peer": peer,
            "peer_name": who,
            "ratio": None,
            "goal": "> 0",
            "holds": True,
            "unit": "s",
        }
        for name, ours, peer, who in figures
    ]
    text = [json.dumps({"machine": MACHINE}), *map(json.dumps, lines)]
    (tmp_path / "small.jsonl").write_text("\n".join(text))
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    return kept


def figures_of(system):
    for table in system.tables:
        for claim in table.claims:
            steps = [claim.steps] if claim.steps and not isinstance(claim.steps, str) else []
            yield from [(claim, figure) for figure in (*claim.same, *claim.near, *claim.cost, *steps)]


def test_the_page_is_what_is_written_today(ledger):
    done = subprocess.run([sys.executable, BENCH / "ledger.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_is_a_section_for_each_system_and_one_beside_peers(ledger):
    systems = ledger.systems()
    assert len(systems) == 9
    page = ledger.page()
    assert all(f"## {part.title}" in page for part in (*systems, ledger.contests()))
    assert page.count(ledger.MISSING) > 100


def test_every_claim_finds_its_line_in_results_that_are_there(ledger):
    for system in ledger.systems():
        for claim, figure in figures_of(system):
            if ledger.measured(figure.file):
                assert len(figure.lines()) == 1, f"{claim.what}: {figure}"


def test_files_that_claims_wait_for_are_told_in_the_list_of_wanted_runs(ledger):
    wanted = (BENCH / "WANTED.md").read_text()
    named = {figure.file for system in ledger.systems() for _, figure in figures_of(system)}
    named |= {part.file for part in ledger.contests().tables}
    for file in named:
        assert ledger.measured(file) or f"results/{file}.jsonl" in wanted, file


def test_every_kind_of_line_beside_peers_is_there(ledger):
    for part in ledger.contests().tables:
        for name in part.lines if ledger.measured(part.file) and "_gpu" not in part.file else ():
            assert any(ledger.pattern(name).fullmatch(line["name"]) for line in ledger.lines_of(part.file)), (
                part.file,
                name,
            )


def test_every_program_has_results_or_is_wanted(ledger):
    wanted = (BENCH / "WANTED.md").read_text()
    run = {ledger.machine_of(path.stem)["program"] for path in ledger.RESULTS.glob("*.jsonl")}
    assert run <= set(ledger.programs())
    assert not [program for program in ledger.programs() if program not in run and f"bench/{program}" not in wanted]


def test_a_figure_elsewhere_says_where(ledger):
    for system in ledger.systems():
        for table in system.tables:
            for claim in table.claims:
                assert not claim.near or claim.where or table.where, claim.what
                assert not (claim.same and claim.near), claim.what


def test_a_figure_is_told_in_its_words(ledger, kept):
    assert ledger.Figure(file="small", line="distance", peer="before").told() == "2"
    assert ledger.Figure(file="small", line="dist*", peer="noth*", field="peer", say="from {}").told() == "from 5"
    assert ledger.Figure(file="small", line="training, * steps", field="*").told() == "70+80"
    assert ledger.Figure(file="absent", line="distance").told() is None


@pytest.mark.parametrize(("line", "found"), [("distance", 2), ("distances", 0)])
def test_a_claim_that_means_no_line_or_two_is_refused(ledger, kept, line, found):
    with pytest.raises(SystemExit, match=f"is {found} lines of results/small.jsonl; it must be one"):
        ledger.Figure(file="small", line=line).told()


def test_rows_keep_the_published_experiment_and_others_apart(ledger, kept):
    figure = ledger.Figure(file="small", line="distance", peer="before")
    table = ledger.Table(title="t", source="s", measures="m", where="small digits", steps="70", claims=())
    empty = ledger.claim_row(ledger.Claim(what="a", published="1"), table)
    same = ledger.claim_row(ledger.Claim(what="a", published="1", same=(figure,)), table)
    near = ledger.claim_row(ledger.Claim(what="a", published="1", near=(figure,), cost=(figure,)), table)
    absent = ledger.Figure(file="absent", line="distance")
    assert empty == ledger.claim_row(ledger.Claim(what="a", published="1", near=(absent,)), table)
    assert empty == ["a", "1", "not yet measured", "", "", ""]
    assert same == ["a", "1", "2", "", "", "`small`, 2026-01-02"]
    assert near == ["a", "1", "not yet measured", "2 *(small digits)*", "70; 2", "`small`, 2026-01-02"]
    nowhere = table.model_copy(update={"where": None})
    with pytest.raises(SystemExit, match="does not say which"):
        ledger.claim_row(ledger.Claim(what="a", published="1", near=(figure,)), nowhere)


def test_commands_are_told_as_they_were_typed_without_places_of_a_machine(ledger, kept):
    command = "python bench/digits_quality.py --only 'a|b' --peers PEERS --data digits --out bench/results/small.jsonl"
    assert ledger.command_of("small") == command
    assert ledger.device_of("small") == "CPU, 1 of 2 cores, time of the processor"
    assert ledger.row(["`a|b`", "c"]) == r"| `a\|b` | c |"


def test_numbers_are_short(ledger):
    told = [ledger.number(value) for value in (None, 28.0, 0.96951, 1234.5, 5.0, 0.00366, 739.44)]
    assert told == ["none", "28", "0.9695", "1,234", "5", "0.00366", "739.4"]
