/* Projection iterations on a block of images, one image in each lane of a SIMD register.
 *
 * An image is never transformed alone. LANES images are interleaved, so that every operation of the transform is
 * the same operation on LANES numbers, without a shuffle anywhere. An iteration passes over the block three times,
 * and the block stays in the second-level cache:
 *
 *   1. pairs of rows: what the map feeds to P_M (x itself, or 2 P_S x - x), transformed along the row,
 *   2. columns: transformed, set to the measured magnitudes, transformed back,
 *   3. pairs of rows: transformed back, and the map's new x.
 *
 * Two real rows a, b travel as one complex row a + ib, whose transform is split by its symmetry. This file knows the
 * maps of solvers/er.py, hio.py, raar.py, difference_map.py and rrr.py, which are the reference.
 */

#include "transform.h"

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR };

struct Problem {
    int m1, m2, n1, n2; /* grid, and the box [0, n1) x [0, n2) */
    float beta;
};

/* 1 if the kernel can transform this length. */
extern "C" int phasebench_supports(int n) {
    int radix[MAX_STAGES];
    return n >= 2 && n <= 1024 && factorise(n, radix) > 0;
}

/* --- the three passes ----------------------------------------------------------------------------------------- */

INLINE vec positive(vec x) { return x > 0.0f ? x : vec{}; }

/* P_S at one pixel. */
template <bool nonnegative>
INLINE vec project(vec x, bool inside) {
    return !inside ? vec{} : nonnegative ? positive(x) : x;
}

/* What the map gives to P_M. */
template <Map map, bool nonnegative>
INLINE vec before(vec x, bool inside) {
    return map == RRR ? 2.0f * project<nonnegative>(x, inside) - x : x;
}

/* The new iterate from the old one and p, which P_M gave back. */
template <Map map, bool nonnegative>
INLINE vec after(float beta, vec x, vec p, bool inside) {
    if constexpr (map == ER) return project<nonnegative>(p, inside);
    if constexpr (map == HIO) {
        const vec feedback = x - beta * p;
        return !inside ? feedback : nonnegative ? (p >= 0.0f ? p : feedback) : p;
    }
    if constexpr (map == RAAR)
        return beta * (project<nonnegative>(2.0f * p - x, inside) + x - p) + (1.0f - beta) * p;
    if constexpr (map == DIFFERENCE_MAP) return x + project<nonnegative>(2.0f * p - x, inside) - p;
    return x + beta * (p - project<nonnegative>(x, inside));
}

struct Work {
    Plan row, column;
    vec *x;         /* (m1, m2) the iterate */
    vec *magnitude; /* (k, m1) measured magnitudes, column by column */
    vec *half;      /* (m1, k, 2) half plane */
    vec *buffer[4];
};

template <Map map, bool nonnegative>
INLINE void rows_forward(const Problem *it, Work *w) {
    const int m2 = it->m2, k = m2 / 2 + 1;
    vec *const *b = w->buffer;
    for (int r = 0; r < it->m1; r += 2) {
        const vec *xa = w->x + (size_t)r * m2, *xb = xa + m2;
        for (int c = 0; c < it->n2; c++) {
            b[0][c] = before<map, nonnegative>(xa[c], r < it->n1);
            b[1][c] = before<map, nonnegative>(xb[c], r + 1 < it->n1);
        }
        for (int c = it->n2; c < m2; c++) {
            b[0][c] = before<map, nonnegative>(xa[c], 0);
            b[1][c] = before<map, nonnegative>(xb[c], 0);
        }
        Halves z = transform(&w->row, b[0], b[1], b[2], b[3]);
        vec *ha = w->half + (size_t)r * k * 2, *hb = ha + 2 * (size_t)k;
        for (int c = 0; c < k; c++) {
            const int d = c ? m2 - c : 0;
            ha[2 * c] = 0.5f * (z.re[c] + z.re[d]);
            ha[2 * c + 1] = 0.5f * (z.im[c] - z.im[d]);
            hb[2 * c] = 0.5f * (z.im[c] + z.im[d]);
            hb[2 * c + 1] = 0.5f * (z.re[d] - z.re[c]);
        }
    }
}

INLINE void columns(const Problem *it, Work *w) {
    const int m1 = it->m1, k = it->m2 / 2 + 1;
    vec *const *b = w->buffer;
    const float scale = 1.0f / ((float)m1 * (float)it->m2); /* of the inverse transform */
    for (int c = 0; c < k; c++) {
        vec *h = w->half + 2 * c;
        for (int r = 0; r < m1; r++) {
            b[0][r] = h[(size_t)r * k * 2];
            b[1][r] = h[(size_t)r * k * 2 + 1];
        }
        Halves z = transform(&w->column, b[0], b[1], b[2], b[3]);
        const vec *magnitude = w->magnitude + (size_t)c * m1;
        for (int r = 0; r < m1; r++) {
            const vec factor = scale * magnitude[r] * inverse_root(z.re[r] * z.re[r] + z.im[r] * z.im[r]);
            z.re[r] *= factor;
            z.im[r] *= factor;
        }
        vec *other_re = z.re == b[0] ? b[2] : b[0], *other_im = z.im == b[1] ? b[3] : b[1];
        z = transform(&w->column, z.im, z.re, other_im, other_re);
        for (int r = 0; r < m1; r++) {
            h[(size_t)r * k * 2] = z.im[r];
            h[(size_t)r * k * 2 + 1] = z.re[r];
        }
    }
}

template <Map map, bool nonnegative>
INLINE void rows_inverse(const Problem *it, Work *w) {
    const int m2 = it->m2, k = m2 / 2 + 1;
    vec *const *b = w->buffer;
    for (int r = 0; r < it->m1; r += 2) {
        const vec *ha = w->half + (size_t)r * k * 2, *hb = ha + 2 * (size_t)k;
        for (int c = 0; c < k; c++) { /* a + ib, with the imaginary part first: an inverse transform */
            const int d = c ? m2 - c : 0;
            vec ar = ha[2 * c], ai = ha[2 * c + 1], br = hb[2 * c], bi = hb[2 * c + 1];
            b[1][d] = ar + bi;
            b[0][d] = br - ai;
            b[1][c] = ar - bi;
            b[0][c] = ai + br;
        }
        Halves z = transform(&w->row, b[0], b[1], b[2], b[3]);
        vec *xa = w->x + (size_t)r * m2, *xb = xa + m2;
        for (int c = 0; c < it->n2; c++) {
            xa[c] = after<map, nonnegative>(it->beta, xa[c], z.im[c], r < it->n1);
            xb[c] = after<map, nonnegative>(it->beta, xb[c], z.re[c], r + 1 < it->n1);
        }
        for (int c = it->n2; c < m2; c++) {
            xa[c] = after<map, nonnegative>(it->beta, xa[c], z.im[c], 0);
            xb[c] = after<map, nonnegative>(it->beta, xb[c], z.re[c], 0);
        }
    }
}

template <Map map, bool nonnegative>
INLINE void iterate(const Problem *it, Work *w, int count) {
    for (int i = 0; i < count; i++) {
        rows_forward<map, nonnegative>(it, w);
        columns(it, w);
        rows_inverse<map, nonnegative>(it, w);
    }
}

DISPATCH static void iterate_any(const Problem *it, Work *w, int map, int nonnegative, int count) {
    switch (2 * map + !!nonnegative) {
    case 2 * ER: return iterate<ER, false>(it, w, count);
    case 2 * ER + 1: return iterate<ER, true>(it, w, count);
    case 2 * HIO: return iterate<HIO, false>(it, w, count);
    case 2 * HIO + 1: return iterate<HIO, true>(it, w, count);
    case 2 * RAAR: return iterate<RAAR, false>(it, w, count);
    case 2 * RAAR + 1: return iterate<RAAR, true>(it, w, count);
    case 2 * DIFFERENCE_MAP: return iterate<DIFFERENCE_MAP, false>(it, w, count);
    case 2 * DIFFERENCE_MAP + 1: return iterate<DIFFERENCE_MAP, true>(it, w, count);
    case 2 * RRR: return iterate<RRR, false>(it, w, count);
    case 2 * RRR + 1: return iterate<RRR, true>(it, w, count);
    }
}

DISPATCH static void misfit(const Problem *it, Work *w, int count, float *residual) {
    const int m1 = it->m1, k = it->m2 / 2 + 1;
    vec *const *b = w->buffer;
    vec wrong{}, all{};
    rows_forward<ER, false>(it, w);
    for (int c = 0; c < k; c++) {
        const float weight = c == 0 || 2 * c == it->m2 ? 1.0f : 2.0f; /* the other half plane */
        const vec *magnitude = w->magnitude + (size_t)c * m1;
        for (int r = 0; r < m1; r++) {
            b[0][r] = w->half[((size_t)r * k + c) * 2];
            b[1][r] = w->half[((size_t)r * k + c) * 2 + 1];
        }
        Halves z = transform(&w->column, b[0], b[1], b[2], b[3]);
        for (int r = 0; r < m1; r++) {
            const vec power = z.re[r] * z.re[r] + z.im[r] * z.im[r];
            const vec difference = power * inverse_root(power) - magnitude[r];
            wrong += weight * difference * difference;
            all += weight * magnitude[r] * magnitude[r];
        }
    }
    vec root; /* of all lanes, in use or not: a shorter loop would be rounded otherwise */
    for (int l = 0; l < LANES; l++) root[l] = sqrtf(wrong[l] / all[l]);
    for (int l = 0; l < count; l++) residual[l] = root[l];
}

/* --- interleaving --------------------------------------------------------------------------------------------- */

/* From images (count, size) to one vector for each pixel; the lanes beyond `count` hold zeros. */
DISPATCH static void interleave(const float *images, size_t size, int count, vec *out) {
    size_t p = 0;
    for (; p + LANES <= size; p += LANES) {
        vec v[LANES] = {};
        for (int l = 0; l < count; l++) std::memcpy(&v[l], images + l * size + p, sizeof(vec));
        transpose(v);
        for (int l = 0; l < LANES; l++) out[p + l] = v[l];
    }
    for (; p < size; p++)
        for (int l = 0; l < LANES; l++) out[p][l] = l < count ? images[l * size + p] : 0.0f;
}

DISPATCH static void separate(const vec *in, size_t size, int count, float *images) {
    size_t p = 0;
    for (; p + LANES <= size; p += LANES) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = in[p + l];
        transpose(v);
        for (int l = 0; l < count; l++) std::memcpy(images + l * size + p, &v[l], sizeof(vec));
    }
    for (; p < size; p++)
        for (int l = 0; l < count; l++) images[l * size + p] = in[p][l];
}

/* --- entries --------------------------------------------------------------------------------------------------- */

/* Work arrays that outlive a call: fresh pages would cost as much as an iteration. One for each thread. */
struct Workspace {
    int m1 = 0, m2 = 0;
    vec *block = nullptr;
    Work work{};

    /* Ready for this size; false when there is no memory or no plan. */
    bool prepare(const Problem &it) {
        if (m1 == it.m1 && m2 == it.m2) return true;
        release();
        const int k = it.m2 / 2 + 1, longest = it.m1 > it.m2 ? it.m1 : it.m2;
        const size_t size = (size_t)it.m1 * it.m2, half = (size_t)it.m1 * k;
        const size_t vectors = size + 3 * half + 4 * (size_t)longest;
        block = static_cast<vec *>(std::aligned_alloc(sizeof(vec), vectors * sizeof(vec)));
        if (!block || make_plan(&work.row, it.m2) || make_plan(&work.column, it.m1)) return release(), false;
        work.x = block;
        work.half = work.x + size;
        work.magnitude = work.half + 2 * half;
        for (int i = 0; i < 4; i++) work.buffer[i] = work.magnitude + half + (size_t)i * longest;
        m1 = it.m1, m2 = it.m2;
        return true;
    }

    void load(const float *x, const float *magnitude, int count) {
        const int k = m2 / 2 + 1;
        interleave(x, (size_t)m1 * m2, count, work.x);
        interleave(magnitude, (size_t)m1 * k, count, work.half); /* in passing: the first pass writes there */
        for (int r = 0; r < m1; r++)
            for (int c = 0; c < k; c++) work.magnitude[(size_t)c * m1 + r] = work.half[(size_t)r * k + c];
    }

    void release() {
        std::free(work.row.twiddle);
        std::free(work.column.twiddle);
        std::free(block);
        work = {}, block = nullptr, m1 = m2 = 0;
    }

    ~Workspace() { release(); }
};

static thread_local Workspace workspace;

/* `iterations` steps of a map on `count` <= LANES images x (count, m1, m2), in place, given their magnitudes
 * (count, m1, m2 / 2 + 1). m1 must be even. Returns 0, or -1 when there is no memory or no plan for a length. */
extern "C" int phasebench_iterate(float *x, const float *magnitude, int count, int m1, int m2, int n1, int n2, int map,
                                  int nonnegative, float beta, int iterations) {
    const Problem it = {m1, m2, n1, n2, beta};
    if (!workspace.prepare(it)) return -1;
    workspace.load(x, magnitude, count);
    iterate_any(&it, &workspace.work, map, nonnegative, iterations);
    separate(workspace.work.x, (size_t)m1 * m2, count, x);
    return 0;
}

/* residual (count): || |F x| - magnitude || / || magnitude || over the whole plane, for images as above. */
extern "C" int phasebench_residual(const float *x, const float *magnitude, int count, int m1, int m2, float *residual) {
    const Problem it = {m1, m2, m1, m2, 0};
    if (!workspace.prepare(it)) return -1;
    workspace.load(x, magnitude, count);
    misfit(&it, &workspace.work, count, residual);
    return 0;
}
