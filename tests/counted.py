"""Rates of an audit as the tables of the paper have them."""


def counted(metrics):
    """Return an audit's rates by row, clean ones first, without dissent, which tables leave out."""
    rows = {"clean": metrics["clean"], **metrics["attacks"]}
    return {name: without_dissent(rates) for name, rates in rows.items()}


def without_dissent(rates):
    kept = {key: value for key, value in rates.items() if "dissent" not in key}
    if isinstance(rates.get("ci"), dict):
        kept["ci"] = without_dissent(rates["ci"])
    return kept
