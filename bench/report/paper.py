"""What Tayal et al. report, and where it may stand beside what was measured here: only where the setting is theirs."""

from __future__ import annotations

from datasets.problem import Problem
from solvers import SolverError, create

# Tables 1 and 2: by solver name and variant, the mean error over all test images.
FIGURES: dict[tuple[str, str], float] = {
    ("unet_b", "none"): 0.103,
    ("unet_b", "flip"): 0.168,
    ("unet_b", "shift"): 0.249,
    ("unet_b", "shift_flip"): 0.248,
    ("unet_a", "none"): 0.103,
    ("unet_a", "flip"): 0.162,
    ("unet_a", "shift"): 0.102,
    ("unet_a", "shift_flip"): 0.161,
    ("alm", "shift_flip"): 0.299,
}
DATASETS = ("fashion_mnist", "sample")
IMAGES = 10_000  # of the test split, all of which the paper uses


def paper_mse(label: str, problem: Problem) -> float | None:
    """What the paper reports for this solver on this problem; None where it measured something else, or nobody knows.

    It uses Fashion-MNIST without noise. The embedded sample is the beginning of that, and so a part of its images.

    A label with parameters is the paper's method as long as the solver uses the same information as without them, and
    no file of the user's: weights of another training are another network.
    """
    name = label.partition("[")[0]
    theirs = problem.dataset in DATASETS and problem == Problem(dataset=problem.dataset, variant=problem.variant)
    figure = FIGURES.get((name, problem.variant)) if theirs else None
    if figure is None:
        return None
    try:
        solver = create(label)
    except SolverError:  # of an older version
        return None
    return figure if solver.information() == create(name).information() and not solver.named_files() else None
