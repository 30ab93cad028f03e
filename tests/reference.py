"""The paper's algorithms and judge, naively: float64, autograd, one instance at a time.

Written from the paper alone and sharing no code with the package. A *module* is a torch module from
float64 rows (n, d) to logits (n, k); a *grid* is a list of tuples of sensitive values.
"""

import math
from decimal import Decimal, localcontext

import torch

SAME = 1e-6


def loss_of(logits, label, loss):
    p = torch.softmax(logits, dim=0)
    if loss == "mse":
        wanted = torch.zeros_like(p)
        wanted[label] = 1.0
        return ((p - wanted) ** 2).mean()
    if loss == "cross_entropy":
        return -torch.log_softmax(logits, dim=0)[label]
    if loss == "error_probability":
        return 1 - p[label]
    rivals = [logits[j] for j in range(len(logits)) if j != label]
    return torch.stack(rivals).max() - logits[label]


def loss_at(module, v, label, loss):
    with torch.no_grad():
        return float(loss_of(module(v.unsqueeze(0))[0], label, loss))


def gradient(module, v, label, loss):
    v = v.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(loss_of(module(v.unsqueeze(0))[0], label, loss), v)
    return g


def with_values(v, columns, values):
    person = v.clone()
    for column, value in zip(columns, values, strict=True):
        person[column] = value
    return person


def is_same_person(v, columns, values):
    pairs = zip(columns, values, strict=True)
    return all(abs(float(v[column]) - value) <= SAME for column, value in pairs)


def similar_counterpart(module, v, label, columns, grid, loss):
    """Row of the grid, -1 where I(v) holds nobody but v."""
    best, largest = -1, -1.0
    for row, values in enumerate(grid):
        if is_same_person(v, columns, values):
            continue
        person = with_values(v, columns, values)
        norm = float(gradient(module, person, label, loss).abs().sum())
        if norm > largest:
            best, largest = row, norm
    return best


def sign(number):
    return (number > 0) - (number < 0)


def direction_of(kind, g, h, zero_gradient="still"):
    if kind == "true_biased":
        if g == h:
            return 0
        return h if g == 0 and zero_gradient == "counterpart" else -g
    if kind == "false_fair":
        return g if g == h else 0
    if kind == "false_biased":
        if g == h:
            return 0
        return -h if g == 0 and zero_gradient == "counterpart" else g
    assert kind == "benign"
    return -g if g == h else 0


def walk(
    kind,
    module,
    seed,
    label,
    columns,
    grid,
    *,
    steps,
    step_size,
    loss="mse",
    zero_gradient="still",
    counterpart="every_step",
    epsilon=math.inf,
    lower=0.0,
    upper=1.0,
    fixed=(),
):
    """Algorithm 1 (three kinds) or Algorithm 2 (``"benign"``); returns the steps + 1 iterates."""
    v, path, row = seed.clone(), [seed.clone()], None
    lengths = [step_size] * len(seed) if isinstance(step_size, float) else list(step_size)
    for _ in range(steps):
        if row is None or counterpart == "every_step":
            row = similar_counterpart(module, v, label, columns, grid, loss)
        other = v if row < 0 else with_values(v, columns, grid[row])
        g = gradient(module, v, label, loss)
        h = gradient(module, other, label, loss)
        moved = v.clone()
        for i in range(len(v)):
            if i in fixed:
                continue
            move = direction_of(kind, sign(float(g[i])), sign(float(h[i])), zero_gradient)
            place = float(v[i]) + lengths[i] * move
            place = min(max(place, float(seed[i]) - epsilon), float(seed[i]) + epsilon)
            moved[i] = min(max(place, lower), upper)
        v = moved
        path.append(v.clone())
    return path


def decision(module, v):
    with torch.no_grad():
        scores = module(v.unsqueeze(0))[0].tolist()
    return scores.index(max(scores))


LABEL_DISTANCES = {"discrete": lambda a, b: float(a != b), "absolute": lambda a, b: abs(a - b)}
PERSON_DISTANCES = {
    "l1": lambda gaps: sum(gaps),
    "l2": lambda gaps: math.sqrt(sum(gap * gap for gap in gaps)),
    "linf": max,
}


def people(v, columns, grid):
    """v itself and everyone in I(v)."""
    return [v, *(with_values(v, columns, values) for values in grid)]


def distance(v, w, d):
    return PERSON_DISTANCES[d]([abs(a - b) for a, b in zip(v.tolist(), w.tolist(), strict=True)])


def judge(module, v, label, columns, grid, K=0.0, D="discrete", d="l1"):
    """(accurate, fair, robustly accurately fair by Definition 3.1) of one instance."""
    apart, own = LABEL_DISTANCES[D], decision(module, v)
    fair = accurate_fair = True
    for person in people(v, columns, grid):
        given, allowed = decision(module, person), K * distance(v, person, d)
        fair &= apart(own, given) <= allowed
        accurate_fair &= apart(label, given) <= allowed
    return own == label, fair, accurate_fair


def exact_derivative(logits, label, loss):
    """∂l/∂z for a list of floats as ``(sign, log |.|)`` per class, in 900-digit arithmetic."""
    with localcontext() as context:
        context.prec = 900
        z = [Decimal(value) for value in logits]
        top = max(z)
        powers = [(value - top).exp() for value in z]
        p = [power / sum(powers) for power in powers]
        off = [share - (j == label) for j, share in enumerate(p)]
        off[label] = -sum(share for j, share in enumerate(p) if j != label)
        if loss == "cross_entropy":
            parts = off
        elif loss == "error_probability":
            parts = [p[label] * gap for gap in off]
        else:
            mean = sum(a * b for a, b in zip(p, off, strict=True))
            parts = [2 * a * (b - mean) / len(z) for a, b in zip(p, off, strict=True)]
        context.prec = 30
        return [(sign(part), float(abs(part).ln()) if part else -math.inf) for part in parts]
