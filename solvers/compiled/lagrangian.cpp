/* The element-wise half of the augmented Lagrangian method, image by image, so that an image's arrays stay in the
 * second-level cache. The reference is solvers/alm.py (`lagrangian`) and solvers/lbfgs.py (`direction`).
 */

#include <cmath>
#include <cstddef>

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

/* direction (batch, size) = -H gradient by the two-loop recursion, and slope (batch) = <gradient, direction>. Pairs
 * steps[i], changes[i] (batch, size) come oldest first; without positive curvature they are passed over. */
extern "C" void phasebench_direction(const float *gradient, const float *const *steps, const float *const *changes,
                                     int memory, int batch, size_t size, float *direction, float *slope) {
    for (int image = 0; image < batch; image++) {
        const size_t at = image * size;
        const float *g = gradient + at;
        float *q = direction + at, inverse[MAX_MEMORY], alpha[MAX_MEMORY], initial = 0;
        for (size_t i = 0; i < size; i++) q[i] = -g[i];
        for (int i = memory - 1; i >= 0; i--) {
            const float *s = steps[i] + at, *y = changes[i] + at;
            const float sy = dot(s, y, size), yy = dot(y, y, size);
            inverse[i] = sy > 1e-10f * yy ? 1 / sy : 0;
            if (inverse[i] == 0) continue;
            alpha[i] = inverse[i] * dot(s, q, size);
            add(q, -alpha[i], y, size);
            if (initial == 0) initial = sy / yy;
        }
        if (initial > 0) scale(q, initial, size);
        for (int i = 0; i < memory; i++)
            if (inverse[i] != 0) add(q, alpha[i] - inverse[i] * dot(changes[i] + at, q, size), steps[i] + at, size);
        slope[image] = dot(g, q, size);
    }
}

template <bool nonnegative>
static inline __attribute__((always_inline)) void evaluate(const float *z, const float *p, const float *multiplier,
                                                           float rho, int inside, int n, float *misfit,
                                                           float *gradient, float *value) {
    const float inverse = 1 / rho;
    float sum = 0;
    for (int i = 0; i < n; i++) {
        const float v = z[i] + inverse * multiplier[i];
        const float allowed = i >= inside ? 0 : nonnegative ? (v > 0 ? v : 0) : v;
        const float m = z[i] - p[i], outside = v - allowed;
        misfit[i] = m;
        gradient[i] = m + rho * outside;
        sum += m * m + rho * outside * outside;
    }
    *value += sum / 2;
}

/* L (batch), its gradient and the distance vector z - p to M (batch, m1, m2), where p = P_M z. */
DISPATCH static void lagrangian(const float *z, const float *p, const float *multiplier, const float *rho, int batch,
                                int m1, int m2, int n1, int n2, int nonnegative, float *misfit, float *gradient,
                                float *value) {
    for (int image = 0; image < batch; image++) {
        value[image] = 0;
        for (int row = 0; row < m1; row++) {
            const size_t at = ((size_t)image * m1 + row) * m2;
            const int inside = row < n1 ? n2 : 0;
            if (nonnegative)
                evaluate<true>(z + at, p + at, multiplier + at, rho[image], inside, m2, misfit + at, gradient + at,
                               value + image);
            else
                evaluate<false>(z + at, p + at, multiplier + at, rho[image], inside, m2, misfit + at, gradient + at,
                                value + image);
        }
    }
}

extern "C" void phasebench_lagrangian(const float *z, const float *p, const float *multiplier, const float *rho,
                                      int batch, int m1, int m2, int n1, int n2, int nonnegative, float *misfit,
                                      float *gradient, float *value) {
    lagrangian(z, p, multiplier, rho, batch, m1, m2, n1, n2, nonnegative, misfit, gradient, value);
}
