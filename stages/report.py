"""Everything that was found out, on one page: plots/report.html.

python -m stages.report
"""

from pathlib import Path

from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Population
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.core.training_curves import HISTORIES, diagnose_phases
from lacuna.io.atomic import atomic_file, read_json, write_json
from lacuna.io.csv_files import read_csv
from lacuna.reporting.automation import count_answers
from lacuna.reporting.first_screen import conclude_uses, first_screen, page_title
from lacuna.reporting.label_sections import audit_section, data_section, work_section
from lacuna.reporting.page import Page, render_page
from lacuna.reporting.pictures import embed_pictures
from lacuna.reporting.sections import (
    ReportContent,
    again_section,
    attention_section,
    failures_section,
    result_section,
    training_section,
)
from lacuna.reporting.target_facts import advise_all, by_urgency, facts_of
from stages._run import Facts, run

STAGES = ("prepare", "explore", "audit", "baseline", "explain", "validation", "test")
MOST_MISTAKES = 3


def report(params: Params) -> Facts:
    options, targets = params.report, Targets.load(Path("data/predictions/targets.json"))
    contents = {name: read_json(Path(f"metrics/{name}.json")) for name in STAGES}
    validation, test = (Predictions.load(Path(f"data/predictions/{part}.npz")) for part in ("val", "test"))
    calibration = Calibration.load(Path("models/calibration.json"))
    automation = count_answers(
        targets,
        validation,
        test,
        calibration,
        Population.load(Path("data/predictions/population.npz"), targets, params.evaluate),
        params.calibrate,
        options.precision,
        options.certainty,
    )
    known = (contents["prepare"], contents["audit"], contents["test"])
    enough = params.calibrate.min_positives
    facts = {name: facts_of(name, *known, automation[name], enough) for name in targets.names}
    advice = advise_all(facts)
    pictures = embed_pictures(Path("plots"), targets.names, by_urgency(advice))
    found = ReportContent(**contents, bundle=read_json(Path("models/bundle/bundle.json")), pictures=pictures)
    page = Page(
        page_title(targets.names),
        conclude_uses(advice),
        [
            first_screen(found, advice, options.precision, options.certainty),
            work_section(found, facts),
            result_section(found),
            failures_section(found, [said for name in targets.names for said in _mistakes(name)]),
            attention_section(found),
            data_section(found),
            audit_section(found),
            training_section(found, diagnose_phases(HISTORIES)),
            again_section(found, params),
        ],
    )
    text = render_page(page)
    with atomic_file(Path("plots/report.html")) as partial:
        partial.write_text(text, encoding="utf-8")
    shares = {name: answers.share for name, answers in automation.items()}
    write_json(Path("metrics/report.json"), {"answers_by_itself": shares})
    print(f"plots/report.html, {len(text) / 1e6:.1f} MB: {page.conclusion}")
    return {"conclusion": page.conclusion}


def _mistakes(name: str) -> list[str]:
    path = Path(f"plots/confused_pairs/{name}.csv")
    rows = read_csv(path)[:MOST_MISTAKES] if path.is_file() else []
    return [
        f"{name}: {row['actual']} is taken for {row['predicted']} in {row['images']} of {row['of']}" for row in rows
    ]


if __name__ == "__main__":
    run("report", report)
