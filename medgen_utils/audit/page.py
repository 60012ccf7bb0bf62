"""The page of an audit: one self-contained HTML file, nothing loaded from elsewhere. Used by `medgen_utils.audit`.

Every name that comes from a file passes through ``html.escape``; charts are inline SVG with their own description.
"""
# ruff: noqa: E501 - running text and a style sheet

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

METRIC_NAMES = {
    "auroc": "AUROC",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "brier": "Brier score (low is good)",
    "calibration_error": "Calibration error (low is good)",
    "mean_error": "Predicted minus observed positives",
    "sensitivity": "Sensitivity, threshold of reference",
    "specificity": "Specificity, threshold of reference",
}
KINDS = {
    "gap": "AUROC: reference minus domain",
    "difference": "AUROC: model minus model",
    "calibration": "Predicted minus observed share of positives",
}
CHECKLIST = (
    ("The clinical question, the target population and the intended use of the model are stated.", "TRIPOD+AI"),
    ("Source of each domain: hospital, period, scanners, inclusion and exclusion of patients.", "CLAIM, TRIPOD+AI"),
    ("Reference standard: who labelled, with what information, and how much labellers agreed.", "CLAIM"),
    ("No patient is in both training and test data; how this was checked.", "CLAIM"),
    ("How model, step and hyper-parameters were selected, and that no test label took part.", "CLAIM, TRIPOD+AI"),
    ("How often the test labels were opened, and what was changed afterwards.", "this book"),
    ("Metrics chosen for the question: discrimination, calibration, and the decision they serve.", "Metrics Reloaded"),
    ("Every metric by domain, with intervals that resample patients, not images.", "TRIPOD+AI, Metrics Reloaded"),
    ("The worst domain is reported beside the mean.", "this book"),
    ("Claims about new hospitals use hospitals as the unit, and say how many there were.", "this book"),
    ("Number of seeds and the spread between them.", "CLAIM"),
    ("Number of comparisons made, also those not shown.", "TRIPOD+AI"),
    ("Prevalence in each domain, and whether thresholds were set again.", "TRIPOD+AI"),
    ("Performance in groups of patients: sex, age, ethnicity, severity.", "CLAIM, TRIPOD+AI"),
    ("Code, weights, predictions: where they are available.", "CLAIM, TRIPOD+AI"),
)
SOURCES = (
    ("CLAIM 2024", "https://doi.org/10.1148/ryai.240300"),
    ("TRIPOD+AI 2024", "https://doi.org/10.1136/bmj-2023-078378"),
    ("Metrics Reloaded 2024", "https://doi.org/10.1038/s41592-023-02151-z"),
)
STYLE = """
:root{color-scheme:light dark;--paper:#fdfdfb;--card:#fff;--ink:#22262b;--quiet:#5c6470;--line:#d9dcd6;--track:#eceee9;
--link:#0f5c73;--good:#007a5a;--warn:#8a6100;--bad:#a83232;
--m0:#0072b2;--m1:#bf4e00;--m2:#007a5a;--m3:#a8437f;--m4:#8a6100;--m5:#4b4b9b}
@media(prefers-color-scheme:dark){:root{--paper:#14181c;--card:#1b2026;--ink:#e8eaed;--quiet:#a3adb8;--line:#363e47;
--track:#2b323a;--link:#7cc4d8;--good:#5fc9a3;--warn:#f0b25f;--bad:#f28b82;
--m0:#6cb8f0;--m1:#f0a04b;--m2:#5fc9a3;--m3:#e89ac7;--m4:#d9b54a;--m5:#a9a9f0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:break-word}
.name,.row>div:first-child,h1,li,figcaption{overflow-wrap:anywhere}th.name{overflow-wrap:normal}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .6rem}h2{font-size:1.35rem;margin:2.6rem 0 .6rem;
padding-bottom:.3rem;border-bottom:1px solid var(--line)}h3{font-size:1.05rem;margin:1.4rem 0 .4rem}
p{max-width:46rem}a{color:var(--link)}.quiet,.note{color:var(--quiet)}.note{font-size:.9rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.8rem;margin:1.2rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem}
.card b{display:block;font-size:1.4rem;line-height:1.3;font-variant-numeric:tabular-nums}
.card span{color:var(--quiet);font-size:.85rem}
ul.lead{padding-left:1.1rem}ul.lead li{margin:.35rem 0}
.scroll{overflow-x:auto;margin:.8rem 0}table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{padding:.35rem .7rem .35rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--quiet)}.number{text-align:right;font-variant-numeric:tabular-nums}
td.number,.row .number{white-space:nowrap}small{color:var(--quiet);font-size:.85em}
td.name{min-width:7rem}
.row{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr 11rem;gap:0 1rem;align-items:center;
border-bottom:1px solid var(--line);padding:.15rem 0;break-inside:avoid}
.row.scale{border:0}.row svg{display:block;width:100%;overflow:visible}.row .number{font-size:.9rem}
.key{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.9rem;margin:.6rem 0}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.4em}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:1rem;margin:1rem 0}
figure{margin:0;break-inside:avoid}figure svg{width:100%;height:auto;display:block}
figcaption{font-size:.85rem;line-height:1.4;color:var(--quiet)}figcaption b{color:var(--ink)}
.verdict{white-space:nowrap;font-weight:600}.beyond{color:var(--bad)}.uncertain{color:var(--warn)}.within{color:var(--quiet)}
.check{list-style:none;padding:0}.check li{padding:.35rem 0 .35rem 1.9rem;position:relative;border-bottom:1px solid var(--line)}
.check li:before{content:"";position:absolute;left:.2rem;top:.65rem;width:.95rem;height:.95rem;
border:1.5px solid var(--quiet);border-radius:3px}
.alert{border-left:4px solid var(--bad);background:var(--card);padding:.6rem 1rem}
svg text{fill:var(--quiet);font:12px system-ui,sans-serif}.axis{stroke:var(--line)}.chance{stroke:var(--quiet);stroke-dasharray:3 3}
@media(max-width:640px){body{font-size:15px}.row{grid-template-columns:1fr auto;padding:.4rem 0}
.row .plot{grid-row:2;grid-column:1/3}}
@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--quiet:#444;--line:#bbb;--track:#eee;--link:#000;
--good:#005a42;--warn:#6b4b00;--bad:#8a1f1f;--m0:#0072b2;--m1:#bf4e00;--m2:#007a5a;--m3:#a8437f;--m4:#8a6100;--m5:#4b4b9b}
body{max-width:none;font-size:10pt;padding:0}h2{break-after:avoid}.scroll{overflow:visible}table{font-size:7.5pt}
.name,td.name{min-width:0}th,td{padding:.2rem .35rem .2rem 0}tr{break-inside:avoid}thead{display:table-header-group}}
"""


def render(report: dict) -> str:
    """The report of `audit.audit` as one HTML page."""
    parts = [
        _header(report),
        _performance(report),
        _gap(report),
        _comparison(report),
        _calibration(report),
        _prevalence(report),
        _findings(report),
        _checklist(),
        _how(report),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    head += '<link rel="icon" href="data:,">'  # or a browser asks the server for one
    title = f"<title>{escape(report['title'])}</title><style>{STYLE}</style>"
    return (
        f'<!doctype html><html lang="en"><head>{head}{title}</head><body><main>{"".join(parts)}</main></body></html>\n'
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "not defined" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def _interval(row: dict, low: str = "low", high: str = "high") -> str:
    if row[low] is None:
        return _number(row["value"])
    return f"{_number(row['value'])} ({_number(row[low])} to {_number(row[high])})"


def _stacked(row: dict) -> str:
    """The value with its interval below, for narrow columns."""
    ends = "" if row["low"] is None else f"<br><small>{_number(row['low'])} to {_number(row['high'])}</small>"
    return _number(row["value"]) + ends


def _percent(value: float | None, digits: int = 1) -> str:
    return "not defined" if value is None else f"{100 * value:.{digits}f} %"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """Cells are HTML already: escape what comes from a file. The first ``text_columns`` columns are words."""
    kinds = ["name" if i < text_columns else "number" for i in range(len(headers))]
    top = "".join(f'<th scope="col" class="{kind}">{name}</th>' for kind, name in zip(kinds, headers, strict=True))
    body = ""
    for row in rows:
        body += "<tr>" + "".join(f'<td class="{k}">{c}</td>' for k, c in zip(kinds, row, strict=True)) + "</tr>"
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _header(report: dict) -> str:
    domains, level = report["domains"], report["made"]["level"]
    images, patients = (sum(row[key] for row in domains) for key in ("images", "patients"))
    known = any(row["known"] for row in domains)
    cards = [(f"{images:,}", "images"), (f"{len(domains)}", "domains"), (f"{len(report['algorithms'])}", "models")]
    cards.insert(1, (f"{patients:,}", "patients")) if known else None
    boxes = "".join(f'<div class="card"><b>{number}</b><span>{name}</span></div>' for number, name in cards)
    lines = []
    for worst, mean in zip(report["worst"], report["over_domains"], strict=True):
        name = escape(worst["algorithm"])
        if worst["domain"] is not None:
            lines.append(
                f"<b>{name}</b>: mean AUROC over domains {_interval(mean)}; worst in <b>{escape(worst['domain'])}</b>, "
                f"{_number(worst['value'])} (the worst of any domain: {_number(worst['low'])} to {_number(worst['high'])})."
            )
    verdicts = [finding["verdict"] for finding in report["findings"]]
    if verdicts:
        lines.append(
            f"{verdicts.count('beyond noise')} of {len(verdicts)} comparisons are beyond noise, "
            f"{verdicts.count('uncertain')} only until the number of comparisons is counted, "
            f"{verdicts.count('within noise')} within noise."
        )
    if not known:
        lines.append(
            "No patients were named: images count as independent, and intervals are too narrow where they are not."
        )
    small = [row["domain"] for row in domains if min(row["counts"]) < 10]
    if small:
        lines.append(
            f"Fewer than ten images of a class in {escape(', '.join(small))}: do not build on these intervals."
        )
    peeks = report["peeks"]
    alert = f'<p class="alert">Made after {peeks} peeks at a sealed test domain: no honest test.</p>' if peeks else ""
    items = "".join(f"<li>{line}</li>" for line in lines)
    return (
        f'<p class="quiet">Model audit</p><h1>{escape(report["title"])}</h1><div class="cards">{boxes}</div>{alert}'
        f'<ul class="lead">{items}</ul><p class="note">Intervals: {100 * level:g} %, patients of each domain resampled.</p>'
    )


def _key(algorithms: Sequence[str]) -> str:
    if len(algorithms) < 2:
        return ""
    dots = (
        f'<span><i class="swatch" style="background:var(--m{i % 6})"></i>{escape(name)}</span>'
        for i, name in enumerate(algorithms)
    )
    return f'<div class="key">{"".join(dots)}</div>'


def _forest(groups: Sequence[tuple[str, Sequence[tuple[int, dict]]]], marks: Sequence[float], what: str) -> str:
    """Rows of intervals: (label, [(colour number, row with value, low, high)]); ``marks`` are dashed vertical lines."""
    numbers = [row[key] for _, rows in groups for _, row in rows for key in ("value", "low", "high")]
    numbers = [number for number in numbers if number is not None] + list(marks)
    low, high = min(numbers), max(numbers)
    pad = 0.04 * (high - low) or 0.05
    low, high = low - pad, high + pad

    def at(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    body = ""
    for label, rows in groups:
        height = 18 * len(rows) + 6
        shapes = "".join(f'<line class="chance" x1="{at(m)}" x2="{at(m)}" y1="0" y2="{height}"/>' for m in marks)
        for i, (colour, row) in enumerate(rows):
            y = 12 + 18 * i
            if row["low"] is not None:
                ends = f'x1="{at(row["low"])}" x2="{at(row["high"])}" y1="{y}" y2="{y}"'
                shapes += f'<line {ends} stroke="var(--m{colour % 6})" stroke-width="2"/>'
            if row["value"] is not None:
                shapes += f'<circle cx="{at(row["value"])}" cy="{y}" r="4.5" fill="var(--m{colour % 6})"/>'
        values = "<br>".join(_interval(row) for _, row in rows)
        words = f"{label}: {what} " + "; ".join(_interval(row) for _, row in rows)
        chart = f'<svg role="img" aria-label="{escape(words)}" height="{height}">{shapes}</svg>'
        body += f'<div class="row"><div>{escape(label)}</div><div class="plot">{chart}</div><div class="number">{values}</div></div>'
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 6)
    ticks = [i * step for i in range(int(low // step), int(high // step) + 2) if low <= i * step <= high]
    texts = "".join(
        f'<text x="{at(t)}" y="14" text-anchor="middle">{t:.2f}</text>'.replace(">-", ">\u2212") for t in ticks
    )
    axis = f'<svg aria-hidden="true" height="20">{texts}</svg>'
    return f'<div>{body}<div class="row scale"><div></div><div class="plot">{axis}</div><div></div></div></div>'


def _performance(report: dict) -> str:
    algorithms, metrics = report["algorithms"], report["metrics"]
    found = {(row["algorithm"], row["domain"], row["metric"]): row for row in metrics}
    domains = [row["domain"] for row in report["domains"]]
    groups = [
        (d, [(i, found[a, d, "auroc"]) for i, a in enumerate(algorithms) if (a, d, "auroc") in found]) for d in domains
    ]
    chance = "The dashed line is chance." if report["classes"] == 2 else "Macro mean of one class against the rest."
    text = f"<h2>Performance by domain</h2><p>AUROC of each domain by itself. {chance}</p>"
    text += _key(algorithms) + _forest(groups, [0.5], "AUROC")
    counts = []
    for row in report["domains"]:
        total = sum(row["counts"])
        shares = ", ".join(_percent(n / total, 0) for n in row["counts"])
        counts.append(
            [escape(row["domain"]), f"{row['images']:,}", f"{row['patients']:,}" if row["known"] else "?", shares]
        )
    text += "<h3>Who is in each domain</h3>"
    text += _table(["Domain", "Images", "Patients", "Share of class 0, 1 &hellip;"], counts)
    names = list(dict.fromkeys(row["metric"] for row in metrics))
    rows = [
        [escape(d), escape(a), *(_stacked(found[a, d, m]) if (a, d, m) in found else "" for m in names)]
        for d in domains
        for a in algorithms
        if (a, d, "auroc") in found
    ]
    text += "<h3>All metrics</h3>" + _table(["Domain", "Model", *(METRIC_NAMES[m] for m in names)], rows, 2)
    rows = [
        [escape(r["algorithm"]), _interval(r), f"{_number(r['new_low'])} to {_number(r['new_high'])}"]
        for r in report["over_domains"]
    ]
    headers = ["Model", "Mean AUROC (other patients of these domains)", "Interval for other domains"]
    text += "<h3>Mean over domains</h3><p>The second interval counts domains, not patients: it is the one that speaks "
    text += "about a hospital nobody has tested yet, as far as these domains are a fair sample of it.</p>"
    return text + _table(headers, rows)


def _gap(report: dict) -> str:
    gaps = [finding for finding in report["findings"] if finding["kind"] == "gap"]
    if not gaps:
        return "<h2>Gap to the reference</h2><p>No reference domain was named, so no gap is computed.</p>"
    groups = [
        (d["domain"], [(report["algorithms"].index(g["who"]), g) for g in gaps if g["domain"] == d["domain"]])
        for d in report["domains"]
        if d["domain"] != report["reference"]
    ]
    reference = escape(report["reference"])
    text = f"<h2>Gap to the reference</h2><p>AUROC in <b>{reference}</b> minus AUROC in each domain: right of zero is a loss. "
    text += "An interval that holds zero leaves both signs possible.</p>"
    return text + _key(report["algorithms"]) + _forest(groups, [0.0], "AUROC lost")


def _comparison(report: dict) -> str:
    pairs = [finding for finding in report["findings"] if finding["kind"] == "difference"]
    if not pairs:
        return ""
    text = "<h2>Models compared on the same images</h2><p>Difference in AUROC with both models on the same resampled "
    text += "patients; right of zero the first is better.</p>"
    for who in dict.fromkeys(pair["who"] for pair in pairs):
        groups = [(pair["domain"], [(0, pair)]) for pair in pairs if pair["who"] == who]
        text += f"<h3>{escape(who)}</h3>" + _forest(groups, [0.0], "difference in AUROC")
    rows = [
        [escape(t["who"]), str(t["domains"]), _interval(t), _number(t["p_value"]), _number(t["smallest_p_value"])]
        for t in report["domain_tests"]
    ]
    headers = [
        "Models",
        "Domains",
        "Mean difference (Student&rsquo;s t over domains)",
        "p (sign flips)",
        "Smallest possible p",
    ]
    text += (
        "<h3>Over domains</h3><p>Does one model win in hospitals, not only in images? The exact test flips the sign "
    )
    return (
        text
        + "of each domain&rsquo;s difference; with few domains no p value can be small.</p>"
        + _table(headers, rows)
    )


def _calibration(report: dict) -> str:
    binary = report["classes"] == 2
    what = "probability of class 1" if binary else "probability of the predicted class"
    text = f"<h2>Calibration by domain</h2><p>Horizontal: predicted {what}. Vertical: how often it was so. On the dashed line "
    text += (
        "probabilities mean what they say; dots grow with the number of images. The error is compared with the 95th "
    )
    text += "percentile of what a perfectly calibrated model shows on as many images.</p>"
    figures = ""
    for curve in report["calibration"][:48]:
        colour = report["algorithms"].index(curve["algorithm"]) % 6
        total = sum(b["n"] for b in curve["bins"])
        points = [(20 + 130 * b["confidence"], 140 - 130 * b["accuracy"], b["n"] / total) for b in curve["bins"]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 + 5 * share**0.5:.1f}"/>' for x, y, share in points)
        words = f"Reliability curve of {curve['algorithm']} in {curve['domain']}, calibration error {_number(curve['error'])}"
        axes = '<path d="M20 10V140H150" fill="none" class="axis"/><path d="M20 140L150 10" class="chance"/>'
        axes += '<text x="16" y="155">0</text><text x="146" y="155">1</text><text x="8" y="16">1</text>'
        line = f'<polyline points="{path}" fill="none" stroke="var(--m{colour})" stroke-width="1.5"/>'
        chart = f'{axes}{line}<g fill="var(--m{colour})">{dots}</g>'
        verdict = "no more than chance" if curve["error"] <= curve["floor"] else "more than chance"
        caption = (
            f"<b>{escape(curve['domain'])}</b><br>{escape(curve['algorithm'])}<br>error {_number(curve['error'])}, "
        )
        caption += f"chance up to {_number(curve['floor'])}: {verdict}"
        svg = f'<svg role="img" aria-label="{escape(words)}" viewBox="0 0 160 160">{chart}</svg>'
        figures += f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"
    left = len(report["calibration"]) - 48
    more = f'<p class="note">{left} more curves are in report.json.</p>' if left > 0 else ""
    return text + f'<div class="curves">{figures}</div>{more}'


def _prevalence(report: dict) -> str:
    rows = report["transfer"]
    if not rows:
        return (
            "<h2>Prevalence and thresholds</h2><p>Name a reference domain to see what its threshold does elsewhere.</p>"
        )
    reference = escape(report["reference"])
    text = "<h2>Prevalence and thresholds</h2>"
    if report["classes"] == 2:
        share = _percent(report["sensitivity"], 0)
        text += f"<p>The threshold that finds {share} of the positives in <b>{reference}</b>, used everywhere. "
        headers = ["Domain", "Model", "Probabilities", "Prevalence", "Flagged", "Sensitivity", "Specificity"]
        headers += ["Predictive value", "Net benefit", "Brier", "Calibration error"]
        keys = ("prevalence", "flagged", "sensitivity", "specificity", "predictive_value")
        scores = ("net_benefit", "brier", "calibration_error")
    else:
        text += f"<p>The most probable class is taken; <b>{reference}</b> is where the class shares come from. "
        headers, keys = ["Domain", "Model", "Probabilities", "Accuracy", "Brier", "Calibration error"], ("accuracy",)
        scores = ("brier", "calibration_error")
    text += "&ldquo;Corrected&rdquo; re-weights the probabilities from the reference&rsquo;s class shares to those of the domain, "
    text += "with the shares counted from its labels: the best case. It is right only where nothing but the shares differs; "
    text += "where Brier score and net benefit get worse, more than the prevalence has changed.</p>"
    body = []
    for row in rows:
        if row["corrected"] and row["domain"] == report["reference"]:
            continue  # nothing to correct at home
        state = "corrected" if row["corrected"] else "as they are"
        cells = [escape(row["domain"]), escape(row["algorithm"]), state]
        body.append(cells + [_percent(row[key]) for key in keys] + [_number(row[key]) for key in scores])
    return text + _table(headers, body, 3)


def _findings(report: dict) -> str:
    findings = report["findings"]
    if not findings:
        return ""
    style = {"beyond noise": "beyond", "uncertain": "uncertain"}
    order = {"beyond noise": 0, "uncertain": 1, "within noise": 2, "undefined": 3}
    rows = []
    for f in sorted(findings, key=lambda f: (order[f["verdict"]], f["p_holm"] if f["p_holm"] is not None else 1)):
        verdict = f'<span class="verdict {style.get(f["verdict"], "within")}">{f["verdict"]}</span>'
        p = [
            ("&lt; 0.001" if f[key] is not None and f[key] < 0.001 else _number(f[key]))
            for key in ("p_value", "p_holm")
        ]
        rows.append([verdict, KINDS[f["kind"]], escape(f["domain"]), escape(f["who"]), _interval(f), *p])
    text = f"<h2>What is within noise</h2><p>All {len(findings)} comparisons of this page. &ldquo;Beyond noise&rdquo;: still clear "
    text += "after Holm&rsquo;s correction for their number. &ldquo;Uncertain&rdquo;: clear only when looked at alone, as one in "
    text += "twenty is by chance. &ldquo;Within noise&rdquo; does not mean equal: read the interval.</p>"
    return text + _table(["Verdict", "What", "Domain", "Model", "Value", "p alone", "p corrected"], rows, 4)


def _checklist() -> str:
    items = "".join(
        f'<li>{escape(words)} <span class="quiet">{escape(source)}</span></li>' for words, source in CHECKLIST
    )
    links = ", ".join(f'<a href="{address}">{name}</a>' for name, address in SOURCES)
    text = "<h2>Reporting checklist</h2><p>What this page cannot know and a reader will ask. Shortened from the "
    return text + f'guidelines; use the originals for a paper: {links}.</p><ul class="check">{items}</ul>'


def _how(report: dict) -> str:
    made = report["made"]
    runs = ", ".join(f"{escape(name)} {number}" for name, number in report["runs"].items())
    return (
        "<h2>How this was computed</h2><p>From predictions and labels alone. A metric is computed within a run and a domain; runs "
        f"are averaged (runs: {runs}). Intervals: percentile bootstrap, {made['resamples']:,} resamples of patients, seed "
        f"{made['seed']}, the same patients for all models. p values: normal, with the bootstrap&rsquo;s standard error. "
        "Reliability curves show the first run. All numbers are in <code>report.json</code> and <code>metrics.csv</code>. "
        f"Made with medgen_utils {escape(made['medgen_utils'])}. It is a teaching tool, not a medical device.</p>"
    )
