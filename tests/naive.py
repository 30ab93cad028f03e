"""The baseline attacks, naively: float64, autograd, one instance and one feature at a time.

Written from the papers and sharing no code with the package but its noise, handed in as
``draw(stream, width)``, a list of numbers in [0, 1). Δ is handed in as its corners.
"""

import math
from fractions import Fraction

import torch

from rafair.problem import Noise
from reference import decision, gradient, is_same_person, loss_at, sign, with_values

LEAST_SALIENCY = 1e-6


def corners(seed, epsilon, fixed):
    low, high = seed.clone(), seed.clone()
    for i in range(len(seed)):
        if i not in fixed:
            low[i] = max(float(seed[i]) - epsilon, 0.0)
            high[i] = min(float(seed[i]) + epsilon, 1.0)
    return low, high


def inside(v, low, high):
    pairs = zip(v.tolist(), low.tolist(), high.tolist(), strict=True)
    return torch.tensor([min(max(p, a), b) for p, a, b in pairs], dtype=torch.float64)


def stepped(v, lengths, moves, low, high):
    there = v.clone()
    for i, move in enumerate(moves):
        there[i] = float(v[i]) + lengths[i] * move
    return inside(there, low, high)


def signs(g):
    return [sign(number) for number in g.tolist()]


def dot(a, b):
    return math.fsum(p * q for p, q in zip(a.tolist(), b.tolist(), strict=True))


def between(low, high, shares):
    places = zip(low.tolist(), high.tolist(), shares, strict=True)
    return torch.tensor([a + share * (b - a) for a, b, share in places], dtype=torch.float64)


def fgsm(module, seed, label, loss, low, high):
    v = seed.clone()
    for i, direction in enumerate(signs(gradient(module, seed, label, loss))):
        if direction:
            v[i] = high[i] if direction > 0 else low[i]
    return v


def pgd(module, start, label, loss, low, high, *, steps, step_size):
    path = [start]
    for _ in range(steps):
        moves = signs(gradient(module, path[-1], label, loss))
        path.append(stepped(path[-1], [step_size] * len(start), moves, low, high))
    return path


def checkpoints(steps):
    """w_j of Auto-PGD, in exact fractions."""
    before, share, marks = Fraction(0), Fraction(22, 100), []
    while share <= 1:
        marks.append(math.ceil(share * steps))
        wait = max(share - before - Fraction(3, 100), Fraction(6, 100))
        before, share = share, share + wait
    return marks


def hestenes_stiefel(g, old, s):
    """β of the ascent direction g + β s, 0 where it is 0 / 0."""
    change = old - g
    below = dot(s, change)
    return dot(g, change) / below if below else 0.0


def adaptive(kind, module, seed, start, label, loss, low, high, *, steps, rho, alpha=0.75):
    """Auto-PGD (``"apgd"``) or ACG (``"acg"``): the points, and the best of them."""

    def at(x, **carried):
        f = loss_at(module, x, label, loss)
        return {"x": x, "f": f, "g": gradient(module, x, label, loss), **carried}

    nothing = torch.zeros_like(seed)
    here = at(start, before=start, s=nothing, old=nothing)
    pairs = zip(seed.tolist(), low.tolist(), high.tolist(), strict=True)
    lengths = [2 * max(b - p, p - a) for p, a, b in pairs]
    best, best_then, halved, rises, since, path = here, here["f"], False, 0, 0, [start]
    for k in range(steps):
        x, g = here["x"], here["g"]
        s = g
        if kind == "acg" and k:
            s = g + hestenes_stiefel(g, here["old"], here["s"]) * here["s"]
        there = stepped(x, lengths, signs(s), low, high)
        if kind == "apgd" and k:
            there = x + alpha * (there - x) + (1 - alpha) * (x - here["before"])
        reached = at(inside(there, low, high), before=x, s=s, old=g)
        path.append(reached["x"])
        rises += reached["f"] > here["f"]
        best = reached if reached["f"] > best["f"] else best
        here = reached
        if k + 1 in checkpoints(steps):
            few = rises < rho * (k + 1 - since)
            halved = few or (not halved and best["f"] == best_then)
            if halved:
                lengths, here = [length / 2 for length in lengths], best
            rises, since, best_then = 0, k + 1, best["f"]
    return path, best["x"]


def probabilities(module, v):
    with torch.no_grad():
        return torch.softmax(module(v.unsqueeze(0))[0], dim=0).tolist()


def drawn_member(members, share):
    return members[int(share * len(members))]


def drawn_feature(weights, share):
    reached, total = 0.0, sum(weights)
    for i, weight in enumerate(weights):
        reached += weight
        if reached > share * total:
            return i
    return 0


def drawn_moves(weights, shares):
    moves = [0] * len(weights)
    moves[drawn_feature(weights, shares[0])] = -1 if shares[1] < 0.5 else 1
    return moves


def rarely_felt(g, h, fixed):
    """The chances of the features: the reciprocals of their saliencies, the largest being 1."""
    felt = [abs(a) + abs(b) for a, b in zip(g.tolist(), h.tolist(), strict=True)]
    largest = max(felt) or 1.0
    return [
        0.0 if i in fixed else 1 / (saliency / largest + LEAST_SALIENCY)
        for i, saliency in enumerate(felt)
    ]


def is_discriminatory(module, v, columns, grid):
    return any(decision(module, with_values(v, columns, p)) != decision(module, v) for p in grid)


def furthest(module, v, columns, grid):
    own, others = probabilities(module, v), [p for p in grid if not is_same_person(v, columns, p)]
    if not others:
        return v
    people = [with_values(v, columns, values) for values in others]
    gaps = [
        sum(abs(a - b) for a, b in zip(own, probabilities(module, w), strict=True)) for w in people
    ]
    return people[gaps.index(max(gaps))]


def dissenter(module, v, columns, grid, share):
    people = [with_values(v, columns, values) for values in grid]
    own = decision(module, v)
    return drawn_member([w for w in people if decision(module, w) != own], share)


def discriminate(
    module,
    seed,
    columns,
    grid,
    low,
    high,
    draw,
    *,
    steps,
    step_size,
    loss,
    decay=0.0,
    update_interval=1,
):
    """ADF (cross-entropy, no decay, an interval of 1) or EIDIG: every point, and the last good one.

    Looking at point t takes stream 2t, the local step from there 2t + 1.
    """
    d, fixed = len(seed), columns
    v, path, memory = seed, [seed], [torch.zeros_like(seed)] * 2
    found = is_discriminatory(module, v, columns, grid)
    looked, home = 0, (seed, 0)
    weights, home_weights, accepted = None, None, 0
    for t in range(steps):
        if not found:
            label, other = decision(module, v), furthest(module, v, columns, grid)
            memory = [
                decay * m + gradient(module, w, label, loss)
                for m, w in zip(memory, (v, other), strict=True)
            ]
            moves = [a if a == b else 0 for a, b in zip(*map(signs, memory), strict=True)]
            moves = [0 if i in fixed else move for i, move in enumerate(moves)]
            v = stepped(v, [step_size] * d, moves, low, high)
            path.append(v)
            if is_discriminatory(module, v, columns, grid):
                found, home, looked = True, (v, 2 * t + 2), 2 * t + 2
            continue
        if weights is None or accepted >= update_interval:
            w = dissenter(module, v, columns, grid, draw(looked, 1)[0])
            g, h = (gradient(module, p, decision(module, p), loss) for p in (v, w))
            home_weights = rarely_felt(g, h, fixed) if weights is None else home_weights
            weights, accepted = rarely_felt(g, h, fixed), 0
        moves = drawn_moves(weights, draw(2 * t + 1, 2))
        there = stepped(v, [step_size] * d, moves, low, high)
        path.append(there)
        if is_discriminatory(module, there, columns, grid):
            v, looked, accepted = there, 2 * t + 2, accepted + 1
        else:
            (v, looked), weights, accepted = home, home_weights, 0
    return path, v


def clusters(module, v, columns, grid, width, shares):
    """Two of the largest cluster, one of the lowest, one of the highest; and how far these are."""
    people = [with_values(v, columns, values) for values in grid]
    own, n_bins = decision(module, v), int(1 / width) + 1
    bins = [min(int(probabilities(module, w)[own] / width), n_bins - 1) for w in people]
    count = [bins.count(b) for b in range(n_bins)]
    wanted = [count.index(max(count))] * 2 + [min(bins), max(bins)]
    chosen = [
        drawn_member([w for w, b in zip(people, bins, strict=True) if b == place], share)
        for place, share in zip(wanted, shares, strict=True)
    ]
    return chosen[:2], chosen[2:], max(bins) - min(bins)


def dice(module, seed, columns, grid, low, high, draw, *, steps, step_size, max_iter, epsilon):
    """Every point, the last one kept, and the spread of its clusters.

    Step t takes stream 3t + 1, looking at where it leads 3t + 2; looking at the seed stream 0.
    """
    d, fixed, v, path = len(seed), columns, seed, [seed]
    alike, apart, spread = clusters(module, v, columns, grid, epsilon, draw(0, 4))
    for t in range(steps):
        seeking = t < max_iter
        pair = alike if seeking else apart
        g, h = (gradient(module, w, decision(module, w), "cross_entropy") for w in pair)
        if seeking:
            a, b = signs(g), signs(h)
            a, b = (a if any(a) else b), (b if any(b) else a)
            moves = [p if p == q else 0 for p, q in zip(a, b, strict=True)]
            moves = [0 if i in fixed else move for i, move in enumerate(moves)]
            if not any(moves):
                anywhere = [float(i not in fixed) for i in range(d)]
                moves = drawn_moves(anywhere, draw(3 * t + 1, 2))
        else:
            moves = drawn_moves(rarely_felt(g, h, fixed), draw(3 * t + 1, 2))
        there = stepped(v, [step_size] * d, moves, low, high)
        path.append(there)
        look = clusters(module, there, columns, grid, epsilon, draw(3 * t + 2, 4))
        if seeking or look[2] >= spread:
            v, (alike, apart, spread) = there, look
    return path, v, spread


def draws(noise, row):
    """The numbers that a row of the package's noise gives."""
    return lambda stream, width: noise.uniform(stream, width)[row].tolist()


def stacked(paths):
    """Paths of n seeds, each a list of points, as (points, n, d)."""
    return torch.stack([torch.stack(path) for path in paths], dim=1)


def assert_same(result, points, ends):
    torch.testing.assert_close(result.trajectory.points, points, rtol=0, atol=1e-9)
    torch.testing.assert_close(result.x_adv, ends, rtol=0, atol=1e-9)


def losses_at(problem, points, loss):
    """The losses of (n, d) or (points, n, d), shape (n,) or (points, n)."""
    if points.ndim == 3:
        return torch.stack([losses_at(problem, row, loss) for row in points])
    rows = zip(points, problem.y.tolist(), strict=True)
    losses = [loss_at(problem.module, row, label, loss) for row, label in rows]
    return torch.tensor(losses, dtype=torch.float64)


def follow_adaptive(problem, attack, epsilon):
    """The points of APGD or ACG from every start, and the ends."""
    noise, paths, ends = Noise.of(problem.x, problem.y, attack.random_state), [], []
    for i, (seed, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        low, high = corners(seed, epsilon, problem.counterparts.columns)
        path, found = [seed], []
        for run in range(attack.restarts):
            start = seed
            if run or attack.random_start:
                start = between(low, high, draws(noise, i)(run, len(seed)))
            points, end = adaptive(
                attack.family,
                problem.module,
                seed,
                start,
                label,
                attack.loss,
                low,
                high,
                steps=attack.steps,
                rho=attack.rho,
                alpha=getattr(attack, "alpha", None),
            )
            path += points
            found.append((loss_at(problem.module, end, label, attack.loss), end))
        paths.append(path)
        ends.append(max(found, key=lambda pair: pair[0])[1])
    return stacked(paths), torch.stack(ends)


OUTPUTS = {"adf": "cross_entropy", "eidig": "error_probability"}


def follow_search(problem, attack, epsilon):
    """The points of ADF or EIDIG, and the ends."""
    noise = Noise.of(problem.x, torch.zeros_like(problem.y), attack.random_state)
    columns, found = problem.counterparts.columns, []
    for i, seed in enumerate(problem.x):
        found.append(
            discriminate(
                problem.module,
                seed,
                columns,
                problem.grid,
                *corners(seed, epsilon, columns),
                draws(noise, i),
                steps=attack.steps,
                step_size=attack.step_size,
                loss=OUTPUTS[attack.family],
                decay=getattr(attack, "decay", 0.0),
                update_interval=getattr(attack, "update_interval", 1),
            )
        )
    paths, ends = zip(*found, strict=True)
    return stacked(paths), torch.stack(ends)


def assert_adaptive(problem, attack, epsilon=0.06):
    assert_same(attack.run(*problem.arguments), *follow_adaptive(problem, attack, epsilon))


def assert_search(problem, attack, epsilon=0.06):
    assert_same(attack.run(*problem.arguments), *follow_search(problem, attack, epsilon))
