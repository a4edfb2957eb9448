"""The command line. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import Exit, RequestError

try:  # typer brings its own copy of click
    from typer._click.exceptions import ClickException
except ImportError:  # or, in its older versions, uses the package
    from click.exceptions import ClickException  # type: ignore[assignment,no-redef]

app = typer.Typer(
    name="bench",
    help="Benchmark of Fourier phase retrieval: recover X from Y = |F X Fᵀ|².",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

INTERRUPTED = 130  # what a shell makes of SIGINT


def _no_option(path: Path) -> Path:
    """Refuse the option that follows where a value was forgotten: `--output --images 5`."""
    if str(path).startswith("-"):
        raise typer.BadParameter(f"'{path}' looks like an option: a path was forgotten")
    return path


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command(
    epilog="Examples:  python -m bench run --solvers alm,unet_a --variants shift_flip --output runs/first   ·   "
    "python -m bench run --solvers 'rrr[nonneg=true,starts=5]' --images 1000 --photons 1e6 --output runs/noise"
)
def run(
    output: Annotated[
        Path, typer.Option(callback=_no_option, help="Folder for the results; a run that was stopped there goes on.")
    ],
    solvers: Annotated[
        str | None, typer.Option(help="Labels, comma-separated: name or name[parameter=value,…].")
    ] = None,
    variants: Annotated[str | None, typer.Option(help="Comma-separated: none, flip, shift, shift_flip.")] = None,
    images: Annotated[int | None, typer.Option(help="How many images of the split, from the first on.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed or seeds, comma-separated.")] = None,
    dataset: Annotated[str | None, typer.Option(help="See: bench list datasets.")] = None,
    split: Annotated[str | None, typer.Option(help="train or test.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder with the four Fashion-MNIST files.")] = None,
    photons: Annotated[float | None, typer.Option(help="Poisson noise: photons per image. None if absent.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    backend: Annotated[str | None, typer.Option(help="auto, numpy, torch or cupy.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or float64.")] = None,
    threads: Annotated[int | None, typer.Option(help="Blocks of images solved side by side.")] = None,
    shard: Annotated[int | None, typer.Option(help="Images per shard: bounds the memory.")] = None,
    executor: Annotated[str | None, typer.Option(help="inline, processes or dask: where shards are solved.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Shards solved side by side; they share the threads, and slow each other down.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one shard, whose process is then ended.")] = None,
    dask_scheduler: Annotated[
        str | None, typer.Option(help="Address of a running dask scheduler; without it, one is started here.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with these options; the command line wins.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw galleries and convergence curves.")] = True,
    debug: Debug = False,
) -> None:
    """Run solvers on the same measurements; write rows, tables, timings, figures and a manifest."""
    from bench.run import run_sweep
    from bench.sweep import request

    sweep = request(
        config,
        **_lists(solvers, variants, seed),
        images=images,
        dataset=dataset,
        split=split,
        data_dir=data_dir,
        photons=photons,
        device=device,
        backend=backend,
        precision=precision,
        threads=threads,
        shard=shard,
        executor=executor,
        workers=workers,
        timeout=timeout,
        dask_scheduler=dask_scheduler,
    )
    result = run_sweep(sweep, output, figures=figures)
    raise typer.Exit(result.status)


@app.command(
    epilog="Examples:  python -m bench train --solver unet_a --variant shift_flip   ·   "
    "python -m bench train --solver unet_b --variant none --images 2000 --epochs 1 --output runs/try"
)
def train(
    solver: Annotated[str, typer.Option(help="unet_a or unet_b.")],
    variant: Annotated[str, typer.Option(help="Symmetries of the training data: none, flip, shift or shift_flip.")],
    output: Annotated[Path, typer.Option(callback=_no_option, help="Folder of the weights and the checkpoint.")] = Path(
        "runs/train"
    ),
    images: Annotated[int, typer.Option(help="Training images; 0 for all but those held out for validation.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the images; fixes the learning-rate schedule.")] = 10,
    preset: Annotated[str, typer.Option(help="default, or paper.")] = "default",
    seed: Annotated[int, typer.Option(help="Seed of initialisation, order and placements.")] = 0,
    batch: Annotated[int, typer.Option(help="Images in a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="At its highest.")] = 1e-3,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in the output folder.")] = True,
    precision: Annotated[str, typer.Option(help="auto, 32-true or bf16-mixed.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[str, typer.Option(help="auto, or how many.")] = "auto",
    threads: Annotated[int, typer.Option(help="On a CPU; 0 for every processor.")] = 0,
    dataset: Annotated[str, typer.Option(help="See: bench list datasets.")] = "fashion_mnist",
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the four Fashion-MNIST files.")] = None,
    debug: Debug = False,
) -> None:
    """Train a learned solver on the training images; a training that was stopped goes on where it was."""
    from bench.train_command import train_command

    weights = train_command(
        solver,
        variant,
        images=images,
        epochs=epochs,
        preset=preset,
        seed=seed,
        batch=batch,
        learning_rate=learning_rate,
        output=output,
        resume=resume,
        precision=precision,
        accelerator=accelerator,
        devices=devices,
        threads=threads,
        dataset=dataset,
        data_dir=data_dir,
    )
    typer.echo(str(weights))


@app.command(
    epilog="Examples:  python -m bench compare runs/first   ·   "
    "python -m bench compare runs/before runs/after --solvers 'rrr[nonneg=true]' --csv compare.csv"
)
def compare(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    other: Annotated[
        Path | None, typer.Argument(help="Another one: each solver is compared with itself there.")
    ] = None,
    solvers: Annotated[str, typer.Option(help="Labels, comma-separated; all if absent.")] = "",
    variants: Annotated[str, typer.Option(help="Comma-separated; all if absent.")] = "",
    csv: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    debug: Debug = False,
) -> None:
    """Compare solvers image by image: paired differences with intervals, signed-rank tests, win rates."""
    from bench.compare import compare as compare_runs
    from solvers.labels import split_labels

    compare_runs(run, other, solvers=tuple(split_labels(solvers)), variants=_words(variants), csv=csv)


@app.command(
    epilog="Examples:  python -m bench check --baseline results/baseline.csv   ·   "
    "python -m bench check --baseline results/baseline.csv --seed 1,2 --tolerance mse=0.1"
)
def check(
    baseline: Annotated[Path, typer.Option(help="File that `bench baseline` made.")],
    current: Annotated[Path | None, typer.Option(help="Folder of a finished run, instead of running again.")] = None,
    seed: Annotated[str | None, typer.Option(help="Run again with these seeds, instead of the baseline's.")] = None,
    tolerance: Annotated[
        str, typer.Option(help="Other tolerances: mse, success_rate, transforms, time = number.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Say whether a solver became worse than a baseline: exit status 1 if one did, 3 if one failed or is gone."""
    from bench.check import check as check_baseline

    seeds = None if seed is None else _words(seed)
    raise typer.Exit(check_baseline(baseline, current, seeds=seeds, tolerances=tolerance))


@app.command(
    epilog="Example:  python -m bench baseline --solvers 'er,rrr[nonneg=true]' --variants shift_flip --images 64 "
    "--output baseline.csv"
)
def baseline(
    output: Annotated[Path, typer.Option(callback=_no_option, help="File to write.")],
    solvers: Annotated[str | None, typer.Option(help="Labels, comma-separated.")] = None,
    variants: Annotated[str | None, typer.Option(help="Comma-separated: none, flip, shift, shift_flip.")] = None,
    images: Annotated[int | None, typer.Option(help="How many images of the split, from the first on.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed or seeds, comma-separated.")] = None,
    dataset: Annotated[str | None, typer.Option(help="See: bench list datasets.")] = None,
    photons: Annotated[float | None, typer.Option(help="Poisson noise: photons per image. None if absent.")] = None,
    threads: Annotated[int | None, typer.Option(help="Blocks of images solved side by side.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with all options of `bench run`.")] = None,
    debug: Debug = False,
) -> None:
    """Run a sweep and write what `bench check` compares with: a text file to commit."""
    from bench.baseline import make_baseline
    from bench.sweep import request

    sweep = request(
        config,
        **_lists(solvers, variants, seed),
        images=images,
        dataset=dataset,
        photons=photons,
        threads=threads,
    )
    raise typer.Exit(make_baseline(sweep, output))


@app.command(epilog="Example:  python -m bench status --output runs/first")
def status(
    output: Annotated[Path, typer.Option(help="Folder of a run, also of one that is still at work.")],
    debug: Debug = False,
) -> None:
    """List the shards of a run: done, missing, failed, corrupt, and stale ones that nothing asks for any more."""
    from bench.status import show_status

    show_status(output)


@app.command(
    epilog="Example:  python -m bench verify --solvers 'mine[iterations=100],rrr'",
)
def verify(
    solvers: Annotated[str, typer.Option(help="Labels, comma-separated: name or name[parameter=value,…].")],
    variant: Annotated[str, typer.Option(help="Symmetries of the data: a learned solver has weights for each.")] = (
        "shift_flip"
    ),
    debug: Debug = False,
) -> None:
    """Check the contract that every solver keeps, for authors of plug-ins: exit status 3 where one is broken."""
    from bench.verify import verify as verify_solvers
    from solvers.labels import split_labels
    from solvers.registry import canonical

    labels = dict.fromkeys(map(canonical, split_labels(solvers)))
    raise typer.Exit(verify_solvers(tuple(labels), variant))


@app.command("list", epilog="Example:  python -m bench list solvers")
def list_(
    what: Annotated[str, typer.Argument(help="solvers, variants or datasets.")],
    debug: Debug = False,
) -> None:
    """Show what there is: solvers with their parameters and the information they use, variants, data sets."""
    from bench.listing import show

    show(what)


def main() -> None:
    """Run the command line: every error is one line and an exit status; `--debug` shows its traceback as well."""
    try:
        status = app(standalone_mode=False)
    except ClickException as error:
        if error.format_message():  # empty where the help was shown instead
            _say(error.format_message())
        sys.exit(Exit.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        if not _expected(error):
            _say(f"internal error, {type(error).__name__}: {error} (--debug shows where; please report it)")
            sys.exit(Exit.BUG)
        _say(str(error))
        sys.exit(getattr(error, "status", Exit.USAGE))
    if status == INTERRUPTED:  # typer in its newer versions returns it instead of the exception
        _say("stopped; the same command goes on where it was")
    sys.exit(status or 0)


def _expected(error: Exception) -> bool:
    """Whether an error tells the user what to change, instead of telling us."""
    from datasets.errors import DatasetError
    from solvers.errors import SolverError

    return isinstance(error, RequestError | DatasetError | SolverError | OSError)


def _lists(solvers: str | None, variants: str | None, seed: str | None) -> dict[str, tuple[str, ...] | None]:
    """The comma-separated options of a sweep as the lists that a request takes; None where one was not given."""
    from solvers.labels import split_labels

    return {
        "solvers": None if solvers is None else tuple(split_labels(solvers)),
        "variants": None if variants is None else _words(variants),
        "seeds": None if seed is None else _words(seed),
    }


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _say(message: str) -> None:
    print("bench: " + " ".join(message.split()), file=sys.stderr)
