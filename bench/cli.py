"""The command line. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import Exit, OutputClosed, say, tell
from bench.options import OPTIONS, Option, flag

try:  # typer brings its own copy of click
    from typer._click.exceptions import ClickException
except ImportError:  # or, in its older versions, uses the package
    from click.exceptions import ClickException  # type: ignore[assignment]

SCRIPT = "phasebench"
CALLED = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m bench"  # as the help shows it

app = typer.Typer(
    name="bench",
    help="Benchmark of Fourier phase retrieval: recover X from Y = |F X Fᵀ|².",
    no_args_is_help=True,
    rich_markup_mode=None,  # which would take the brackets of a label for markup
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        from bench import __version__

        typer.echo(f"phasebench {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options that are no command's."""


def _path(text: object) -> Path:
    """A path, `~` being the user's home. `--output --images 5` has forgotten one."""
    path = str(text)
    if not path:
        raise typer.BadParameter("a path is empty")
    if path.startswith("-"):
        raise typer.BadParameter(f"'{path}' looks like an option: a path was forgotten (or write './{path}')")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - a user that there is not is left as it is, not an error


def _whole(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise typer.BadParameter(f"takes a whole number, not '{text}'") from None


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        raise typer.BadParameter(f"takes a number, not '{text}'") from None


def _count(text: object) -> int:
    count = _whole(text)
    if count < 0:
        raise typer.BadParameter(f"takes a whole number of at least 0, not '{text}'")
    return count


def _command(*examples: str, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command, whose help ends with examples to copy, one a line."""
    lines = "".join(f"\n  {CALLED} {example}" for example in examples)
    epilog = f"\b\nExample{'s' * (len(examples) > 1)}:{lines}"

    def register(function: Callable[..., None]) -> Callable[..., None]:
        return app.command(name, epilog=epilog, short_help=function.__doc__)(function)  # a short help is not cut off

    return register


def _sweep(names: Iterable[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, whose `given` they are, these options of a sweep, after its first parameter."""
    options = [_option(name, OPTIONS[name]) for name in names]

    def extend(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True)
        first, *rest = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        known = [p.replace(kind=p.KEYWORD_ONLY) for p in (first, *options, *rest)]
        function.__signature__ = own.replace(parameters=known)  # type: ignore[attr-defined]  # it is what typer reads
        function.__annotations__ = {p.name: p.annotation for p in known}
        return function

    return extend


def _option(name: str, option: Option) -> inspect.Parameter:
    described = _OPTIONS.get(option.kind, typer.Option)(flag(name), help=option.help)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[option.kind | None, described]
    )


_PathOption = partial(typer.Option, parser=_path, metavar="<path>")
_WholeOption = partial(typer.Option, parser=_whole, metavar="INTEGER")
_CountOption = partial(typer.Option, parser=_count, metavar="INTEGER")
_NumberOption = partial(typer.Option, parser=_number, metavar="FLOAT")
_OPTIONS: dict[type, Callable[..., Any]] = {Path: _PathOption, int: _WholeOption, float: _NumberOption}
_PathArgument = partial(typer.Argument, parser=_path)
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@_command(
    "run --solvers alm,unet_a --variants shift_flip --output runs/first",
    "run --solvers 'rrr[nonneg=true],unet_a' --variants shift_flip --photons none,1e6,1e4 --output runs/photons",
    "run --dataset 'images[path=my/folder]' --solvers 'rrr[nonneg=true]' --variants none --images 20 --output runs/own",
)
@_sweep(OPTIONS)
def run(
    output: Annotated[Path, _PathOption(help="Folder for the results; a run that was stopped there goes on.")],
    config: Annotated[Path | None, _PathOption(help="TOML file with these options; the command line wins.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw galleries and convergence curves.")] = True,
    debug: Debug = False,
    **given: Any,
) -> None:
    """Run solvers on the same measurements; write rows, tables, timings, figures and a manifest."""
    from bench.commands.run import run as run_sweep
    from bench.request import request

    result = run_sweep(request(config, **given), output, figures=figures)
    raise typer.Exit(result.status)


@_command(
    "train --solver unet_a --variant shift_flip",
    "train --solver unet_b --variant none --images 2000 --epochs 1 --output runs/try",
)
def train(
    solver: Annotated[
        str, typer.Option(help="Label of a learned solver: unet_a, 'unet_b[preset=noise]', or a plug-in.")
    ],
    variant: Annotated[str, typer.Option(help="Symmetries of the training data: none, flip, shift or shift_flip.")],
    output: Annotated[
        Path | None, _PathOption(help="Folder of weights, checkpoint and history; runs/train if absent.")
    ] = None,
    images: Annotated[
        int | None, _WholeOption(help="Training images; 0 for all but those held out for validation.")
    ] = None,
    epochs: Annotated[
        int | None, _WholeOption(help="Passes over the images; fixes the learning-rate schedule. 10 if absent.")
    ] = None,
    frame: Annotated[str | None, typer.Option(help="Size, such as 42 or 40x48; without it, the image set's.")] = None,
    grid: Annotated[str | None, typer.Option(help="Size of the pattern; without it, the image set's.")] = None,
    photons: Annotated[
        str | None,
        typer.Option(help="Poisson noise: none, a number, or a range such as 1e3:1e9; without it, the preset's."),
    ] = None,
    deform: Annotated[
        bool | None, typer.Option("--deform", help="Deform the images a little, anew in every epoch.")
    ] = None,
    start_from: Annotated[Path | None, _PathOption(help="Weights to begin with, instead of random ones.")] = None,
    seed: Annotated[int | None, _WholeOption(help="Seed of initialisation, order and placements.")] = None,
    batch: Annotated[int | None, _WholeOption(help="Images in a step; 32 if absent.")] = None,
    learning_rate: Annotated[float | None, _NumberOption(help="Peak learning rate; 0.001 if absent.")] = None,
    resume: Annotated[bool | None, typer.Option(help="Go on from the checkpoint in the output folder.")] = None,
    overwrite: Annotated[
        bool | None, typer.Option("--overwrite", help="Replace weights that lie in the output folder.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, 32-true or bf16-mixed.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    devices: Annotated[str | None, typer.Option(help="GPUs: auto, or how many.")] = None,
    threads: Annotated[int | None, _WholeOption(help="On a CPU; 0 for every processor.")] = None,
    dataset: Annotated[str | None, typer.Option(help=OPTIONS["dataset"].help)] = None,
    data_dir: Annotated[Path | None, _PathOption(help=OPTIONS["data_dir"].help)] = None,
    debug: Debug = False,
) -> None:
    """Train a learned solver on the training images; a training that was stopped goes on where it was."""
    from bench.commands.train import train_command

    weights = train_command(
        solver,
        variant=variant,
        frame=frame,
        grid=grid,
        photons=photons,
        deform=deform,
        start_from=start_from,
        images=images,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        seed=seed,
        output=output,
        resume=resume,
        overwrite=overwrite,
        accelerator=accelerator,
        devices=devices,
        threads=threads,
        precision=precision,
        dataset=dataset,
        data_dir=data_dir,
    )
    typer.echo(str(weights))


@_command(
    "reconstruct pattern.npy --output runs/object",
    "reconstruct scan.h5:/entry/data --slice 12 --centre 126,127 --crop 128x128 --object 60x60 --output runs/slice12",
    "reconstruct counts.tif --mask dead.npy --mask saturated --beamstop 3 "
    "--solver 'raar[support=\"shrinkwrap[keep=last]\"]' --starts 50 --output runs/counts",
)
def reconstruct(
    file: Annotated[
        str,
        typer.Argument(help="A pattern: .npy, .npz:name, .tif, .png, .h5:/path, .cxi:/path.", metavar="FILE"),
    ],
    output: Annotated[Path, _PathOption(help="Folder for the object; a command that was stopped there goes on.")],
    which: Annotated[int | None, _WholeOption("--slice", help="Which pattern of a stack, from 0 on.")] = None,
    object_: Annotated[
        str | None, typer.Option("--object", help="Size of a box that holds the object: 100, 100x80; else estimated.")
    ] = None,
    support: Annotated[
        str | None, typer.Option(help="File with a mask of the object, not zero inside, instead of a box.")
    ] = None,
    centre: Annotated[str, typer.Option(help="Where the zero frequency is: auto, corner, middle or ROW,COL.")] = "auto",
    mask: Annotated[
        list[str] | None,
        typer.Option(help="Not measured: nan, saturated, a value, or where a file is zero. May be given again."),
    ] = None,
    beamstop: Annotated[
        float | None, _NumberOption(help="Radius in pixels of a disc around the zero frequency that is not measured.")
    ] = None,
    crop: Annotated[str | None, typer.Option(help="Rows and columns kept around the zero frequency: 128.")] = None,
    bin_: Annotated[int, _WholeOption("--bin", help="Add up counts of so many rows and columns.")] = 1,
    real: Annotated[bool, typer.Option("--real", help="The object is real; else it may be complex.")] = False,
    solver: Annotated[
        str | None, typer.Option(help="Label; nonneg=true in it says that the object is real and nonnegative.")
    ] = None,
    starts: Annotated[int | None, _WholeOption(help="Random starts, 20 if absent.")] = None,
    seed: Annotated[int, _WholeOption(help="Seed of the starts.")] = 0,
    threads: Annotated[int | None, _WholeOption(help="Starts solved side by side.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    debug: Debug = False,
) -> None:
    """Recover the object of one measured pattern: mean of the starts that agree, PRTF, resolution, pictures."""
    from bench.commands.reconstruct import reconstruct_command

    reconstruct_command(
        file,
        output,
        which=which,
        object_size=object_,
        support=support,
        centre=centre,
        masks=mask or (),
        beamstop=beamstop,
        crop=crop,
        bin=bin_,
        real=real,
        solver=solver,
        starts=starts,
        seed=seed,
        threads=threads,
        device=device,
        precision=precision,
    )


@_command("merge runs/first runs/second --output runs/both")
def merge(
    runs: Annotated[list[Path], _PathArgument(help="Folders of finished runs.", metavar="RUN")],
    output: Annotated[Path, _PathOption(help="Folder for all of them together: a new one, or an empty one.")],
    debug: Debug = False,
) -> None:
    """Join runs over seeds, images, solvers and problems; other code or other data of one solver is refused."""
    from bench.commands.merge import merge as merge_runs

    merge_runs(runs, output)


@_command(
    "plot runs/first",
    "plot runs/first --kind pareto --output pareto.pdf --size 8x5 --rename 'rrr[nonneg=true]=RRR'",
    "plot runs/first --kind gallery --worst 6 --solvers 'rrr[nonneg=true]' --where variant=flip --output worst.png",
)
def plot(
    run: Annotated[Path, _PathArgument(help="Folder of a finished run.")],
    kind: Annotated[
        str,
        typer.Option(
            help="gallery, convergence, photons, beamstop, frame, grid, pareto, profile, comma-separated; "
            "all there is if absent."
        ),
    ] = "",
    output: Annotated[
        Path | None, _PathOption(help="File in .png, .svg or .pdf, or a folder; RUN/figures if absent.")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Format of the files in a folder: png, svg or pdf; png if absent.")
    ] = None,
    solvers: Annotated[str, typer.Option(help="Labels, comma-separated, in this order; all if absent.")] = "",
    where: Annotated[
        str, typer.Option(help="Problems, comma-separated: variant=flip,photons=1e5; all if absent.")
    ] = "",
    images: Annotated[str, typer.Option(help="Numbers of images in a gallery, comma-separated.")] = "",
    worst: Annotated[
        int, _CountOption(help="In a gallery, how many of the kept images with the largest error, for each solver.")
    ] = 0,
    best: Annotated[
        int, _CountOption(help="In a gallery, how many of the kept images with the smallest error, for each solver.")
    ] = 0,
    title: Annotated[str, typer.Option(help="Title above the figure.")] = "",
    size: Annotated[str | None, typer.Option(help="Width and height in inches, such as 8x5.")] = None,
    style: Annotated[str | None, typer.Option(help="A .mplstyle file, or the name of a style of matplotlib's.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help="label=name: what a solver is called. May be given again.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw a finished run from what it has stored: no solver runs."""
    from bench.commands.plot import plot as plot_run
    from bench.given import split_words, whole_numbers
    from bench.report.figures.gallery import Choice
    from solvers.labels import split_labels

    plot_run(
        run,
        kinds=split_words(kind),
        output=output,
        format=format_,
        solvers=split_labels(solvers),
        where=split_labels(where),
        choice=Choice(whole_numbers("--images", images), worst, best),
        title=title,
        size=size,
        style=style,
        renames=rename or (),
    )


@_command(
    "compare runs/first",
    "compare runs/before runs/after --solvers 'rrr[nonneg=true]' --csv compare.csv",
    "compare runs/first runs/second --pair 'rrr=rrr[beta=0.8],er=hio'",
)
def compare(
    runs: Annotated[
        list[Path],
        _PathArgument(
            help="Folders of finished runs; of several, each solver is compared with itself in the others.",
            metavar="RUN",
        ),
    ],
    pair: Annotated[
        list[str] | None,
        typer.Option(help="Labels A=B, comma-separated: A is compared with B of the same, or of a later, run."),
    ] = None,
    solvers: Annotated[str, typer.Option(help="Labels, comma-separated; all if absent.")] = "",
    variants: Annotated[str, typer.Option(help="Comma-separated; all if absent.")] = "",
    csv: Annotated[Path | None, _PathOption(help="File for the table.")] = None,
    debug: Debug = False,
) -> None:
    """Compare solvers image by image: paired differences with intervals, signed-rank tests, win rates."""
    from bench.commands.compare import compare as compare_runs
    from bench.given import split_words
    from solvers.labels import split_labels

    chosen, on = tuple(split_labels(solvers)), split_words(variants)
    compare_runs(runs, solvers=chosen, variants=on, pairs=pair or (), csv=csv)


@_command(
    "export runs/first --format markdown",
    "export runs/first --format latex --columns solver,variant,mse,success_rate --output table.tex",
    "export runs/first --table per_image --columns solver,image,mse",
    "export runs/first --within 10ms,100ms,1s --format markdown",
)
def export(
    run: Annotated[Path, _PathArgument(help="Folder of a finished run.")],
    form: Annotated[str, typer.Option("--format", help="csv, markdown or latex.")] = "csv",
    table: Annotated[str, typer.Option(help="summary if absent, per_image, table1, table2 or timing.")] = "",
    columns: Annotated[
        str | None, typer.Option(help="Names of columns, comma-separated; a choice of them if absent.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(help="Processor times for an image, as 10ms,1s: which solver has the smallest error within each."),
    ] = None,
    output: Annotated[Path | None, _PathOption(help="File to write, instead of standard output.")] = None,
    debug: Debug = False,
) -> None:
    """Write a table of a run as CSV, Markdown or LaTeX: means with their intervals, and the settings that vary."""
    from bench.commands.export import export_table
    from bench.given import split_words
    from solvers.labels import split_labels

    times = None if within is None else split_words(within)
    chosen = None if columns is None else split_labels(columns)
    export_table(run, table=table, form=form, columns=chosen, within=times, output=output)


@_command(
    "report runs/first --output report.html",
    "report runs/before runs/after --output report.html --title 'Before and after'",
)
def report(
    runs: Annotated[list[Path], _PathArgument(help="Folders of finished runs.", metavar="RUN…")],
    output: Annotated[Path | None, _PathOption(help="File for the page: *.html (required).")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page; the names of the runs if absent.")] = None,
    debug: Debug = False,
) -> None:
    """Make one HTML page of finished runs, which needs no network: answer, tables, figures, failures, provenance."""
    from bench.commands.report import report as make_report

    size = make_report(runs, output, title)
    typer.echo(f"page: {output} ({size / 1000:.0f} kB)")


@_command(
    "check --baseline results/baseline.csv",
    "check --baseline results/baseline.csv --seed 1,2 --tolerance mse=0.1 --power",
    "check --baseline results/baseline.csv --junit check.xml --markdown check.md",
)
def check(
    baseline: Annotated[Path, _PathOption(help="File that `bench baseline` made.")],
    current: Annotated[Path | None, _PathOption(help="Folder of a finished run, instead of running again.")] = None,
    seed: Annotated[str | None, typer.Option(help="Run again with these seeds, instead of the baseline's.")] = None,
    tolerance: Annotated[
        str,
        typer.Option(
            help="Other tolerances: metric=number, comma-separated, of mse, success_rate, residual, transforms, time."
        ),
    ] = "",
    power: Annotated[
        bool, typer.Option("--power", help="Say how many images the tolerances need, and what would be found.")
    ] = False,
    junit: Annotated[Path | None, _PathOption(help="File for the verdicts as JUnit XML.")] = None,
    markdown: Annotated[Path | None, _PathOption(help="File for the verdicts as Markdown.")] = None,
    debug: Debug = False,
) -> None:
    """Say whether a solver became worse than a baseline.

    Exit status 1 if one did, 3 if one failed or is gone, 4 if nothing could be compared.
    """
    from bench.commands.check import check as check_baseline

    status = check_baseline(
        baseline, current, seeds=seed, tolerances=tolerance, power=power, junit=junit, markdown=markdown
    )
    raise typer.Exit(status)


@_command(
    "baseline --solvers 'er,rrr[nonneg=true]' --variants shift_flip --images 64 --output baseline.csv",
    "baseline --current runs/first --output baseline.csv",
)
@_sweep(name for name, option in OPTIONS.items() if option.recorded or name == "data_dir")
def baseline(
    output: Annotated[Path, _PathOption(help="File to write.")],
    config: Annotated[Path | None, _PathOption(help="TOML file with all options of `bench run`.")] = None,
    current: Annotated[
        Path | None, _PathOption(help="Folder of a finished run to take, without times, instead of running a sweep.")
    ] = None,
    debug: Debug = False,
    **given: Any,
) -> None:
    """Run a sweep and write what `bench check` compares with: a text file to commit."""
    from bench.commands.baseline import keep_run, make_baseline
    from bench.request import request

    if current is None:
        raise typer.Exit(make_baseline(request(config, **given), output))
    for name, value in {"config": config, **given}.items():
        if value is not None:
            raise typer.BadParameter(f"--current takes all from the run: leave out {flag(name)}")
    raise typer.Exit(keep_run(current, output))


@_command("status --output runs/first")
def status(
    output: Annotated[Path, _PathOption(help="Folder of a run, also of one that is still at work.")],
    tracebacks: Annotated[bool, typer.Option("--tracebacks", help="Show where the solvers failed, in full.")] = False,
    debug: Debug = False,
) -> None:
    """List the shards of a run: done, missing, failed, corrupt, and stale ones that nothing asks for any more."""
    from bench.commands.status import show_status

    show_status(output, tracebacks=tracebacks)


@_command("verify --solvers './mine.py[iterations=100],rrr'")
def verify(
    solvers: Annotated[str, typer.Option(help="Labels, comma-separated: name or name[parameter=value,…].")],
    variant: Annotated[str, typer.Option(help="Symmetries of the data: a learned solver has weights for each.")] = (
        "shift_flip"
    ),
    debug: Debug = False,
) -> None:
    """Check the contract that every solver keeps, for authors of plug-ins: exit status 3 where one is broken."""
    from bench.commands.verify import verify as verify_solvers
    from solvers.labels import split_labels

    raise typer.Exit(verify_solvers(tuple(split_labels(solvers)), variant))


@_command("list solvers", "list ./mine.py", name="list")
def list_(
    what: Annotated[str, typer.Argument(help="solvers, variants, datasets, the name of one, or a file: ./mine.py.")],
    debug: Debug = False,
) -> None:
    """Show what there is: solvers with their parameters and the information they use, variants, data sets."""
    from bench.commands.list import show

    show(what)


def main() -> None:
    """Run the command line: every error is one line and an exit status; `--debug` shows its traceback as well."""
    try:
        status = app(standalone_mode=False) or Exit.FINE
        if status == Exit.STOPPED:  # typer in its newer versions returns it instead of the exception
            raise KeyboardInterrupt
    except ClickException as error:
        if error.format_message():  # empty where the help was shown instead
            say(error.format_message())
        status = Exit.USAGE
    except typer.Abort:
        status = tell(KeyboardInterrupt())
    except OutputClosed:
        raise
    except BaseException as error:  # a plug-in may even try to end the program
        status = tell(error)
    sys.exit(status)
