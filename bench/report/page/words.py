"""Numbers and settings as a reader wants them: what was measured in a sentence, errors, shares, times."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from datasets.problem import Problem, shortest, show_size

UNKNOWN = "–"

_PLACES = {
    "none": "in its centre",
    "flip": "in its centre, half of them turned by 180°",
    "shift": "anywhere in it",
    "shift_flip": "anywhere in it, half of them turned by 180°",
}


def measured(images: Mapping[Problem, Collection[int]], solvers: int, unknown: Collection[Problem] = ()) -> list[str]:
    """What these problems are, in sentences.

    Args:
        images: of how many images there are results, by problem.
        unknown: those that are measured patterns, whose objects nobody knows.
    """
    who = f"{counted(solvers, 'solver')} {'recovers' if solvers == 1 else 'recover'}"
    simulated = [problem for problem in images if problem not in unknown]
    patterns = [problem for problem in images if problem in unknown]
    said = []
    if simulated:
        count = _range(images, simulated)
        said += [
            f"{who} {_objects(simulated, count)} from the Fourier intensities on {_sizes('grid', simulated)} alone.",
            f"The images lie in {_sizes('frame', simulated)}, {_placed(simulated)}.",
            f"{_noise(simulated)}{_missing(simulated)}.",
        ]
    if patterns:
        sets = listed(problem.dataset for problem in patterns)
        many = _several(_range(images, patterns), "measured pattern")
        said += [
            f"{who} the objects of {many} of {sets} on {_sizes('grid', patterns)}.",
            f"Each object lies in {_sizes('frame', patterns)}; nobody knows more of it.",
        ]
    return said


def counted(number: int, noun: str) -> str:
    """1 image, 10 000 images."""
    return f"{grouped(number)} {noun}{'s' * (number != 1)}"


def grouped(number: int) -> str:
    """10 000, with a narrow space that is not broken."""
    return f"{number:,}".replace(",", "\u202f")


def error(value: float) -> str:
    """An error with four decimals, or with two digits where these would say little."""
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.4f}" if value >= 1e-3 or value == 0 else digits(value, 2)


def share(value: float, digits: int) -> str:
    """A share in percent."""
    return UNKNOWN if math.isnan(value) else f"{100 * value:.{digits}f}%"


def digits_of_shares(images: int) -> int:
    """Decimals of a percentage that so many images can tell apart."""
    return 0 if images < 100 else 1 if images < 1000 else 2


def time(milliseconds: float, written: Callable[[float], str] | None = None) -> str:
    """A time with its unit: 5.70 ms, 1.20 s; or with the number as it is `written`."""
    write = written or digits
    if math.isnan(milliseconds):
        return UNKNOWN
    if milliseconds >= 1000:
        return f"{write(milliseconds / 1000)} s"
    return f"{write(milliseconds)} ms" if milliseconds >= 0.1 else f"{write(1000 * milliseconds)} µs"


def number(value: float) -> str:
    """A number with three digits, or all of a whole one."""
    if math.isnan(value):
        return UNKNOWN
    return grouped(round(value)) if value >= 100 or value == round(value) else digits(value)


def digits(value: float, count: int = 3) -> str:
    """So many digits, zeros at the end among them: 0.0120, 33.0, 1.00e-5."""
    mantissa, _, exponent = f"{value:#.{count}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa.removesuffix(".")


def short(value: float) -> str:
    """A round number as it is written: 0.01, 1e6 and not 1e+06."""
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def signed(value: float) -> str:
    """A difference with its sign; a minus is as wide as a plus."""
    return ("+" if value > 0 else "−" if value < 0 else "") + error(abs(value))


def p_value(p: float) -> str:
    """As far as its digits mean something."""
    return digits(p, 2) if p >= 1e-4 else "<1e-4"


def listed(words: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last


def _range(images: Mapping[Problem, Collection[int]], problems: Sequence[Problem]) -> tuple[int, int]:
    """The smallest and the largest number of images of these problems."""
    counts = [count for problem in problems for count in images[problem]]
    return min(counts), max(counts)


def _several(count: tuple[int, int], noun: str) -> str:
    """1 image, 64 to 256 images."""
    low, high = count
    return counted(high, noun) if low == high else f"{grouped(low)} to {counted(high, noun)}"


def _objects(problems: Sequence[Problem], count: tuple[int, int]) -> str:
    sets = listed(f"{problem.dataset} ({problem.split} split)" for problem in problems)
    phases = [problem for problem in problems if problem.phase is not None]
    if not phases:
        return f"{_several(count, 'image')} of {sets}"
    complex_ = f"whose magnitude is one image of {sets} and whose phase is another one"
    if len(phases) == len(problems):
        return f"{_several(count, 'complex object')} {complex_}"
    return f"{_several(count, 'image')} of {sets}, and as many complex objects {complex_},"


def _sizes(name: str, problems: Sequence[Problem]) -> str:
    sizes = listed(show_size(getattr(problem, name)).replace("x", "×") for problem in problems)
    return f"a {name} of {sizes}" if len({getattr(p, name) for p in problems}) == 1 else f"{name}s of {sizes}"


def _placed(problems: Sequence[Problem]) -> str:
    return "; ".join(f"{place} ({name})" for name, place in _PLACES.items() if name in {p.variant for p in problems})


def _noise(problems: Sequence[Problem]) -> str:
    counts = sorted({problem.photons for problem in problems}, reverse=True)
    finite = [shortest(count) for count in counts if math.isfinite(count)]
    if not finite:
        return "The measurement has no noise"
    clean = "without noise, and with" if math.isinf(counts[0]) else "with"
    return f"The intensities are measured {clean} the Poisson noise of {listed(finite)} photons in a pattern"


def _missing(problems: Sequence[Problem]) -> str:
    widths = sorted({problem.beamstop for problem in problems})
    if widths == [0]:
        return ""
    squares = listed(f"{width}×{width}" for width in widths if width)
    return f"; {'in part of the problems, ' * (0 in widths)}a square of {squares} around the zero frequency is missing"
