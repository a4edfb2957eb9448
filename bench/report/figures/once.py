"""A figure that is laid out once and drawn once when it is saved, to the same bytes as any other."""

from __future__ import annotations

import warnings
from typing import Any

import matplotlib as mpl
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine, PlaceHolderLayoutEngine

from bench.errors import RequestError


class DrawnOnce(Figure):
    """A figure with a constrained layout, of whose work matplotlib does a third for nothing."""

    def __init__(self, size: tuple[float, float], **options: Any) -> None:
        """Of so many inches, (width, height)."""
        super().__init__(figsize=size, layout="constrained", **options)

    def draw(self, renderer: RendererBase) -> None:
        """Draw it; or only lay it out, where that is all that it is drawn for.

        `savefig` draws a figure without output, so that its layout engine comes to work, and once more with an engine
        in its place that does nothing.
        """
        engine = self.get_layout_engine()
        if engine is None or isinstance(engine, PlaceHolderLayoutEngine) or not self.canvas.is_saving():
            super().draw(renderer)
        else:
            self._execute(engine)

    def lay_out(self) -> None:
        """Lay it out as it is, once and for all."""
        engine = self.get_layout_engine()
        if engine is not None:
            self._execute(engine)
            self.set_layout_engine(None)

    def _execute(self, engine: LayoutEngine) -> None:
        for ax in self.axes:  # spines without ticks need no more room than the axes, but are asked again and again
            ax.spines["top"].set_in_layout(bool(mpl.rcParams["xtick.top"]))
            ax.spines["right"].set_in_layout(bool(mpl.rcParams["ytick.right"]))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "constrained_layout not applied")
            try:
                engine.execute(self)
            except UserWarning as error:
                width, height = self.get_size_inches()
                raise RequestError(f"--size {width:g}x{height:g} is too small for what is to be shown") from error
