"""From how many rows on oneDNN's kernels are faster than torch's own, on the layers of FCNN(6).

python benchmarks/kernels.py [--threads 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import torch

from rafair.problem.kernels import (
    drawn,
    has_onednn,
    layer_kernel,
    linear_relu,
    product_kernel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = ((32, 13), (64, 32), (128, 64), (64, 128), (32, 64))


def microseconds(run: Callable[[], object], repeats: int = 300) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 1e6 * statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not has_onednn():
        raise SystemExit("this torch was built without oneDNN")
    weights = [(drawn(*shape), drawn(shape[0])) for shape in SHAPES]
    layers = [layer_kernel(*shape, has_bias=True) for shape in SHAPES]
    products = [product_kernel(*shape) for shape in SHAPES]
    print("alike:", [kernel is not linear_relu for kernel in layers], end=" ")
    print([kernel is not torch.mm for kernel in products])
    print(f"{'rows':>6}{'forward':>10}{'oneDNN':>10}{'backward':>10}{'oneDNN':>10}   µs, 5 layers")
    for n in (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384):
        found = [0.0] * 4
        for (weight, bias), layer, product in zip(weights, layers, products, strict=True):
            x, u = drawn(n, weight.shape[1]), drawn(n, weight.shape[0])
            found[0] += microseconds(lambda: linear_relu(x, weight, bias))  # noqa: B023
            found[1] += microseconds(lambda: layer(x, weight, bias))  # noqa: B023
            found[2] += microseconds(lambda: torch.mm(u, weight))  # noqa: B023
            found[3] += microseconds(lambda: product(u, weight))  # noqa: B023
        print(f"{n:>6}" + "".join(f"{value:>10.0f}" for value in found))


if __name__ == "__main__":
    main()
