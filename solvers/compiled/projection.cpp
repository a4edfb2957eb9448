/* Iterations of the projection solvers, one image after the other.
 *
 * An image stays in the second-level cache for all the iterations of a call, and costs the same whatever its
 * neighbours. An iteration is three passes: columns of the support, with the map's correction; rows, with the magnitudes
 * and the spectrum of x; columns of the support, with the map's new x. The reference is the step of
 * solvers/projection/er.py, hio.py, raar.py, difference_map.py and rrr.py.
 */

#include "pursuit.h"
#include "spectrum.h"

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR };

/* A map on the images with these constraints. */
struct ProjectionProblem {
    Constraints of;
    Map map;
    float beta;
};

/* One for each thread. */
struct Workspace {
    int m1 = 0, m2 = 0;
    bool complex = false;
    vec *x, *estimate; /* (m1, width) pixels; while there is a spectrum, x is up to date inside alone */
    vec *correction;   /* (m1, width) pixels inside */
    Spectrum spectrum;
    int iterations; /* since there is a spectrum; after them a correction is still to be added to it */
    ivec *chosen;      /* (m1, width) the sizes of pixels, then all bits set where the largest ones are */
    int least = 0;     /* size of the pixels that were chosen last */
    Support support;
    Modulus modulus;
    Arena arena;

    /* Ready for images of this kind; false when there is no memory or no plan. */
    bool prepare(const Constraints *of) {
        if (m1 == of->m1 && m2 == of->m2 && complex == !!of->complex) return true;
        m1 = m2 = 0; /* until it is */
        const auto layout = [&](auto take) {
            for (vec **image : {&x, &estimate, &correction})
                *image = take((size_t)of->m1 * ceiling(of->m2) * of->parts());
            chosen = reinterpret_cast<ivec *>(take((size_t)of->m1 * ceiling(of->m2)));
            support.lay_out(of->m1, of->m2, take);
            modulus.lay_out(take);
            for (vec **part : {&spectrum.re, &spectrum.im}) *part = take((size_t)modulus.groups * of->m2);
        };
        if (!modulus.plan(of->m1, of->m2, of->complex) || !arena.reserve(layout)) return false;
        modulus.fill();
        m1 = of->m1, m2 = of->m2, complex = of->complex;
        return true;
    }

    Extent inside() const { return {support.rows, support.vectors}; }
};

static thread_local Workspace workspace;

/* --- the maps ------------------------------------------------------------------------------------------------- */

/* The new iterate by the weights of the old one x, of p, which P_M gave back, and of a correction that is zero outside. Of
 * RRR the correction is P_S x and known beforehand: P_M is given 2 c - x. The others give x to P_M, and their correction
 * follows from the outcome. */
struct Weights {
    float x, projected, correction;
};

INLINE Weights weights(Map map, float beta) {
    switch (map) {
    case ER: return {0.0f, 0.0f, 1.0f};
    case HIO: return {1.0f, -beta, 1.0f};
    case RAAR: return {beta, 1.0f - 2.0f * beta, beta};
    case DIFFERENCE_MAP: return {1.0f, -1.0f, 1.0f};
    default: return {1.0f, beta, -beta};
    }
}

template <Map map, bool nonnegative, typename Pixels>
INLINE Pixels correction(float beta, Pixels x, Pixels p, vec inside) {
    if constexpr (map == RRR) return project_object<nonnegative>(x, inside);
    if constexpr (map == ER) return project_object<nonnegative>(p, inside);
    if constexpr (map == HIO) {
        const Pixels replaced = choose(inside, (1.0f + beta) * p - x, Pixels{});
        if constexpr (nonnegative) return kept(p >= 0.0f, replaced); /* of another choice GCC makes sixteen branches */
        return replaced;
    }
    return project_object<nonnegative>(2.0f * p - x, inside);
}

INLINE Combination combination(const Workspace *w, Map map, float beta) {
    const Weights of = weights(map, beta);
    const float scale = w->modulus.scale, added = scale * of.correction;
    if (map == RRR) return {2.0f * scale, -1.0f, of.x, added, of.projected};
    return {added, 1.0f, of.x, of.x * added, of.projected};
}

/* The pixels of the correction: of RRR from x, of the others as the last iteration has left them. */
template <bool rrr, bool nonnegative, typename Pixels>
INLINE auto corrections(const Workspace *w) {
    const size_t width = w->modulus.width;
    const Support inside = w->support;
    const Pixels *x = pixels<Pixels>(w->x), *known = pixels<Pixels>(w->correction);
    return [=](int r, int v) INLINE_LAMBDA {
        return rrr ? project_object<nonnegative>(x[r * width + v], inside(r, v)) : known[r * width + v];
    };
}

template <Map map, bool nonnegative, typename Pixels>
INLINE void iterate_all(const ProjectionProblem *it, Workspace *w, int count) {
    const size_t width = w->modulus.width;
    const Support inside = w->support;
    const float beta = it->beta;
    const Weights of = weights(map, beta);
    Pixels *x = pixels<Pixels>(w->x), *made = pixels<Pixels>(w->correction);
    for (int i = 0; i < count; i++, w->iterations++)
        project_spectrum(
            &w->modulus, map == RRR || w->iterations ? w->inside() : Extent{}, w->inside(), combination(w, map, beta),
            w->spectrum, corrections<map == RRR, nonnegative, Pixels>(w), [&](int r, int v, Pixels p) INLINE_LAMBDA {
                Pixels &at = x[r * width + v];
                const Pixels c = correction<map, nonnegative>(beta, at, p, inside(r, v));
                if (map != RRR) made[r * width + v] = c;
                at = of.x * at + of.projected * p + of.correction * c;
            });
}

/* --- images with few pixels --------------------------------------------------------------------------------------- */

/* How many of n x LANES numbers are at least this. */
INLINE int count_from(const ivec *number, size_t n, int least) {
    ivec count[4] = {};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++) count[j] -= number[i + j] >= least;
    for (; i < n; i++) count[0] -= number[i] >= least;
    const ivec all = count[0] + count[1] + count[2] + count[3];
    int sum = 0;
    for (int l = 0; l < LANES; l++) sum += all[l];
    return sum;
}

/* The number that as many as `wanted` of n x LANES are at least; where ties leave no such number, the largest that more
 * of them are; 0 where there are fewer. Searched for around a guess: it moves little from one iteration to the next. */
INLINE int quantile(const ivec *number, size_t n, int wanted, int guess) {
    constexpr int most = 0x7fffffff;
    int low = 0, high = most, at = guess; /* enough numbers are at least `low`, too few at least `high` */
    long step = 1 << 14;
    while (high - low > 1) {
        const int count = count_from(number, n, at);
        if (count == wanted) return at;
        (count > wanted ? low : high) = at;
        long next = low + (high - low) / 2;
        if ((low == 0 || high == most) && step < most) { /* away from the guess, in steps that grow */
            const long away = low ? at + step : at - step;
            if (away > low && away < high) next = away;
            step *= 8;
        }
        at = (int)next;
    }
    return low;
}

/* Choose the largest pixels of the image that `x(row, vector)` gives, inside the support; of equal ones the first. The
 * bits of floats that are not negative, read as integers, are in the same order. */
template <bool nonnegative, typename Pixels, typename Image>
INLINE void choose_largest(Workspace *w, int pixels, Image x) {
    const size_t width = w->modulus.width, n = (size_t)w->m1 * width;
    const Support support = w->support;
    ivec *chosen = w->chosen;
    for (int r = 0; r < w->m1; r++)
        for (size_t v = 0; v < width; v++) {
            const Pixels at = x(r, v);
            const ivec inside = support(r, v) > 0.5f;
            ivec size;
            if constexpr (is_complex<Pixels>) size = (ivec)square(at);
            else if constexpr (nonnegative) size = (ivec)(at > 0.0f ? at : vec{});
            else size = (ivec)at & 0x7fffffff;
            chosen[r * width + v] = (size & inside) | ~inside;
        }
    const int least = w->least = quantile(chosen, n, pixels, w->least);
    const bool all = count_from(chosen, n, least) <= pixels; /* or those at least as large are too many, by ties */
    int equal = all ? 0 : pixels - count_from(chosen, n, least + 1);
    for (size_t i = 0; i < n; i++) {
        const ivec size = chosen[i];
        chosen[i] = size >= (all ? least : least + 1);
        if (!all)
            for (int l = 0; l < LANES; l++)
                if (size[l] == least && equal-- > 0) chosen[i][l] = -1;
    }
}

/* As `iterate`, where the largest pixels alone differ from zero: which ones is only known of a whole image. */
template <Map map, bool nonnegative, typename Pixels>
INLINE void iterate_largest(const ProjectionProblem *it, Workspace *w, int count) {
    const size_t width = w->modulus.width;
    const int pixels_kept = it->of.pixels;
    const ivec *chosen = w->chosen;
    Pixels *x = pixels<Pixels>(w->x), *p = pixels<Pixels>(w->estimate);
    const size_t size = w->m1 * width;
    const Weights of = weights(map, it->beta);
    const auto correction_at = [&](size_t at) INLINE_LAMBDA {
        return correction<map, nonnegative>(it->beta, x[at], p[at], chosen[at] != 0 ? vec{} + 1.0f : vec{});
    };
    const Pixels *from = map == RRR ? p : x;
    for (int i = 0; i < count; i++) {
        if (map == RRR) {
            choose_largest<nonnegative, Pixels>(
                w, pixels_kept, [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
            for (size_t at = 0; at < size; at++) p[at] = 2.0f * correction_at(at) - x[at];
        }
        project_magnitude(
            &w->modulus, [&](int r, int v) INLINE_LAMBDA { return from[r * width + v]; },
            [&](int r, int v, Pixels pixel) INLINE_LAMBDA { p[r * width + v] = pixel; });
        if (map != RRR)
            choose_largest<nonnegative, Pixels>(w, pixels_kept, [&](int r, int v) INLINE_LAMBDA {
                const size_t at = r * width + v;
                return map == ER || map == HIO ? p[at] : 2.0f * p[at] - x[at];
            });
        for (size_t at = 0; at < size; at++)
            x[at] = of.x * x[at] + of.projected * p[at] + of.correction * correction_at(at);
    }
}

template <Map map, bool nonnegative, typename Pixels>
INLINE void iterate(const ProjectionProblem *it, Workspace *w, int count) {
    if (it->of.pixels) return iterate_largest<map, nonnegative, Pixels>(it, w, count);
    iterate_all<map, nonnegative, Pixels>(it, w, count);
}

/* The image that an iterate stands for: P_S x for RRR, P_S P_M x for the others. */
template <bool rrr, bool nonnegative, typename Pixels>
INLINE void solution(const ProjectionProblem *it, Workspace *w) {
    const size_t width = w->modulus.width;
    const Support inside = w->support;
    const Pixels *x = pixels<Pixels>(w->x);
    Pixels *estimate = pixels<Pixels>(w->estimate);
    const auto load = [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; };
    if (it->of.pixels) {
        const auto keep = [&](int r, int v, Pixels pixel) INLINE_LAMBDA { estimate[r * width + v] = pixel; };
        if (!rrr)
            project_magnitude(&w->modulus, load, keep);
        else
            std::copy(x, x + w->m1 * width, estimate);
        const auto found = [&](int r, int v) INLINE_LAMBDA { return estimate[r * width + v]; };
        choose_largest<nonnegative, Pixels>(w, it->of.pixels, found);
        for (size_t at = 0; at < w->m1 * width; at++)
            estimate[at] = project_object<nonnegative>(estimate[at], w->chosen[at] != 0 ? vec{} + 1.0f : vec{});
        return;
    }
    const auto store = [&](int r, int v, Pixels p) INLINE_LAMBDA {
        estimate[r * width + v] = project_object<nonnegative>(p, inside(r, v));
    };
    if (!rrr) {
        Combination by = combination(w, it->map, it->beta);
        by.f = 1.0f, by.g = by.h = 0.0f;
        return project_spectrum(&w->modulus, w->iterations ? w->inside() : Extent{}, w->inside(), by, w->spectrum,
                                corrections<rrr, nonnegative, Pixels>(w), store);
    }
    for (int r = 0; r < inside.rows; r++)
        for (int v = 0; v < inside.vectors; v++) store(r, v, load(r, v));
}

/* The spectrum of x, before the first iteration; and after the last one x, which is up to date inside. */
template <typename Pixels>
INLINE void begin(Workspace *w) {
    const size_t width = w->modulus.width;
    const Pixels *x = pixels<Pixels>(w->x);
    take_spectrum(&w->modulus, w->spectrum, [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
}

template <bool rrr, bool nonnegative, typename Pixels>
INLINE void end(const ProjectionProblem *it, Workspace *w) {
    const size_t width = w->modulus.width;
    const Extent inside = w->inside();
    Pixels *x = pixels<Pixels>(w->x);
    Combination by = combination(w, it->map, it->beta);
    if (rrr) by.s = 0.0f, by.t = 1.0f;
    give_spectrum(&w->modulus, rrr ? Extent{} : inside, by, w->spectrum, corrections<rrr, nonnegative, Pixels>(w),
                  [&](int r, int v, Pixels pixel) INLINE_LAMBDA {
                      if (r >= inside.rows || v >= inside.vectors) x[r * width + v] = pixel;
                  });
}

template <bool nonnegative, typename Pixels>
INLINE void iterate_map(const ProjectionProblem *it, Workspace *w, int count) {
    switch (it->map) {
    case ER: return iterate<ER, nonnegative, Pixels>(it, w, count);
    case HIO: return iterate<HIO, nonnegative, Pixels>(it, w, count);
    case RAAR: return iterate<RAAR, nonnegative, Pixels>(it, w, count);
    case DIFFERENCE_MAP: return iterate<DIFFERENCE_MAP, nonnegative, Pixels>(it, w, count);
    case RRR: return iterate<RRR, nonnegative, Pixels>(it, w, count);
    }
}

static void iterate_any(const ProjectionProblem *it, Workspace *w, int count) {
    if (it->of.complex) return iterate_map<false, complex_vec>(it, w, count);
    return it->of.nonnegative ? iterate_map<true, vec>(it, w, count) : iterate_map<false, vec>(it, w, count);
}

template <bool rrr>
INLINE void solution_of(const ProjectionProblem *it, Workspace *w) {
    if (it->of.complex) return solution<rrr, false, complex_vec>(it, w);
    return it->of.nonnegative ? solution<rrr, true, vec>(it, w) : solution<rrr, false, vec>(it, w);
}

static void solution_any(const ProjectionProblem *it, Workspace *w) {
    it->map == RRR ? solution_of<true>(it, w) : solution_of<false>(it, w);
}

static void begin_any(const ProjectionProblem *it, Workspace *w) {
    w->iterations = 0;
    if (!it->of.pixels) w->complex ? begin<complex_vec>(w) : begin<vec>(w);
}

template <bool rrr>
INLINE void end_of(const ProjectionProblem *it, Workspace *w) {
    if (it->of.complex) return end<rrr, false, complex_vec>(it, w);
    return it->of.nonnegative ? end<rrr, true, vec>(it, w) : end<rrr, false, vec>(it, w);
}

static void end_any(const ProjectionProblem *it, Workspace *w) {
    if (w->iterations == 0 || it->of.pixels) return;
    it->map == RRR ? end_of<true>(it, w) : end_of<false>(it, w);
}

/* `count` iterations of the image in the workspace. The spectrum is made of x, and x of the spectrum again: the outcome is
 * a function of x, and rounding cannot let the two drift apart. */
static void iterate_from_x(const ProjectionProblem *it, Workspace *w, int count) {
    begin_any(it, w);
    iterate_any(it, w, count);
    end_any(it, w);
}

template <typename Pixels>
INLINE float misfit_of(const Modulus *modulus, Extent of, const vec *image) {
    const size_t width = modulus->width;
    return misfit(modulus, of, [&](int r, int v) INLINE_LAMBDA { return pixels<Pixels>(image)[r * width + v]; });
}

static float misfit_any(const Workspace *w, Extent of, const vec *image) {
    return w->complex ? misfit_of<complex_vec>(&w->modulus, of, image) : misfit_of<vec>(&w->modulus, of, image);
}

/* --- entries -------------------------------------------------------------------------------------------------- */

/* For each of the images x (batch, m1, m2): `act(i)` with it and its constraints in the workspace. False when there is
 * no memory or no plan. */
template <typename Act>
static bool each_image(const Constraints *of, const float *x, Act act) {
    if (!workspace.prepare(of)) return false;
    for (int i = 0; i < of->batch; i++) {
        take_image(of, x + i * of->numbers(), workspace.x);
        workspace.support.load(of, i);
        load_magnitude(&workspace.modulus, of, i);
        act(i);
    }
    return true;
}

/* Raised with every change of an entry or of what it is given. */
extern "C" int phasebench_interface() { return 5; }

extern "C" int phasebench_lanes() { return LANES; }

/* The lanes of the widest library that this processor can run. */
extern "C" int phasebench_widest() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    const auto all = [](auto... has) { return (has && ...); };
    const bool v3 = all(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"), __builtin_cpu_supports("bmi"),
                        __builtin_cpu_supports("bmi2"));
    const bool v4 = all(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512bw"),
                        __builtin_cpu_supports("avx512cd"), __builtin_cpu_supports("avx512dq"),
                        __builtin_cpu_supports("avx512vl"));
    return v3 && v4 ? 16 : v3 ? 8 : 4;
#else
    return 4;
#endif
}

/* 1 if the kernels can transform this length. */
extern "C" int phasebench_supports(int n) {
    int radix[MAX_STAGES];
    return factorise(n, radix) > 0;
}

/* `count` iterations on the images x (batch, m1, m2), in place. Like all entries below, it returns 0, or -1 when there
 * is no memory or no plan. */
extern "C" int phasebench_project(const ProjectionProblem *it, float *x, int count) {
    const Constraints *of = &it->of;
    const bool done = each_image(of, x, [&](int i) {
        iterate_from_x(it, &workspace, count);
        give_image(of, workspace.x, x + i * of->numbers());
    });
    return done ? 0 : -1;
}

/* The starts of the images x (batch, m1, m2), in place, from their guesses to their ends. */
extern "C" int phasebench_pursue(const ProjectionProblem *it, const Pursuit *pursuit, float *x) {
    const Constraints *of = &it->of;
    Workspace *w = &workspace;
    const bool done = each_image(of, x, [&](int i) {
        const Extent known = of->pixels ? w->modulus.whole() : w->inside();
        const auto look = [&] { return solution_any(it, w), misfit_any(w, known, w->estimate); };
        std::fill(w->estimate, w->estimate + (size_t)of->m1 * w->modulus.width * of->parts(), vec{});
        pursue(pursuit, i, of->numbers(), [&](int count) { iterate_from_x(it, w, count); }, look,
               [&](float *image) { give_image(of, w->estimate, image); });
        give_image(of, w->x, x + i * of->numbers());
    });
    return done ? 0 : -1;
}

/* residual (batch) of the images x (batch, m1, m2): || |F x| - magnitude || / || magnitude || over what was measured of
 * the whole plane. */
extern "C" int phasebench_residual(const Constraints *of, const float *x, float *residual) {
    const bool done = each_image(of, x, [&](int i) { residual[i] = misfit_any(&workspace, workspace.modulus.whole(), workspace.x); });
    return done ? 0 : -1;
}
