/* Iterations of the projection solvers, one image after the other.
 *
 * An image stays in the second-level cache for all the iterations of a call, and costs the same in any company. An
 * iteration is three passes over it: columns, with what the map feeds to P_M; rows, with the magnitudes; columns, with
 * the map's new x. The reference is the step of solvers/er.py, hio.py, raar.py, difference_map.py and rrr.py.
 */

#include "modulus.h"

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR };

/* (batch, m1, m2) images with their magnitudes, real and zero outside the box [0, n1) x [0, n2). */
struct ProjectionProblem {
    const float *magnitude; /* (batch, m1, m2 / 2 + 1) */
    int batch, m1, m2, n1, n2, map, nonnegative;
    float beta;
};

/* Work arrays that outlive a call: fresh pages would cost as much as an iteration. One for each thread. */
struct Workspace {
    int m1 = 0, m2 = 0;
    vec *x = nullptr; /* (m1, width), and what owns the memory */
    Modulus modulus;

    /* Ready for this grid; false when there is no memory or no plan. */
    bool prepare(int rows, int columns) {
        if (m1 == rows && m2 == columns) return true;
        release();
        const size_t size = (size_t)rows * Modulus::ceiling(columns), all = size + Modulus::vectors(rows, columns);
        x = static_cast<vec *>(std::aligned_alloc(sizeof(vec), all * sizeof(vec)));
        if (!x) return false;
        std::memset(static_cast<void *>(x), 0, all * sizeof(vec));
        if (!modulus.prepare(rows, columns, x + size)) return release(), false;
        m1 = rows, m2 = columns;
        return true;
    }

    void release() {
        std::free(x);
        x = nullptr, m1 = m2 = 0;
    }

    ~Workspace() { release(); }
};

static thread_local Workspace workspace;

/* --- the maps ------------------------------------------------------------------------------------------------- */

template <bool nonnegative>
INLINE vec project_object(vec x, vec inside) {
    const vec kept = inside > 0.5f ? x : vec{};
    return nonnegative ? (kept > 0.0f ? kept : vec{}) : kept;
}

/* What the map gives to P_M. */
template <Map map, bool nonnegative>
INLINE vec before(vec x, vec inside) {
    return map == RRR ? 2.0f * project_object<nonnegative>(x, inside) - x : x;
}

/* The new iterate from the old one and p, which P_M gave back. */
template <Map map, bool nonnegative>
INLINE vec after(float beta, vec x, vec p, vec inside) {
    if constexpr (map == ER) return project_object<nonnegative>(p, inside);
    if constexpr (map == HIO) {
        const vec kept = inside > 0.5f ? (nonnegative ? p : vec{}) : vec{} - 1.0f; /* below zero: to be fed back */
        return kept < 0.0f ? x - beta * p : p;
    }
    if constexpr (map == RAAR)
        return beta * (project_object<nonnegative>(2.0f * p - x, inside) + x - p) + (1.0f - beta) * p;
    if constexpr (map == DIFFERENCE_MAP) return x + project_object<nonnegative>(2.0f * p - x, inside) - p;
    return x + beta * (p - project_object<nonnegative>(x, inside));
}

template <Map map, bool nonnegative>
INLINE void iterate(const ProjectionProblem *it, Workspace *w, int count) {
    const size_t width = w->modulus.width;
    vec *x = w->x;
    for (int i = 0; i < count; i++)
        project_magnitude(
            &w->modulus,
            [&](int r, int v) INLINE_LAMBDA { return before<map, nonnegative>(x[r * width + v], inside_box(it->n1, it->n2, r, v)); },
            [&](int r, int v, vec p) INLINE_LAMBDA {
                vec &at = x[r * width + v];
                at = after<map, nonnegative>(it->beta, at, p, inside_box(it->n1, it->n2, r, v));
            });
}

/* The image that an iterate stands for: P_S x for RRR, P_S P_M x for the others. */
template <bool nonnegative>
INLINE void solution(const ProjectionProblem *it, Workspace *w) {
    if (it->map != RRR) return iterate<ER, nonnegative>(it, w, 1);
    for (int r = 0; r < it->m1; r++)
        for (int v = 0; v < w->modulus.width; v++) {
            vec &at = w->x[(size_t)r * w->modulus.width + v];
            at = project_object<nonnegative>(at, inside_box(it->n1, it->n2, r, v));
        }
}

DISPATCH static void iterate_any(const ProjectionProblem *it, Workspace *w, int count) {
    switch (2 * it->map + !!it->nonnegative) {
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

DISPATCH static void solution_any(const ProjectionProblem *it, Workspace *w) {
    return it->nonnegative ? solution<true>(it, w) : solution<false>(it, w);
}

DISPATCH static float misfit_of(const Workspace *w) {
    return misfit(&w->modulus, [&](int r, int v) INLINE_LAMBDA { return w->x[(size_t)r * w->modulus.width + v]; });
}

/* --- entries -------------------------------------------------------------------------------------------------- */

/* Between an image (m1, m2) and the workspace, whose rows are whole vectors. */
static void take(Workspace *w, const float *image) {
    for (int r = 0; r < w->m1; r++) take_row(image + (size_t)r * w->m2, w->m2, w->x + (size_t)r * w->modulus.width);
}

static void give(const Workspace *w, float *image) {
    for (int r = 0; r < w->m1; r++)
        std::memcpy(image + (size_t)r * w->m2, w->x + (size_t)r * w->modulus.width, w->m2 * sizeof(float));
}

/* 1 if the kernels can transform this length. */
extern "C" int phasebench_supports(int n) {
    int radix[MAX_STAGES];
    return n >= 2 && n <= 1024 && factorise(n, radix) > 0;
}

/* `count` iterations on the images x (batch, m1, m2), in place; then, unless `estimate` is null, the images that the
 * iterates stand for (batch, m1, m2), and the residual (batch) of those. Returns 0, or -1 when there is no memory or no plan. */
extern "C" int phasebench_project(const ProjectionProblem *it, float *x, int count, float *estimate, float *residual) {
    if (!workspace.prepare(it->m1, it->m2)) return -1;
    const size_t size = (size_t)it->m1 * it->m2, half = (size_t)it->m1 * (it->m2 / 2 + 1);
    for (int i = 0; i < it->batch; i++) {
        take(&workspace, x + i * size);
        load_magnitude(&workspace.modulus, it->magnitude + i * half);
        iterate_any(it, &workspace, count);
        give(&workspace, x + i * size);
        if (!estimate) continue;
        solution_any(it, &workspace);
        give(&workspace, estimate + i * size);
        residual[i] = misfit_of(&workspace);
    }
    return 0;
}

/* residual (batch) of the images x (batch, m1, m2): || |F x| - magnitude || / || magnitude || over the whole plane. */
extern "C" int phasebench_residual(const float *x, const float *magnitude, int batch, int m1, int m2, float *residual) {
    if (!workspace.prepare(m1, m2)) return -1;
    const size_t size = (size_t)m1 * m2, half = (size_t)m1 * (m2 / 2 + 1);
    for (int i = 0; i < batch; i++) {
        take(&workspace, x + i * size);
        load_magnitude(&workspace.modulus, magnitude + i * half);
        residual[i] = misfit_of(&workspace);
    }
    return 0;
}
