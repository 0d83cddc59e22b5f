"""The lines at the end of a run. What matters most comes last, where it stays on the screen: the
score, what it is worth, and the next command."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.reports.tasks import report_of
from dlrun.text import (
    counted,
    duration,
    figure,
    figure_beside,
    figure_near,
    figure_range,
    figure_with_spread,
    listed,
    ordinal,
    percent,
)

NOTE = "note"
"""Label of a line with something that the user should know."""


@dataclass(frozen=True)
class SummaryLine:
    """One line: a label and a text."""

    label: str
    text: str


@dataclass(frozen=True)
class Summary:
    """The end of a run.

    Args:
        lines: In the order in which they are read.
        beats_baseline: Whether the score is better than the baseline by more than chance, or
            worse (False); None if unknown.
    """

    lines: tuple[SummaryLine, ...]
    beats_baseline: bool | None

    def text(self) -> str:
        """The lines as plain text, labels in a column."""
        width = max((len(line.label) for line in self.lines), default=0)
        return "\n".join(f"{line.label:<{width}}  {line.text}" for line in self.lines)


def run_summary(
    result: Mapping[str, Any],
    where: str,
    next_command: str | None = None,
    *,
    open_findings: Mapping[str, Any] | None = None,
) -> Summary:
    """Summarise a run.

    Args:
        result: What `result.json` holds: `score`, `measures`, `baseline` and `simple_model` (each
            with `value`, `std` and the values of all `folds`), `verdict`, `best_epoch`,
            `best_value`, `epochs`, `seconds`, `interrupted`, `findings`, `diagnosis`,
            `suggestions`, `clean_rows`. What is missing gets no line.
        where: The run directory, as the user would type it.
        next_command: What to run next.
        open_findings: `codes` of the warnings that were open before training, and the command to
            `check`; None where there were none.
    """
    if (task := report_of(result)) is not None:
        ends = [("run", where), ("time", duration(result["seconds"])), ("next", next_command)]
        return Summary(_lines([*task.lines(result), *ends]), None)
    score, baseline = result.get("score") or {}, result.get("baseline") or {}
    trained = result.get("folds") or []
    folds = sum(not fold.get("interrupted") for fold in trained) or len(trained)
    verdict = result.get("verdict") or {}
    seconds = result.get("seconds")
    if seconds is not None:
        seconds = duration(seconds) + (f" for {folds} {folds_word(result)}" if folds > 1 else "")
    interrupted = "interrupted; the results so far are kept" if result.get("interrupted") else None
    pairs = [
        *((NOTE, note) for note in result.get("findings") or ()),
        ("findings", findings_text(open_findings)),
        *_advice(result),
        ("run", where),
        ("time", seconds),
        ("best epoch", _best_epoch(result, score, folds)),
        ("weights", _weights(result)),
        ("metrics", metrics_text(result)),
        ("baseline", _baseline(baseline, folds, score)),
        ("simple model", simple_model_text(result.get("simple_model"), score)),
        ("clean rows", clean_rows_text(result.get("clean_rows"))),
        ("status", interrupted),
        ("score", _score(result, folds)),
        ("interval", _interval(score)),
        ("verdict", _verdict(verdict, score)),
        ("next", next_command),
    ]
    return Summary(_lines(pairs), verdict.get("beats_baseline"))


def evaluation_summary(facts: Mapping[str, Any], where: str) -> Summary:
    """Summarise a test evaluation.

    Args:
        facts: What the file of the evaluation holds.
        where: That file, as the user would type it.
    """
    score, verdict = facts["score"], facts.get("verdict") or {}
    name, baseline = score["name"], facts["baseline"] or {}
    others = [f"{n} {figure(v)}" for n, v in facts["measures"].items() if n != name]
    pairs = [
        *((NOTE, note) for note in facts["findings"]),
        ("findings", findings_text(facts.get("open_findings"))),
        ("written to", where),
        ("earlier", earlier_evaluations(facts.get("looks_before") or ())),
        ("evaluation", test_evaluation_sentence(facts["look"], facts["runs_before"])),
        ("metrics", "  ".join(others) or None),
        ("baseline", _baseline(baseline, 1, score)),
        ("simple model", simple_model_text(facts.get("simple_model"), score)),
        ("score", f"test {name} {quantity_text(score)} on {counted(facts['rows'], 'row')}"),
        ("interval", _interval(score)),
        ("verdict", _verdict(verdict, score)),
    ]
    return Summary(_lines(pairs), verdict.get("beats_baseline"))


def advice(result: Mapping[str, Any]) -> Summary:
    """Return what the curves show and what to try: all there is to say when training diverged.

    Args:
        result: Holds `diagnosis` and `suggestions`, as `result.json` does.
    """
    return Summary(_lines(_advice(result)), None)


def _lines(pairs: Iterable[tuple[str, str | None]]) -> tuple[SummaryLine, ...]:
    return tuple(SummaryLine(label, text) for label, text in pairs if text is not None)


def _advice(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for finding in result.get("diagnosis") or ():
        yield "diagnosis", finding["text"]
    for suggestion in result.get("suggestions") or ():
        yield "try", suggestion_text(suggestion)


def findings_text(found: Mapping[str, Any] | None) -> str | None:
    """Return `2 open: DL106, DL114 (details: dlrun check FILE --data)`, or None; the errors that
    `--force` trained with are named."""
    if not found:
        return None
    codes, forced = found["codes"], listed(found.get("forced") or ())
    errors = f"; trained with --force in spite of {forced}" if forced else ""
    return f"{len(codes)} open: {', '.join(codes)}{errors} (details: {found['check']})"


def part_of_folds(result: Mapping[str, Any]) -> str | None:
    """Return `1 of 5 folds` where not all of several that were planned count, else None.

    Args:
        result: `planned_folds` and `complete_folds`, as `result.json` and `run.json` hold them.
    """
    done, planned = result.get("complete_folds"), result.get("planned_folds")
    if not isinstance(done, int) or not isinstance(planned, int) or planned == 1 or done >= planned:
        return None
    return f"{done} of {planned} {folds_word(result)}"


def suggestion_text(suggestion: Mapping[str, Any]) -> str:
    """Return `more epochs: --set training.epochs=20`, to be pasted into a shell."""
    changes = " ".join(f"--set {shlex.quote(change)}" for change in suggestion["set"])
    return f"{suggestion['text']}: {changes}"


def folds_word(result: Mapping[str, Any]) -> str:
    """The word for several trainings of a protocol."""
    return "repeats" if result.get("protocol") == "repeated_holdout" else "folds"


def _score(result: Mapping[str, Any], folds: int) -> str | None:
    score = result.get("score")
    if not score:
        return None
    if models := result.get("ensemble"):
        return f"none until `dlrun evaluate`: the predictions of {models} models are averaged"
    name = f"validation {score.get('name', 'score')}"
    values: Sequence[float | None] = score.get("folds") or []
    if not values:
        return "none: no rows were held out"
    if score.get("value") is None:
        return f"{name} is not a number"
    text = f"{name} {quantity_text(score)}"
    part = part_of_folds(result)
    if folds > 1:
        counted = part or f"{folds} {folds_word(result)}"
        return f"{text} (mean ± standard deviation of {counted})"
    return f"{text} ({part})" if part else text


def metrics_text(result: Mapping[str, Any]) -> str | None:
    """Return every metric that is not the score, on the rows that gave it: `auc 0.91  mae 2.41 ±
    0.31`; None where there is none.

    Args:
        result: `score`, `measures` and, of several, `outputs`, as `result.json` holds them.
    """
    losses = {"loss", *(f"{output}_loss" for output in result.get("outputs") or ())}
    left_out = {*losses, (result.get("score") or {}).get("name")}
    shown = [
        f"{name} {quantity_text(measure)}"
        for name, measure in (result.get("measures") or {}).items()
        if name not in left_out and measure["folds"]
    ]
    return "  ".join(shown) or None


def _interval(score: Mapping[str, Any]) -> str | None:
    """The interval, how sure it is, and what it comes from."""
    interval = score.get("interval")
    if interval is None:
        why = score.get("no_interval")
        return f"none: {why}" if why and math.isfinite(score.get("value") or math.nan) else None
    about = ", ".join(filter(None, [percent(interval["level"]), interval.get("note")]))
    return f"{ends_text(interval)} ({about})"


def _verdict(verdict: Mapping[str, Any], score: Mapping[str, Any]) -> str | None:
    """The verdict; why there is no interval is said where it is the score's own reason, above."""
    text, why = verdict.get("text"), score.get("no_interval")
    return text.removesuffix(f": {why}") if text and why else text


def clean_rows_text(clean: Mapping[str, Any] | None) -> str | None:
    """Return `0.473 ± 0.02 on the 1,177 rows that no training row repeats; 422 others are
    repeated`, or None.

    Args:
        clean: `clean_rows`, as `result.json` holds it.
    """
    if not clean:
        return None
    repeated = int(clean["repeated"])
    others = f"{repeated:,} {'other is' if repeated == 1 else 'others are'} repeated"
    rows = f"the {counted(clean['rows'], 'row')} that no training row repeats"
    return f"{quantity_text(clean)} on {rows}; {others}"


def ends_text(interval: Mapping[str, Any] | None) -> str:
    """Return `0.944 to 0.989`; empty where there is no interval."""
    low, high = (interval or {}).get("low"), (interval or {}).get("high")
    return "" if low is None or high is None else figure_range(low, high)


def interval_text(interval: Mapping[str, Any] | None) -> str:
    """Return `95% interval 0.942 to 0.983`; empty where there is none."""
    ends = ends_text(interval)
    return f"{percent((interval or {}).get('level') or 0.95)} interval {ends}" if ends else ""


def _baseline(baseline: Mapping[str, Any], folds: int, score: Mapping[str, Any]) -> str | None:
    if not baseline:
        return None
    others = "".join(
        f"; {other['name']} {quantity_text(other, width(score))}"
        for other in baseline.get("others") or ()
    )
    return f"{baseline_text(baseline, folds, score)}{others}"


def baseline_text(baseline: Mapping[str, Any], folds: int, score: Mapping[str, Any]) -> str:
    """Return `0.5 (always predicts 'yes')`, rounded as the score is; of several folds, each with
    its own constant, only the baseline's name; `none: ...` where no constant answer has a score."""
    about = baseline.get("name" if folds > 1 else "description") or baseline.get("name")
    if baseline.get("value") is None:
        return f"none: {baseline.get('description') or about}"
    text = quantity_text(baseline, width(score))
    return f"{text} ({about})" if about else text


def simple_model_text(simple: Mapping[str, Any] | None, score: Mapping[str, Any]) -> str | None:
    """Return the simple model's score and how it compares with the model, or why it was skipped.

    Args:
        simple: `simple_model` of a result, or None.
        score: Of the model.
    """
    if not simple:
        return None
    if simple.get("skipped"):
        return f"none ({simple['name']} skipped: {simple['skipped']})"
    compared = simple.get("verdict") or {}
    if compared.get("interval") is None:
        # Without one, all that is known is that no row, or no fold, differs.
        answer = "; the same score" if compared.get("difference") == 0 else ""
    elif compared["beats_simple_model"] is None:
        answer = "; no clear difference"
    else:
        answer = (
            "; the model beats it" if compared["beats_simple_model"] else "; it beats the model"
        )
    return f"{quantity_text(simple, width(score))} ({simple['name']}{answer})"


def _best_epoch(result: Mapping[str, Any], score: Mapping[str, Any], folds: int) -> str | None:
    best, epochs = result.get("best_epoch"), result.get("epochs")
    if best is None:
        return None
    text = str(best) if epochs is None else f"{best} of {epochs}"
    value = result.get("best_value")
    if value is None:
        return text
    mean = "mean " if folds > 1 else ""
    return (
        f"{text} ({mean}validation {score.get('name', 'score')} {figure_near(value, width(score))})"
    )


def _weights(result: Mapping[str, Any]) -> str | None:
    """Which epoch's weights the model has, where that is not both the last and the best epoch."""
    kept, epochs, best = (result.get(key) for key in ("kept_weights", "epochs", "best_epoch"))
    if not kept:
        return None
    if not kept["monitor"]:
        later = best is not None and best < kept["epoch"]
        return f"last epoch ({kept['epoch']}), like the score" if later else None
    if kept["epoch"] == epochs:
        return None
    return f"epoch {kept['epoch']}, restored by EarlyStopping ({kept['monitor']})"


def quantity_text(quantity: Mapping[str, Any], beside: float | None = None) -> str:
    """Return the `value` of a score or baseline with its `std`: `2.41 ± 0.31`; without one, rounded
    by its `interval`: `0.868`; `–` where there is no value.

    Args:
        quantity: The score or the baseline.
        beside: `width` of the score that it is compared with.
    """
    value, std = quantity.get("value"), quantity.get("std")
    if value is None:
        return figure(None)
    if std is not None:
        return figure_with_spread(value, std)
    own = width(quantity)
    return figure_beside(value, beside) if own is None else figure_near(value, own)


def width(score: Mapping[str, Any]) -> float | None:
    """Return what a score is rounded by, see `figure_near`: its `std` over folds, else the width of
    its `interval`, or None."""
    interval, std = score.get("interval") or {}, score.get("std")
    low, high = interval.get("low"), interval.get("high")
    if std:
        return float(std)
    return None if low is None or high is None else float(high - low)


MOST_EARLIER = 3
"""Earlier test evaluations that are named at most, the newest."""


def test_evaluation_sentence(number: int, runs_before: int) -> str:
    """Return `third test evaluation on these rows; validation chose among 14 runs; ...`.

    Args:
        number: Which test evaluation on these rows it is, by any run, from 1.
        runs_before: Finished runs on the same data that validation chose among before.
    """
    sentence = f"{ordinal(number)} test evaluation on these rows"
    if runs_before == 1:
        sentence += "; validation had only this run to choose from"
    elif runs_before:
        sentence += f"; validation chose among {runs_before} runs"
    if number > 1:
        sentence += "; choosing among test evaluations biases the score"
    return sentence


def earlier_evaluations(evaluations: Sequence[Mapping[str, Any]]) -> str | None:
    """Return `20261121-101530-a-3f2a (accuracy 0.91), ...`, the newest first; None without any.

    Args:
        evaluations: `run`, `metric` and `score` of each, oldest first.
    """
    shown = [
        f"{one['run']} ({one['metric']} {figure(one['score'])})"
        for one in reversed(evaluations[-MOST_EARLIER:])
    ]
    if len(evaluations) > MOST_EARLIER:
        shown.append(f"and {len(evaluations) - MOST_EARLIER} more")
    return ", ".join(shown) or None
