"""Rates of an audit as the tables of the paper have them."""

LEFT_OUT = ("dissent", "balanced")


def counted(metrics):
    """Return an audit's rates by row, clean ones first, without those that the paper has not."""
    rows = {"clean": metrics["clean"], **metrics["attacks"]}
    return {name: _counted(rates) for name, rates in rows.items()}


def _counted(rates):
    kept = {key: value for key, value in rates.items() if not any(w in key for w in LEFT_OUT)}
    if isinstance(rates.get("ci"), dict):
        kept["ci"] = _counted(rates["ci"])
    return kept
