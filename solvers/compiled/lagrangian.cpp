/* Iterations of the augmented Lagrangian method on a block of images.
 *
 * Everything but the projection onto the magnitudes works on one image after the other, so that an image's arrays
 * stay in the second-level cache. The reference is solvers/alm.py (`step`, `update_multipliers`) and solvers/lbfgs.py.
 */

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define DISPATCH __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCH
#endif

constexpr int MAX_MEMORY = 20;

DISPATCH static float dot(const float *a, const float *b, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

DISPATCH static void add(float *__restrict y, float a, const float *__restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

DISPATCH static void scale(float *y, float a, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] *= a;
}

/* Projection iterations of projection.cpp: error reduction (map 0) with all of the grid for a support is P_M. */
extern "C" int phasebench_iterate(float *x, const float *magnitude, int count, int m1, int m2, int n1, int n2, int map,
                                  int nonnegative, float beta, int iterations);
constexpr int LANES = 16;

struct Problem {
    const float *magnitude; /* (batch, m1, m2 / 2 + 1) */
    int batch, m1, m2, n1, n2, nonnegative;
    int memory, inner;               /* curvature pairs, steps per multiplier update */
    float shrink, growth, rho_max;   /* adaptation of the penalty */
    float armijo;
    int backtracks;
};

/* The fields of _Iterate in solvers/alm.py: (batch, m1, m2) or (batch), and the pairs, oldest first. */
struct State {
    float *z, *misfit, *value, *gradient, *multiplier, *rho, *violation, *inner, *evaluations;
    float **steps, **changes;
};

/* d = -H g by the two-loop recursion, for the pairs of one image at offset `at`; returns <g, d>. Pairs without
 * positive curvature are passed over. */
static float direction(const float *g, float *const *steps, float *const *changes, size_t at, int memory, size_t size,
                       float *d) {
    float inverse[MAX_MEMORY], alpha[MAX_MEMORY], initial = 0;
    for (size_t i = 0; i < size; i++) d[i] = -g[i];
    for (int i = memory - 1; i >= 0; i--) {
        const float *s = steps[i] + at, *y = changes[i] + at;
        const float sy = dot(s, y, size), yy = dot(y, y, size);
        inverse[i] = sy > 1e-10f * yy ? 1 / sy : 0;
        if (inverse[i] == 0) continue;
        alpha[i] = inverse[i] * dot(s, d, size);
        add(d, -alpha[i], y, size);
        if (initial == 0) initial = sy / yy; /* of the newest usable pair: Nocedal and Wright, eq. 7.20 */
    }
    if (initial > 0) scale(d, initial, size);
    for (int i = 0; i < memory; i++)
        if (inverse[i] != 0) add(d, alpha[i] - inverse[i] * dot(changes[i] + at, d, size), steps[i] + at, size);
    return dot(g, d, size);
}

/* V - P_S V at one pixel, V = z + multiplier / rho. */
template <bool nonnegative>
static inline __attribute__((always_inline)) float outside(float z, float multiplier, float inverse_rho, bool inside) {
    const float v = z + inverse_rho * multiplier;
    return !inside ? v : nonnegative && v < 0 ? v : 0;
}

/* The gradient of L at z, whose distance vector to M is `misfit`; returns L. */
template <bool nonnegative>
static inline __attribute__((always_inline)) float penalised(const Problem *p, const float *z, const float *misfit,
                                                             const float *multiplier, float rho, float *gradient) {
    const float inverse = 1 / rho;
    float sum = 0;
    for (int row = 0; row < p->m1; row++) {
        const int from = row * p->m2, inside = row < p->n1 ? p->n2 : 0;
        for (int i = 0; i < p->m2; i++) {
            const float o = outside<nonnegative>(z[from + i], multiplier[from + i], inverse, i < inside);
            const float m = misfit[from + i];
            gradient[from + i] = m + rho * o;
            sum += m * m + rho * o * o;
        }
    }
    return sum / 2;
}

/* multiplier <- rho (V - P_S V); returns ||z - P_S z||. */
template <bool nonnegative>
static inline __attribute__((always_inline)) float ascend(const Problem *p, const float *z, float *multiplier,
                                                          float rho) {
    const float inverse = 1 / rho;
    float sum = 0;
    for (int row = 0; row < p->m1; row++) {
        const int from = row * p->m2, inside = row < p->n1 ? p->n2 : 0;
        for (int i = 0; i < p->m2; i++) {
            const float violation = outside<nonnegative>(z[from + i], 0, 0, i < inside);
            multiplier[from + i] = rho * outside<nonnegative>(z[from + i], multiplier[from + i], inverse, i < inside);
            sum += violation * violation;
        }
    }
    return std::sqrt(sum);
}

DISPATCH static float penalised_any(const Problem *p, const float *z, const float *misfit, const float *multiplier,
                                    float rho, float *gradient) {
    return p->nonnegative ? penalised<true>(p, z, misfit, multiplier, rho, gradient)
                          : penalised<false>(p, z, misfit, multiplier, rho, gradient);
}

DISPATCH static float ascend_any(const Problem *p, const float *z, float *multiplier, float rho) {
    return p->nonnegative ? ascend<true>(p, z, multiplier, rho) : ascend<false>(p, z, multiplier, rho);
}

DISPATCH static void combine(float *out, const float *a, float factor, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] + factor * b[i];
}

struct Trial {
    std::vector<float> direction, z, misfit, gradient, value, slope, length;
    std::vector<char> enough;
    Trial(int batch, size_t size)
        : direction(batch * size), z(batch * size), misfit(batch * size), gradient(batch * size), value(batch),
          slope(batch), length(batch), enough(batch) {}
};

static void update_multipliers(const Problem *p, State *s, int image, size_t size) {
    const size_t at = image * size;
    const float violation = ascend_any(p, s->z + at, s->multiplier + at, s->rho[image]);
    if (violation > p->shrink * s->violation[image]) {
        const float grown = s->rho[image] * p->growth;
        s->rho[image] = grown < p->rho_max ? grown : p->rho_max;
    }
    s->violation[image] = violation;
    s->inner[image] = 0;
    s->value[image] = penalised_any(p, s->z + at, s->misfit + at, s->multiplier + at, s->rho[image], s->gradient + at);
}

/* One L-BFGS step on every image's subproblem, with its own backtracking line search. Returns 0, or -1 as
 * phasebench_iterate does. */
static int step(const Problem *p, State *s, Trial *t) {
    const size_t size = (size_t)p->m1 * p->m2;
    for (int image = 0; image < p->batch; image++) {
        const size_t at = image * size;
        t->slope[image] = direction(s->gradient + at, s->steps, s->changes, at, p->memory, size, &t->direction[at]);
        t->length[image] = 1;
        t->enough[image] = 0;
    }
    for (int trial = 0; trial <= p->backtracks; trial++) {
        bool all = true;
        for (int image = 0; image < p->batch; image++) {
            const size_t at = image * size;
            combine(&t->z[at], s->z + at, t->length[image], &t->direction[at], size);
        }
        t->misfit = t->z;
        if (phasebench_iterate(t->misfit.data(), p->magnitude, p->batch, p->m1, p->m2, p->m1, p->m2, 0, 0, 0, 1))
            return -1;
        for (int image = 0; image < p->batch; image++) {
            const size_t at = image * size;
            combine(&t->misfit[at], &t->z[at], -1, &t->misfit[at], size);
            t->value[image] = penalised_any(p, &t->z[at], &t->misfit[at], s->multiplier + at, s->rho[image],
                                            &t->gradient[at]);
            if (!t->enough[image]) s->evaluations[image] += 1;
            t->enough[image] = t->value[image] <= s->value[image] + p->armijo * t->length[image] * t->slope[image];
            if (!t->enough[image]) t->length[image] /= 2, all = false;
        }
        if (all) break;
    }
    float *oldest_step = p->memory ? s->steps[0] : nullptr, *oldest_change = p->memory ? s->changes[0] : nullptr;
    for (int image = 0; image < p->batch; image++) {
        const size_t at = image * size;
        if (p->memory) {
            combine(oldest_step + at, &t->z[at], -1, s->z + at, size);
            combine(oldest_change + at, &t->gradient[at], -1, s->gradient + at, size);
        }
        std::memcpy(s->z + at, &t->z[at], size * sizeof(float));
        std::memcpy(s->misfit + at, &t->misfit[at], size * sizeof(float));
        std::memcpy(s->gradient + at, &t->gradient[at], size * sizeof(float));
        s->value[image] = t->value[image];
        s->inner[image] += 1;
    }
    if (p->memory) {
        std::rotate(s->steps, s->steps + 1, s->steps + p->memory);
        std::rotate(s->changes, s->changes + 1, s->changes + p->memory);
    }
    return 0;
}

/* `count` iterations on a block of at most LANES images, in place. The pointers to the pairs are rotated, so that
 * they still come oldest first. Returns 0, or -1 when there is no memory. */
extern "C" int phasebench_alm(const Problem *p, State *s, int count) {
    if (p->batch > LANES || p->memory > MAX_MEMORY) return -1;
    const size_t size = (size_t)p->m1 * p->m2;
    Trial trial(p->batch, size);
    for (int i = 0; i < count; i++) {
        if (step(p, s, &trial)) return -1;
        for (int image = 0; image < p->batch; image++)
            if (s->inner[image] >= p->inner) update_multipliers(p, s, image, size);
    }
    return 0;
}
