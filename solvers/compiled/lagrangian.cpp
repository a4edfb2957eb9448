/* Iterations of the augmented Lagrangian method, one image after the other.
 *
 * All images of an iterate are kept as their spectra, whose scalar products are those of the images: there P_M is a matter
 * of each coefficient, and P_S costs the transforms of the columns that cross the support alone. An iterate with its
 * curvature pairs is some 15 arrays: those of one image stay in the second-level cache for all the iterations of a call,
 * those of a block of images would not. The reference is solvers/alm/solver.py (`step`, `update_multipliers`) and
 * solvers/alm/lbfgs.py.
 */

#include "pursuit.h"
#include "spectrum.h"

#include <algorithm>
#include <cfloat>

constexpr int MAX_MEMORY = 20;
constexpr size_t CHUNK = 64; /* vectors of one array that stay in the first-level cache beside those of others */

struct AlmProblem {
    Constraints of;
    int memory, inner; /* curvature pairs, steps per multiplier update */
    int fixed;         /* the support is the same in all calls for these images */
    float rho, shrink, growth, rho_max; /* the first penalty, and its adaptation */
    float armijo;
    int backtracks;
};

/* Of a batch of images. */
struct AlmState {
    float *evaluations; /* (batch) transform pairs spent */
    float *scalars;     /* (batch, SCALARS) */
    float *spectra;     /* (batch, SPECTRA + 2 memory, numbers of a spectrum) */
};

constexpr int SCALARS = 4; /* value, rho, violation, inner */
constexpr int SPECTRA = 3; /* z, gradient, multiplier; then steps and changes, oldest first */

/* What the two-loop recursion needs to know of the pairs s, y and the gradient g: their scalar products. Known whenever a
 * step begins. */
struct Products {
    double sy[MAX_MEMORY][MAX_MEMORY]; /* of a step and a change that is not older */
    double yy[MAX_MEMORY][MAX_MEMORY], sg[MAX_MEMORY], yg[MAX_MEMORY], gg;
};

/* The iterate of one image. Its spectra are real parts, then imaginary ones, each (groups, m2) vectors. */
struct Iterate {
    vec *z, *gradient, *multiplier;
    vec *direction, *trial_gradient; /* free between two steps */
    vec *steps[MAX_MEMORY], *changes[MAX_MEMORY];
    float value, rho, violation, inner, evaluations;
    Products products;
};

/* One for each thread. */
struct AlmWorkspace {
    int m1 = 0, m2 = 0, memory = 0;
    bool complex = false;
    size_t size = 0; /* vectors of a spectrum */
    vec weight[2]; /* of a group's products, the first one's and another's: how often they stand in a product of images */
    vec *x;        /* (m1, width) pixels: inside the support those of P_S */
    Support support;
    Modulus modulus;
    Iterate iterate{};
    Arena arena;

    /* Ready for this problem; false when there is no memory or no plan. */
    bool prepare(const AlmProblem *p) {
        const Constraints &of = p->of;
        if (m1 == of.m1 && m2 == of.m2 && complex == !!of.complex && memory == p->memory) return true;
        m1 = m2 = memory = 0; /* until it is */
        const auto layout = [&](auto take) {
            Iterate &it = iterate;
            for (vec **array : {&it.z, &it.gradient, &it.multiplier, &it.direction, &it.trial_gradient})
                *array = take(size);
            for (int i = 0; i < p->memory; i++) it.steps[i] = take(size), it.changes[i] = take(size);
            x = take((size_t)of.m1 * ceiling(of.m2) * of.parts());
            support.lay_out(of.m1, of.m2, take);
            modulus.lay_out(take);
        };
        if (!modulus.plan(of.m1, of.m2, of.complex)) return false;
        size = spectrum_vectors(&modulus);
        if (!arena.reserve(layout)) return false;
        modulus.fill();
        weight[1] = (vec{} + (of.complex ? 1.0f : 2.0f)) / ((float)of.m1 * (float)of.m2);
        weight[0] = of.complex ? weight[1] : first_lanes(1) > 0.5f ? weight[1] / 2.0f : weight[1];
        m1 = of.m1, m2 = of.m2, memory = p->memory, complex = of.complex;
        return true;
    }

    Extent inside() const { return {support.rows, support.vectors}; }
    Spectrum spectrum(vec *array) const { return {array, array + size / 2}; }
};

static thread_local AlmWorkspace workspace;

/* `act(from, to, weight)` with each piece of a spectrum: its vectors, and the weight of their products. */
template <typename Act>
INLINE void each_chunk(const AlmWorkspace *w, Act act) {
    const size_t m2 = w->m2;
    for (size_t row = 0; row < w->size / m2; row++)
        for (size_t from = row * m2; from < (row + 1) * m2; from += CHUNK)
            act(from, std::min(from + CHUNK, (row + 1) * m2), w->weight[row % w->modulus.groups != 0]);
}

/* The products of the gradient with itself and with every pair, and those of change `n` with the pairs up to n.
 * `before(from, to)` is done with each piece first, whose vectors are then in the first-level cache. */
template <typename Before>
INLINE void multiply_after(const AlmWorkspace *w, Iterate *it, int memory, int n, Before before) {
    vec sum[MAX_MEMORY][4] = {}, gg{};
    const vec *g = it->gradient, *newest = memory ? it->changes[n] : g;
    each_chunk(w, [&](size_t from, size_t to, vec weight) INLINE_LAMBDA {
        before(from, to);
        vec here{};
        for (size_t i = from; i < to; i++) here += g[i] * g[i];
        gg += weight * here;
        for (int j = 0; j < memory; j++) {
            const vec *s = it->steps[j], *y = it->changes[j];
            vec sg{}, yg{}, sy{}, yy{};
            for (size_t i = from; i < to; i++) {
                sg += s[i] * g[i];
                yg += y[i] * g[i];
                sy += s[i] * newest[i];
                yy += y[i] * newest[i];
            }
            sum[j][0] += weight * sg, sum[j][1] += weight * yg, sum[j][2] += weight * sy, sum[j][3] += weight * yy;
        }
    });
    Products &of = it->products;
    of.gg = total(gg);
    for (int j = 0; j < memory; j++) {
        of.sg[j] = total(sum[j][0]);
        of.yg[j] = total(sum[j][1]);
        if (j <= n) of.sy[j][n] = total(sum[j][2]);
        of.yy[n][j] = of.yy[j][n] = total(sum[j][3]);
    }
}

static void multiply(const AlmWorkspace *w, Iterate *it, int memory, int n) {
    multiply_after(w, it, memory, n, [](size_t, size_t) INLINE_LAMBDA {});
}

/* Go the step that was found, and write its pair over the newest one. `gradient` is that of the new z, `trial_gradient`
 * that of the old one. */
static void take_step(const AlmWorkspace *w, Iterate *it, int memory, float length) {
    const vec *d = it->direction;
    multiply_after(w, it, memory, memory - 1, [&](size_t from, size_t to) INLINE_LAMBDA {
        if (memory) {
            vec *s = it->steps[memory - 1], *y = it->changes[memory - 1];
            for (size_t i = from; i < to; i++) {
                s[i] = length * d[i];
                y[i] = it->gradient[i] - it->trial_gradient[i];
            }
        }
        for (size_t i = from; i < to; i++) it->z[i] += length * d[i];
    });
}

/* direction = -H g by the two-loop recursion, on the coefficients of its combination of g, s and y; returns its
 * product with g. Pairs without positive curvature are passed over. */
static float descend(const AlmWorkspace *w, Iterate *it, int memory) {
    const Products &of = it->products;
    double cg = -1, cs[MAX_MEMORY] = {}, cy[MAX_MEMORY] = {}, alpha[MAX_MEMORY], initial = 0;
    const auto usable = [&](int i) { return of.sy[i][i] > 1e-10 * of.yy[i][i]; };
    for (int i = memory - 1; i >= 0; i--) {
        if (!usable(i)) continue;
        double sd = cg * of.sg[i];
        for (int j = i + 1; j < memory; j++) sd += cy[j] * of.sy[i][j];
        alpha[i] = sd / of.sy[i][i];
        cy[i] = -alpha[i];
        if (initial == 0) initial = of.sy[i][i] / of.yy[i][i]; /* of the newest usable pair: eq. 7.20 */
    }
    if (initial > 0) {
        cg *= initial;
        for (int i = 0; i < memory; i++) cy[i] *= initial;
    }
    for (int i = 0; i < memory; i++) {
        if (!usable(i)) continue;
        double yd = cg * of.yg[i];
        for (int j = 0; j < memory; j++) yd += cy[j] * of.yy[i][j];
        for (int j = 0; j < i; j++) yd += cs[j] * of.sy[j][i];
        cs[i] = alpha[i] - yd / of.sy[i][i];
    }
    double slope = cg * of.gg;
    for (int i = 0; i < memory; i++) slope += cs[i] * of.sg[i] + cy[i] * of.yg[i];
    const vec *g = it->gradient;
    vec *d = it->direction;
    each_chunk(w, [&](size_t from, size_t to, vec) INLINE_LAMBDA {
        for (size_t i = from; i < to; i++) d[i] = (float)cg * g[i];
        for (int j = 0; j < memory; j++) {
            const vec *s = it->steps[j], *y = it->changes[j];
            const float a = (float)cs[j], b = (float)cy[j];
            for (size_t i = from; i < to; i++) d[i] += a * s[i] + b * y[i];
        }
    });
    return (float)slope;
}

/* --- P_S of a spectrum ---------------------------------------------------------------------------------------------- */

/* v = z + length d + shift multiplier. */
struct Point {
    float length, shift;
};

/* The rows of v, transformed back as far as its columns cross the support. */
static void rows_of(const AlmWorkspace *w, const Iterate *it, Point at) {
    const Modulus *p = &w->modulus;
    const size_t m2 = p->m2, imaginary = w->size / 2;
    for (int group = 0; group < p->groups; group++) {
        const Halves v{p->buffer[0], p->buffer[1]};
        const vec *z = it->z + group * m2, *d = it->direction + group * m2, *multiplier = it->multiplier + group * m2;
        for (size_t c = 0; c < m2; c++) {
            const size_t i = c + imaginary;
            v.re[c] = z[c] + at.length * d[c] + at.shift * multiplier[c];
            v.im[c] = z[i] + at.length * d[i] + at.shift * multiplier[i];
        }
        row_inverse(p, group, w->support.vectors, v);
    }
}

/* P_S of v in `x`, and the transforms of its columns in the plane. */
template <bool nonnegative, typename Pixels>
INLINE void project_support(const AlmWorkspace *w, const Iterate *it, Point at) {
    const Support inside = w->support;
    const size_t width = inside.width;
    Pixels *x = pixels<Pixels>(w->x);
    rows_of(w, it, at);
    columns_inverse<Pixels>(&w->modulus, w->inside(), [&](int r, int v, Pixels pixel) INLINE_LAMBDA {
        x[r * width + v] = project_object<nonnegative>(pixel, inside(r, v));
    });
    columns_forward(&w->modulus, w->inside(), [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
}

/* With each group: the coefficients c of what `project_support` left, before the plane's scale; two lines of the buffer
 * that are free; and where the group begins in a spectrum. */
template <typename Act>
INLINE void each_projected_group(const AlmWorkspace *w, Act act) {
    const Modulus *p = &w->modulus;
    for (int group = 0; group < p->groups; group++) {
        const Halves c = row_forward(p, group, w->support.vectors);
        act(group, c, Halves{p->buffer[2], p->buffer[3]}, (size_t)group * p->m2);
    }
}

/* --- the augmented Lagrangian ---------------------------------------------------------------------------------------- */

/* P_M of z + length d, of one group, in `at`. */
INLINE void project_modulus(const AlmWorkspace *w, const Iterate *it, int group, float length, Halves at) {
    const Modulus *p = &w->modulus;
    const size_t m2 = p->m2, from = group * m2, imaginary = w->size / 2;
    const vec *z = it->z + from, *d = it->direction + from;
    for (size_t c = 0; c < m2; c++) {
        at.re[c] = z[c] + length * d[c];
        at.im[c] = z[c + imaginary] + length * d[c + imaginary];
    }
    impose<false>(p, group, at, 1.0f, {}, {});
}

/* L at z + length d, with its gradient in `trial_gradient`, from P_S V in the plane. */
static float lagrangian(const AlmWorkspace *w, const Iterate *it, float length) {
    const Modulus *p = &w->modulus;
    const float rho = it->rho, inverse = 1 / rho;
    const size_t imaginary = w->size / 2;
    vec sum{};
    each_projected_group(w, [&](int group, Halves projected, Halves imposed, size_t from) INLINE_LAMBDA {
        project_modulus(w, it, group, length, imposed);
        vec here{};
        const auto part = [&](size_t from, const vec *projected, const vec *imposed) INLINE_LAMBDA {
            const vec *z = it->z + from, *d = it->direction + from, *multiplier = it->multiplier + from;
            vec *gradient = it->trial_gradient + from;
            for (int c = 0; c < p->m2; c++) {
                const vec at = z[c] + length * d[c];
                const vec misfit = at - imposed[c], outside = at + inverse * multiplier[c] - p->scale * projected[c];
                gradient[c] = misfit + rho * outside;
                here += misfit * misfit + rho * (outside * outside);
            }
        };
        part(from, projected.re, imposed.re);
        part(from + imaginary, projected.im, imposed.im);
        sum += w->weight[group != 0] * here;
    });
    return total(sum) / 2;
}

/* || z - P_S z ||^2, from P_S z in the plane. */
static float distance_to_support(const AlmWorkspace *w, const Iterate *it) {
    const Modulus *p = &w->modulus;
    vec sum{};
    each_projected_group(w, [&](int group, Halves projected, Halves, size_t from) INLINE_LAMBDA {
        const vec *re = it->z + from, *im = re + w->size / 2;
        vec here{};
        for (int c = 0; c < p->m2; c++)
            here += square(re[c] - p->scale * projected.re[c]) + square(im[c] - p->scale * projected.im[c]);
        sum += w->weight[group != 0] * here;
    });
    return total(sum);
}

/* multiplier <- rho (V - P_S V), which is the gradient less the distance vector to M; the latter in `trial_gradient`, and
 * the change of the multiplier over rho, whose square norm is returned, in `direction`. */
static float follow(const AlmWorkspace *w, Iterate *it) {
    const Modulus *p = &w->modulus;
    const Halves imposed{p->buffer[0], p->buffer[1]};
    const float inverse = 1 / it->rho;
    vec sum{};
    for (int group = 0; group < p->groups; group++) {
        project_modulus(w, it, group, 0.0f, imposed);
        vec here{};
        const auto part = [&](size_t from, const vec *imposed) INLINE_LAMBDA {
            const vec *z = it->z + from, *gradient = it->gradient + from;
            vec *multiplier = it->multiplier + from, *misfit = it->trial_gradient + from, *change = it->direction + from;
            for (int c = 0; c < p->m2; c++) {
                misfit[c] = z[c] - imposed[c];
                const vec now = gradient[c] - misfit[c];
                change[c] = inverse * (now - multiplier[c]);
                multiplier[c] = now;
                here += change[c] * change[c];
            }
        };
        const size_t from = (size_t)group * p->m2;
        part(from, imposed.re);
        part(from + w->size / 2, imposed.im);
        sum += w->weight[group != 0] * here;
    }
    return total(sum);
}

/* L and its gradient at z, after `follow`, where the change that it has left is z - P_S z. */
static void evaluate_followed(const AlmWorkspace *w, Iterate *it) {
    const float rho = it->rho, inverse = 1 / rho;
    vec sum{};
    each_chunk(w, [&](size_t from, size_t to, vec weight) INLINE_LAMBDA {
        vec here{};
        for (size_t i = from; i < to; i++) {
            const vec misfit = it->trial_gradient[i], outside = it->direction[i] + inverse * it->multiplier[i];
            it->gradient[i] = misfit + rho * outside;
            here += misfit * misfit + rho * (outside * outside);
        }
        sum += weight * here;
    });
    it->value = total(sum) / 2;
}

template <bool nonnegative, typename Pixels>
INLINE float evaluate(const AlmWorkspace *w, const Iterate *it, float length) {
    project_support<nonnegative, Pixels>(w, it, {length, 1 / it->rho});
    return lagrangian(w, it, length);
}

/* L and its gradient at z. */
template <bool nonnegative, typename Pixels>
INLINE void evaluate_here(const AlmWorkspace *w, Iterate *it) {
    it->value = evaluate<nonnegative, Pixels>(w, it, 0.0f);
    std::swap(it->gradient, it->trial_gradient);
}

/* One L-BFGS step on the subproblem, with a backtracking line search. */
template <bool nonnegative, typename Pixels>
INLINE void step(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    const int memory = p->memory;
    const float slope = descend(w, it, memory);
    float length = 1, value = 0;
    for (int trial = 0; trial <= p->backtracks; trial++) {
        value = evaluate<nonnegative, Pixels>(w, it, length);
        it->evaluations += 1;
        if (value <= it->value + p->armijo * length * slope || trial == p->backtracks) break;
        length /= 2;
    }
    if (memory) { /* the newest pair in place of the oldest, and with it their products */
        std::rotate(it->steps, it->steps + 1, it->steps + memory);
        std::rotate(it->changes, it->changes + 1, it->changes + memory);
        for (int i = 1; i < memory; i++)
            for (int j = 1; j < memory; j++) {
                it->products.sy[i - 1][j - 1] = it->products.sy[i][j];
                it->products.yy[i - 1][j - 1] = it->products.yy[i][j];
            }
    }
    std::swap(it->gradient, it->trial_gradient);
    take_step(w, it, memory, length);
    it->value = value;
    it->inner += 1;
}

/* multiplier <- rho (V - P_S V), rho adapted, and L and its gradient for both. For a fixed support alone the multiplier is
 * zero inside: then z - P_S z is what it has changed by over rho, and P_S V is P_S z. */
template <bool nonnegative, typename Pixels>
INLINE void update_multipliers(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    const bool zero_inside = !nonnegative && p->fixed;
    float squares = follow(w, it);
    if (!zero_inside) {
        project_support<nonnegative, Pixels>(w, it, {0.0f, 0.0f});
        squares = distance_to_support(w, it);
    }
    const float violation = std::sqrt(squares);
    if (violation > p->shrink * it->violation) it->rho = std::min(it->rho * p->growth, p->rho_max);
    it->violation = violation;
    it->inner = 0;
    zero_inside ? evaluate_followed(w, it) : evaluate_here<nonnegative, Pixels>(w, it);
    multiply(w, it, p->memory, p->memory - 1);
}

template <bool nonnegative, typename Pixels>
INLINE void iterate(const AlmProblem *p, const AlmWorkspace *w, Iterate *it, int count) {
    for (int i = 0; i < count; i++) {
        step<nonnegative, Pixels>(p, w, it);
        if (it->inner >= p->inner) update_multipliers<nonnegative, Pixels>(p, w, it);
    }
}

static void iterate_any(const AlmProblem *p, const AlmWorkspace *w, Iterate *it, int count) {
    if (p->of.complex) return iterate<false, complex_vec>(p, w, it, count);
    return p->of.nonnegative ? iterate<true, vec>(p, w, it, count) : iterate<false, vec>(p, w, it, count);
}

/* The iterate that begins with the image in `x`: P_S of any iterate is written over it, as far as the support goes. */
template <bool nonnegative, typename Pixels>
INLINE void begin(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    const size_t width = w->support.width;
    const Pixels *x = pixels<Pixels>(w->x);
    take_spectrum(&w->modulus, w->spectrum(it->z), [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
    it->rho = p->rho;
    it->violation = FLT_MAX;
    it->inner = 0, it->evaluations = 1;
    evaluate_here<nonnegative, Pixels>(w, it);
}

static void begin_any(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    if (p->of.complex) return begin<false, complex_vec>(p, w, it);
    return p->of.nonnegative ? begin<true, vec>(p, w, it) : begin<false, vec>(p, w, it);
}

/* L and its gradient anew, where the support is no longer the one that they were computed with. */
template <bool nonnegative, typename Pixels>
INLINE void renew(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    evaluate_here<nonnegative, Pixels>(w, it);
    for (int n = 0; n < std::max(p->memory, 1); n++) multiply(w, it, p->memory, n);
}

static void renew_any(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    if (p->of.complex) return renew<false, complex_vec>(p, w, it);
    return p->of.nonnegative ? renew<true, vec>(p, w, it) : renew<false, vec>(p, w, it);
}

/* The image that an iterate stands for, P_S z, in `x`, and its misfit. */
template <bool nonnegative, typename Pixels>
INLINE float look(const AlmWorkspace *w, const Iterate *it) {
    const size_t width = w->support.width;
    const Pixels *x = pixels<Pixels>(w->x);
    project_support<nonnegative, Pixels>(w, it, {0.0f, 0.0f});
    return misfit(&w->modulus, w->modulus.whole(), [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
}

static float look_any(const AlmProblem *p, const AlmWorkspace *w, const Iterate *it) {
    if (p->of.complex) return look<false, complex_vec>(w, it);
    return p->of.nonnegative ? look<true, vec>(w, it) : look<false, vec>(w, it);
}

/* --- entries --------------------------------------------------------------------------------------------------------- */

/* `act` with each spectrum of an iterate and its place in the state of image number `image`. */
template <typename Act>
static void each_spectrum(const AlmProblem *p, const AlmState *s, const Iterate *it, int image, Act act) {
    const size_t numbers = workspace.size * LANES;
    float *at = s->spectra + image * (SPECTRA + 2 * (size_t)p->memory) * numbers;
    const auto next = [&](vec *spectrum) { act(spectrum, at), at += numbers; };
    next(it->z), next(it->gradient), next(it->multiplier);
    for (int i = 0; i < p->memory; i++) next(it->steps[i]);
    for (int i = 0; i < p->memory; i++) next(it->changes[i]);
}

static void take(const AlmProblem *p, const AlmState *s, Iterate *it, int image) {
    const size_t bytes = workspace.size * sizeof(vec);
    each_spectrum(p, s, it, image, [=](vec *work, const float *state) { std::memcpy((void *)work, state, bytes); });
    const float *scalar = s->scalars + image * SCALARS;
    it->value = scalar[0], it->rho = scalar[1], it->violation = scalar[2], it->inner = scalar[3];
    it->evaluations = s->evaluations[image];
    for (int n = 0; n < std::max(p->memory, 1); n++) multiply(&workspace, it, p->memory, n);
}

static void give(const AlmProblem *p, const AlmState *s, const Iterate *it, int image) {
    const size_t bytes = workspace.size * sizeof(vec);
    each_spectrum(p, s, it, image, [=](const vec *work, float *state) { std::memcpy(state, work, bytes); });
    float *scalar = s->scalars + image * SCALARS;
    scalar[0] = it->value, scalar[1] = it->rho, scalar[2] = it->violation, scalar[3] = it->inner;
    s->evaluations[image] = it->evaluations;
}

/* `act(i, iterate)` with the constraints of each image in the workspace, and nothing of the image before in `x` and in the
 * direction. Returns 0, or -1 when there is no memory or no plan. */
template <typename Act>
static int each_image(const AlmProblem *p, Act act) {
    if (p->memory > MAX_MEMORY || !workspace.prepare(p)) return -1;
    for (int i = 0; i < p->of.batch; i++) {
        workspace.support.load(&p->of, i);
        load_magnitude(&workspace.modulus, &p->of, i);
        std::fill(workspace.x, workspace.x + (size_t)p->of.m1 * ceiling(p->of.m2) * p->of.parts(), vec{});
        std::fill(workspace.iterate.direction, workspace.iterate.direction + workspace.size, vec{});
        act(i, &workspace.iterate);
    }
    return 0;
}

/* Numbers in a spectrum of an image with these constraints; 0 when there is no plan. */
extern "C" int phasebench_spectrum_numbers(const Constraints *of) {
    Modulus modulus;
    return modulus.plan(of->m1, of->m2, of->complex) ? (int)spectrum_vectors(&modulus) * LANES : 0;
}

/* The state that begins with the images (batch, m1, m2). */
extern "C" int phasebench_begin_lagrangian(const AlmProblem *p, const AlmState *s, const float *images) {
    return each_image(p, [&](int i, Iterate *it) {
        each_spectrum(p, s, it, i, [](vec *work, float *) { std::memset((void *)work, 0, workspace.size * sizeof(vec)); });
        take_image(&p->of, images + i * p->of.numbers(), workspace.x);
        begin_any(p, &workspace, it);
        give(p, s, it, i);
    });
}

/* `count` iterations on a block of images, in place. */
extern "C" int phasebench_lagrangian(const AlmProblem *p, const AlmState *s, int count) {
    return each_image(p, [&](int i, Iterate *it) {
        take(p, s, it, i);
        if (!p->fixed) renew_any(p, &workspace, it);
        iterate_any(p, &workspace, it, count);
        give(p, s, it, i);
    });
}

/* The images (batch, m1, m2) that a state stands for. */
extern "C" int phasebench_image_of_lagrangian(const AlmProblem *p, const AlmState *s, float *images) {
    return each_image(p, [&](int i, Iterate *it) {
        take(p, s, it, i);
        look_any(p, &workspace, it);
        give_image(&p->of, workspace.x, images + i * p->of.numbers());
    });
}

/* The starts of a block of images, in place, to their ends. */
extern "C" int phasebench_pursue_lagrangian(const AlmProblem *p, const AlmState *s, const Pursuit *pursuit) {
    return each_image(p, [&](int i, Iterate *it) {
        take(p, s, it, i);
        pursue(pursuit, i, p->of.numbers(), [&](int count) { iterate_any(p, &workspace, it, count); },
               [&] { return look_any(p, &workspace, it); }, [&](float *image) { give_image(&p->of, workspace.x, image); });
        give(p, s, it, i);
    });
}
