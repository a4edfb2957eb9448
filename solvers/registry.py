"""Solvers by label: the ones of this package, and plug-ins.

A plug-in is a `Solver` subclass that is asked for by where it lies, or announced as an entry point in the group
`phasebench.solvers` under its own `name`; `datasets.registry` says what is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

from datasets import registry
from datasets.registry import Parameter, parameters
from solvers.base import Information, Solver
from solvers.errors import BrokenPluginError, ParameterError, SolverError, UnknownSolverError

__all__ = ["BUILT_IN", "GROUP", "Parameter", "blaming", "canonical", "contents", "create", "information", "names",
           "parameters", "solver_class"]  # fmt: skip

GROUP = "phasebench.solvers"

BUILT_IN: Mapping[str, str] = {
    "alm": "solvers.alm.solver:AugmentedLagrangian",
    "er": "solvers.projection.er:ErrorReduction",
    "hio": "solvers.projection.hio:HybridInputOutput",
    "raar": "solvers.projection.raar:RelaxedAveragedAlternatingReflections",
    "difference_map": "solvers.projection.difference_map:DifferenceMap",
    "rrr": "solvers.projection.rrr:RelaxedReflectReflect",
    "graar": "solvers.projection.graar:SmoothedReflections",
    "gps": "solvers.projection.gps:GeneralizedProximalSmoothing",
    "cycle": "solvers.projection.cycle:Cycle",
    "unet_b": "solvers.learned.unet_b:UNetB",
    "unet_a": "solvers.learned.unet_a:UNetA",
    "chain": "solvers.composed.chain:Chain",
    "pnp": "solvers.prior.pnp:PlugAndPlay",
    "daps": "solvers.prior.daps:DecoupledAnnealing",
    "deep_image_prior": "solvers.prior.deep_image_prior:DeepImagePrior",
}


def _plugins() -> dict[str, list[EntryPoint]]:
    return registry.plugins(GROUP)


_SOLVERS: registry.Registry[Solver] = registry.Registry(
    noun="solver",
    written="solvers.Solver",
    base=Solver,  # type: ignore[type-abstract]  # it is asked for subclasses, never made
    methods=("information", "prepare", "solve", "files", "weights_digest", "parts"),
    built_in=BUILT_IN,
    plugins=lambda: _plugins(),
    unknown=UnknownSolverError,
    broken=BrokenPluginError,
    refused=ParameterError,
    ours=SolverError,
)

names = _SOLVERS.names
create = _SOLVERS.create
canonical = _SOLVERS.canonical
contents = _SOLVERS.contents
solver_class = _SOLVERS.load
blaming = _SOLVERS.blaming


def information(solver: Solver) -> Information:
    """What a solver says that it uses.

    Raises:
        BrokenPluginError: it raises an error instead, or says something else.
    """
    with blaming(f"solver '{solver.name}' cannot say what it uses"):
        found = solver.information()
        if not isinstance(found, Information):
            raise TypeError(f"information() returned {type(found).__name__}, not Information")
    return found
