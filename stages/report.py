"""Everything that was found out, on one page: plots/report.html.

python -m stages.report
"""

from pathlib import Path

from lacuna.calibration import Calibration
from lacuna.config import Params
from lacuna.csv_files import read_csv
from lacuna.diagnosis import diagnose_history
from lacuna.files import read_json, whole_file, write_json
from lacuna.predictions import Predictions
from lacuna.report.automation import count_answers
from lacuna.report.page import Page, render
from lacuna.report.sections import (
    Found,
    again_section,
    attention_section,
    audit_section,
    data_section,
    failures_section,
    first_screen,
    result_section,
    training_section,
)
from lacuna.targets import Targets
from lacuna.verdicts import conclude
from stages._run import Facts, run

STAGES = ("prepare", "explore", "audit", "baseline", "explain", "validation", "test")
MOST_MISTAKES = 3


def report(params: Params) -> Facts:
    options, targets = params.report, Targets.load(Path("data/predictions/targets.json"))
    contents = {name: read_json(Path(f"metrics/{name}.json")) for name in STAGES}
    found = Found(**contents, bundle=read_json(Path("models/bundle/bundle.json")), plots=Path("plots"))
    validation, test = (Predictions.load(Path(f"data/predictions/{part}.npz")) for part in ("val", "test"))
    calibration = Calibration.load(Path("models/calibration.json"))
    automation = count_answers(
        targets, validation, test, calibration, params.calibrate, options.precision, options.certainty
    )
    values = params.model_dump(mode="json")
    listed = "\n".join(f"{block}.{key}: {value}" for block, keys in values.items() for key, value in keys.items())
    page = Page(
        f"Lacuna: {', '.join(targets.names)}",
        f"{conclude(contents['test'])}.",
        [
            first_screen(found, automation, options.precision, options.certainty),
            data_section(found),
            audit_section(found),
            training_section(found, [f"{phase}: {note}" for phase in ("warmup", "finetune") for note in _notes(phase)]),
            result_section(found),
            failures_section(found, [said for name in targets.names for said in _mistakes(name)]),
            attention_section(found),
            again_section(found, listed),
        ],
    )
    text = render(page)
    with whole_file(Path("plots/report.html")) as partial:
        partial.write_text(text, encoding="utf-8")
    shares = {name: one.share for name, one in automation.items()}
    write_json(Path("metrics/report.json"), {"answers_by_itself": shares})
    print(f"plots/report.html, {len(text) / 1e6:.1f} MB: {page.conclusion}")
    return {"conclusion": page.conclusion}


def _notes(phase: str) -> list[str]:
    lines = read_csv(Path(f"plots/history_{phase}.csv"))
    rows = [{key: float(value) for key, value in line.items() if key != "phase" and value} for line in lines]
    losses = [row.get("val_log_loss", float("inf")) for row in rows]
    return diagnose_history(rows, 1 + losses.index(min(losses)) if losses else 0)


def _mistakes(name: str) -> list[str]:
    path = Path(f"plots/confused_pairs/{name}.csv")
    rows = read_csv(path)[:MOST_MISTAKES] if path.is_file() else []
    return [
        f"{name}: {row['actual']} is taken for {row['predicted']} in {row['images']} of {row['of']}" for row in rows
    ]


if __name__ == "__main__":
    run("report", report)
