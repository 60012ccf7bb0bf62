"""Numbers of other groups that the pages quote, by work: compared with their sources, and written here once."""

from medgen_utils.benchmark.published import CAMELYON, DOMAINBED

NUMBERS: dict[str, set[str]] = {
    "gulrajani2021": {f"{value:.1f}" for value in DOMAINBED.to_numpy().ravel()}
    | {"51.5", "36.7", "57.8", "52.0", "40.3", "67.7", "0.9", "1.8", "0.5"},  # ColoredMNIST; best gains over ERM
    "koh2021": {f"{value:.1f}" for value in CAMELYON.to_numpy().ravel()},
    "sagawa2022": {"70.8", "7.2", "82.0", "7.4", "2.0"},  # 2.0: WILDS 2.0
    "yu2022": {"0.05", ".05"},
    "zech2018": {"0.861", ".861"},
    "banerjee2026": {"0.8135", "0.7696", "0.7705", "0.7788", "0.7723"},
    "azizi2023": {"11.5"},
    "zhou2023retfound": {"1.6"},
}
"""key of references.bib -> every number with a decimal point that a page may quote of it."""
