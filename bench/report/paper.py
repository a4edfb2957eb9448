"""What Tayal et al. report, and where it may stand beside what was measured here: only where the setting is theirs."""

from __future__ import annotations

from dataclasses import dataclass

from solvers import create

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
IMAGES = 10_000  # of the test split, all of which the paper uses


@dataclass(frozen=True)
class Setting:
    """What was measured, as far as the paper says anything about it: it uses Fashion-MNIST without noise.

    The embedded sample is the beginning of Fashion-MNIST, and so a part of the paper's images.
    """

    dataset: str
    split: str
    photons: float | None

    @property
    def is_the_papers(self) -> bool:
        return self.dataset in ("fashion_mnist", "sample") and self.split == "test" and self.photons is None


def paper_mse(label: str, variant: str, setting: Setting) -> float | None:
    """What the paper reports for this solver on this variant; None where it measured something else.

    A label with parameters is the paper's method as long as the solver uses the same information as without them.
    """
    name = label.partition("[")[0]
    figure = FIGURES.get((name, variant)) if setting.is_the_papers else None
    return figure if figure is None or create(label).information() == create(name).information() else None
