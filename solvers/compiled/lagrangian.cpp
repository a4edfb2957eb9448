/* Iterations of the augmented Lagrangian method, one image after the other.
 *
 * An iterate with its curvature pairs is some 15 arrays: those of one image stay in the second-level cache for all the
 * iterations of a call, those of a block of images would not. The reference is solvers/alm/solver.py (`step`,
 * `update_multipliers`) and solvers/alm/lbfgs.py.
 */

#include "modulus.h"
#include "pursuit.h"

#include <algorithm>

constexpr int MAX_MEMORY = 20;
constexpr size_t CHUNK = 64; /* vectors of one array that stay in the first-level cache beside those of others */

struct AlmProblem {
    Constraints of;
    int memory, inner;               /* curvature pairs, steps per multiplier update */
    float shrink, growth, rho_max;   /* adaptation of the penalty */
    float armijo;
    int backtracks;
};

/* The fields of _Iterate in solvers/alm/solver.py: (batch, m1, m2) or (batch), and the pairs, oldest first. */
struct AlmState {
    float *z, *misfit, *value, *gradient, *multiplier, *rho, *violation, *inner, *evaluations;
    float **steps, **changes;
};

/* What the two-loop recursion needs to know of the pairs s, y and the gradient g: their scalar products. */
struct Products {
    double sy[MAX_MEMORY][MAX_MEMORY]; /* of a step and a change that is not older */
    double yy[MAX_MEMORY][MAX_MEMORY], sg[MAX_MEMORY], yg[MAX_MEMORY], gg;
};

/* The iterate of one image; arrays of `size` vectors: pixels with rows of whole vectors, zero beyond column m2. */
struct Iterate {
    vec *z, *misfit, *gradient, *multiplier;
    vec *direction, *trial_gradient; /* free between two steps */
    vec *steps[MAX_MEMORY], *changes[MAX_MEMORY];
    float value, rho, violation, inner, evaluations;
    Products products;
};

/* One for each thread. */
struct AlmWorkspace {
    int m1 = 0, m2 = 0, memory = 0;
    bool complex = false;
    size_t size = 0; /* vectors of an image */
    Support support;
    Modulus modulus;
    Iterate iterate{};
    Arena arena;

    /* Ready for this problem; false when there is no memory or no plan. */
    bool prepare(const AlmProblem *p) {
        const Constraints &of = p->of;
        if (m1 == of.m1 && m2 == of.m2 && complex == !!of.complex && memory == p->memory) return true;
        m1 = m2 = memory = 0; /* until it is */
        size = (size_t)of.m1 * ceiling(of.m2) * of.parts();
        const auto layout = [&](auto take) {
            Iterate &it = iterate;
            for (vec **array : {&it.z, &it.misfit, &it.gradient, &it.multiplier, &it.direction, &it.trial_gradient})
                *array = take(size);
            for (int i = 0; i < p->memory; i++) it.steps[i] = take(size), it.changes[i] = take(size);
            support.lay_out(of.m1, of.m2, take);
            modulus.lay_out(take);
        };
        if (!modulus.plan(of.m1, of.m2, of.complex) || !arena.reserve(layout)) return false;
        modulus.fill();
        m1 = of.m1, m2 = of.m2, memory = p->memory, complex = of.complex;
        return true;
    }
};

static thread_local AlmWorkspace workspace;

/* The products of the gradient with itself and with every pair, and those of change `n` with the pairs up to n. */
DISPATCH static void multiply(Iterate *it, int memory, int n, size_t size) {
    vec sum[MAX_MEMORY][4] = {}, gg{};
    const vec *g = it->gradient, *newest = memory ? it->changes[n] : g;
    for (size_t from = 0; from < size; from += CHUNK) {
        const size_t to = std::min(from + CHUNK, size);
        for (size_t i = from; i < to; i++) gg += g[i] * g[i];
        for (int j = 0; j < memory; j++) {
            const vec *s = it->steps[j], *y = it->changes[j];
            vec sg{}, yg{}, sy{}, yy{};
            for (size_t i = from; i < to; i++) {
                sg += s[i] * g[i];
                yg += y[i] * g[i];
                sy += s[i] * newest[i];
                yy += y[i] * newest[i];
            }
            sum[j][0] += sg, sum[j][1] += yg, sum[j][2] += sy, sum[j][3] += yy;
        }
    }
    Products &of = it->products;
    of.gg = total(gg);
    for (int j = 0; j < memory; j++) {
        of.sg[j] = total(sum[j][0]);
        of.yg[j] = total(sum[j][1]);
        if (j <= n) of.sy[j][n] = total(sum[j][2]);
        of.yy[n][j] = of.yy[j][n] = total(sum[j][3]);
    }
}

/* direction = -H g by the two-loop recursion, on the coefficients of its combination of g, s and y; returns its
 * product with g. Pairs without positive curvature are passed over. */
DISPATCH static float descend(Iterate *it, int memory, size_t size) {
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
    for (size_t from = 0; from < size; from += CHUNK) {
        const size_t to = std::min(from + CHUNK, size);
        for (size_t i = from; i < to; i++) d[i] = (float)cg * g[i];
        for (int j = 0; j < memory; j++) {
            const vec *s = it->steps[j], *y = it->changes[j];
            const float a = (float)cs[j], b = (float)cy[j];
            for (size_t i = from; i < to; i++) d[i] += a * s[i] + b * y[i];
        }
    }
    return (float)slope;
}

/* V - P_S V of a vector of pixels, of which some lie inside the support. */
template <bool nonnegative, typename Pixels>
INLINE Pixels outside(Pixels v, vec inside) {
    Pixels within{};
    if constexpr (nonnegative) within = v < 0.0f ? v : vec{};
    return choose(inside, within, v);
}

/* For each vector of pixels: its index, and which of them lie inside. */
template <typename Action>
INLINE void each(const Support *support, Action act) {
    for (int row = 0; row < support->m1; row++)
        for (int v = 0; v < support->width; v++) act((size_t)row * support->width + v, (*support)(row, v));
}

/* L at z + length direction, with its gradient in `trial_gradient` and the distance vector to M in `misfit`. */
template <bool nonnegative, typename Pixels>
INLINE float evaluate(const AlmWorkspace *w, Iterate *it, float length) {
    const Pixels *z = pixels<Pixels>(it->z), *d = pixels<Pixels>(it->direction);
    const Pixels *multiplier = pixels<Pixels>(it->multiplier);
    Pixels *misfit = pixels<Pixels>(it->misfit), *gradient = pixels<Pixels>(it->trial_gradient);
    const Support inside = w->support;
    const size_t width = inside.width;
    const float rho = it->rho, inverse = 1 / rho;
    vec sum{};
    const auto trial = [&](int row, int v) INLINE_LAMBDA { return z[row * width + v] + length * d[row * width + v]; };
    project_magnitude(&w->modulus, trial, [&](int row, int v, Pixels projected) INLINE_LAMBDA {
        const size_t i = row * width + v;
        const Pixels at = trial(row, v), m = at - projected;
        const Pixels o = outside<nonnegative>(at + inverse * multiplier[i], inside(row, v));
        misfit[i] = m;
        gradient[i] = m + rho * o;
        sum += square(m) + rho * square(o);
    });
    return total(sum) / 2;
}

/* One L-BFGS step on the subproblem, with a backtracking line search. */
template <bool nonnegative, typename Pixels>
INLINE void step(const AlmProblem *p, const AlmWorkspace *w, Iterate *it) {
    const int memory = p->memory;
    const size_t size = w->size;
    multiply(it, memory, memory - 1, size);
    const float slope = descend(it, memory, size);
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
        vec *s = it->steps[memory - 1], *y = it->changes[memory - 1];
        for (size_t i = 0; i < size; i++) {
            s[i] = length * it->direction[i];
            y[i] = it->trial_gradient[i] - it->gradient[i];
        }
    }
    for (size_t i = 0; i < size; i++) it->z[i] += length * it->direction[i];
    std::swap(it->gradient, it->trial_gradient);
    it->value = value;
    it->inner += 1;
}

/* multiplier <- rho (V - P_S V), rho adapted, and L and its gradient for both. */
template <bool nonnegative, typename Pixels>
INLINE void update_multipliers(const AlmProblem *p, const Support *support, Iterate *it) {
    const Pixels *z = pixels<Pixels>(it->z), *misfit = pixels<Pixels>(it->misfit);
    Pixels *multiplier = pixels<Pixels>(it->multiplier), *gradient = pixels<Pixels>(it->gradient);
    const float before = it->rho, inverse = 1 / before;
    vec squares{};
    each(support, [&](size_t i, vec inside) INLINE_LAMBDA {
        multiplier[i] = before * outside<nonnegative>(z[i] + inverse * multiplier[i], inside);
        squares += square(outside<nonnegative>(z[i], inside));
    });
    const float violation = std::sqrt(total(squares));
    if (violation > p->shrink * it->violation) it->rho = std::min(before * p->growth, p->rho_max);
    it->violation = violation;
    it->inner = 0;
    const float rho = it->rho, now = 1 / rho;
    vec sum{};
    each(support, [&](size_t i, vec inside) INLINE_LAMBDA {
        const Pixels m = misfit[i], o = outside<nonnegative>(z[i] + now * multiplier[i], inside);
        gradient[i] = m + rho * o;
        sum += square(m) + rho * square(o);
    });
    it->value = total(sum) / 2;
}

template <bool nonnegative, typename Pixels>
INLINE void iterate(const AlmProblem *p, const AlmWorkspace *w, Iterate *it, int count) {
    for (int n = 0; n + 1 < p->memory; n++) multiply(it, p->memory, n, w->size);
    for (int i = 0; i < count; i++) {
        step<nonnegative, Pixels>(p, w, it);
        if (it->inner >= p->inner) update_multipliers<nonnegative, Pixels>(p, &w->support, it);
    }
}

DISPATCH static void iterate_any(const AlmProblem *p, const AlmWorkspace *w, Iterate *it, int count) {
    if (p->of.complex) return iterate<false, complex_vec>(p, w, it, count);
    return p->of.nonnegative ? iterate<true, vec>(p, w, it, count) : iterate<false, vec>(p, w, it, count);
}

/* The image that an iterate stands for, x = P_S z, in `direction`, and its misfit. */
template <bool nonnegative, typename Pixels>
INLINE float look(const AlmWorkspace *w, const Iterate *it) {
    const Pixels *z = pixels<Pixels>(it->z);
    Pixels *x = pixels<Pixels>(it->direction);
    const size_t width = w->support.width;
    each(&w->support, [&](size_t i, vec inside) INLINE_LAMBDA { x[i] = z[i] - outside<nonnegative>(z[i], inside); });
    return misfit(&w->modulus, w->modulus.whole(), [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; });
}

DISPATCH static float look_any(const AlmProblem *p, const AlmWorkspace *w, const Iterate *it) {
    if (p->of.complex) return look<false, complex_vec>(w, it);
    return p->of.nonnegative ? look<true, vec>(w, it) : look<false, vec>(w, it);
}

/* For each row of an array of the workspace: `act` with it, and with its place in image number `image` of `of`. */
template <typename Action>
static void each_row(const Constraints *of, int image, vec *work, float *state, Action act) {
    const size_t row = (size_t)of->m2 * of->parts(), width = (size_t)ceiling(of->m2) * of->parts();
    for (size_t r = 0; r < (size_t)of->m1; r++) act(work + r * width, state + image * of->numbers() + r * row);
}

/* The same for each array of an iterate. */
template <typename Action>
static void each_row_of_all(const AlmProblem *p, const AlmState *s, const Iterate *it, int image, Action act) {
    const auto both = [&](vec *work, float *state) { each_row(&p->of, image, work, state, act); };
    both(it->z, s->z);
    both(it->misfit, s->misfit);
    both(it->gradient, s->gradient);
    both(it->multiplier, s->multiplier);
    for (int i = 0; i < p->memory; i++) both(it->steps[i], s->steps[i]), both(it->changes[i], s->changes[i]);
}

/* `act(i, iterate)` with each image and its constraints in the workspace; then its state is written. Returns 0, or -1
 * when there is no memory or no plan. */
template <typename Act>
static int each_image(const AlmProblem *p, const AlmState *s, Act act) {
    if (p->memory > MAX_MEMORY || !workspace.prepare(p)) return -1;
    Iterate &it = workspace.iterate;
    const int m2 = p->of.m2, parts = p->of.parts();
    for (int i = 0; i < p->of.batch; i++) {
        each_row_of_all(p, s, &it, i, [&](vec *work, const float *state) { take_row(state, m2, parts, work); });
        it.value = s->value[i], it.rho = s->rho[i], it.violation = s->violation[i];
        it.inner = s->inner[i], it.evaluations = s->evaluations[i];
        workspace.support.load(&p->of, i);
        load_magnitude(&workspace.modulus, &p->of, i);
        act(i, &it);
        each_row_of_all(p, s, &it, i, [&](const vec *work, float *state) { give_row(work, m2, parts, state); });
        s->value[i] = it.value, s->rho[i] = it.rho, s->violation[i] = it.violation;
        s->inner[i] = it.inner, s->evaluations[i] = it.evaluations;
    }
    return 0;
}

/* `count` iterations on a block of images, in place. */
extern "C" int phasebench_lagrangian(const AlmProblem *p, const AlmState *s, int count) {
    return each_image(p, s, [&](int, Iterate *it) { iterate_any(p, &workspace, it, count); });
}

/* The starts of a block of images, in place, to their ends. */
extern "C" int phasebench_pursue_lagrangian(const AlmProblem *p, const AlmState *s, const Pursuit *pursuit) {
    const int m2 = p->of.m2, parts = p->of.parts();
    return each_image(p, s, [&](int i, Iterate *it) {
        const auto give = [&](float *image) {
            each_row(&p->of, 0, it->direction, image, [&](const vec *x, float *row) { give_row(x, m2, parts, row); });
        };
        pursue(pursuit, i, p->of.numbers(), [&](int count) { iterate_any(p, &workspace, it, count); },
               [&] { return look_any(p, &workspace, it); }, give);
    });
}
