/* Iterations of the projection solvers, one image after the other.
 *
 * An image stays in the second-level cache for all the iterations of a call, and costs the same whatever its
 * neighbours. An iteration is three passes over it: columns, with what the map feeds to P_M; rows, with the magnitudes;
 * columns, with the map's new x. The reference is the step of solvers/er.py, hio.py, raar.py, difference_map.py and rrr.py.
 */

#include "modulus.h"
#include "pursuit.h"

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR };

/* (batch, m1, m2) images with their magnitudes, real and zero outside the box [0, n1) x [0, n2). */
struct ProjectionProblem {
    const float *magnitude; /* (batch, m1, m2 / 2 + 1) */
    int batch, m1, m2, n1, n2, map, nonnegative;
    float beta;
};

/* One for each thread. */
struct Workspace {
    int m1 = 0, m2 = 0;
    vec *x, *estimate; /* (m1, width) */
    Modulus modulus;
    Arena arena;

    /* Ready for this grid; false when there is no memory or no plan. */
    bool prepare(int rows, int columns) {
        if (m1 == rows && m2 == columns) return true;
        m1 = m2 = 0; /* until it is */
        const auto layout = [&](auto take) {
            for (vec **image : {&x, &estimate}) *image = take((size_t)rows * ceiling(columns));
            modulus.lay_out(take);
        };
        if (!modulus.plan(rows, columns) || !arena.reserve(layout)) return false;
        modulus.fill();
        m1 = rows, m2 = columns;
        return true;
    }
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
    const size_t width = w->modulus.width;
    const vec *x = w->x;
    vec *estimate = w->estimate;
    const auto load = [&](int r, int v) INLINE_LAMBDA { return x[r * width + v]; };
    const auto store = [&](int r, int v, vec p) INLINE_LAMBDA {
        estimate[r * width + v] = project_object<nonnegative>(p, inside_box(it->n1, it->n2, r, v));
    };
    if (it->map != RRR) return project_magnitude(&w->modulus, load, store);
    for (int r = 0; r < it->m1; r++)
        for (size_t v = 0; v < width; v++) store(r, v, load(r, v));
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

DISPATCH static float misfit_of(const Workspace *w, const vec *image) {
    return misfit(&w->modulus, [&](int r, int v) INLINE_LAMBDA { return image[(size_t)r * w->modulus.width + v]; });
}

/* --- entries -------------------------------------------------------------------------------------------------- */

/* Between an image (m1, m2) and one of the workspace, whose rows are whole vectors. */
static void take(const Workspace *w, const float *image, vec *at) {
    for (int r = 0; r < w->m1; r++) take_row(image + (size_t)r * w->m2, w->m2, at + (size_t)r * w->modulus.width);
}

static void give(const Workspace *w, const vec *at, float *image) {
    for (int r = 0; r < w->m1; r++)
        std::memcpy(image + (size_t)r * w->m2, at + (size_t)r * w->modulus.width, w->m2 * sizeof(float));
}

/* For each of the images x (batch, m1, m2): `act(i)` with it and its magnitudes in the workspace. False when there is
 * no memory or no plan. */
template <typename Act>
static bool each_image(const float *magnitude, int batch, int m1, int m2, const float *x, Act act) {
    if (!workspace.prepare(m1, m2)) return false;
    const size_t size = (size_t)m1 * m2, half = (size_t)m1 * (m2 / 2 + 1);
    for (int i = 0; i < batch; i++) {
        take(&workspace, x + i * size, workspace.x);
        load_magnitude(&workspace.modulus, magnitude + i * half);
        act(i);
    }
    return true;
}

/* 1 if the kernels can transform this length. */
extern "C" int phasebench_supports(int n) {
    int radix[MAX_STAGES];
    return factorise(n, radix) > 0;
}

/* `count` iterations on the images x (batch, m1, m2), in place. Like all entries below, it returns 0, or -1 when there
 * is no memory or no plan. */
extern "C" int phasebench_project(const ProjectionProblem *it, float *x, int count) {
    const size_t size = (size_t)it->m1 * it->m2;
    const bool done = each_image(it->magnitude, it->batch, it->m1, it->m2, x, [&](int i) {
        iterate_any(it, &workspace, count);
        give(&workspace, workspace.x, x + i * size);
    });
    return done ? 0 : -1;
}

/* The starts of the images x (batch, m1, m2), in place, from their guesses to their ends. */
extern "C" int phasebench_pursue(const ProjectionProblem *it, const Pursuit *pursuit, float *x) {
    const size_t size = (size_t)it->m1 * it->m2;
    Workspace *w = &workspace;
    const bool done = each_image(it->magnitude, it->batch, it->m1, it->m2, x, [&](int i) {
        const auto look = [&] { return solution_any(it, w), misfit_of(w, w->estimate); };
        pursue(pursuit, i, size, [&](int count) { iterate_any(it, w, count); }, look,
               [&](float *image) { give(w, w->estimate, image); });
        give(w, w->x, x + i * size);
    });
    return done ? 0 : -1;
}

/* residual (batch) of the images x (batch, m1, m2): || |F x| - magnitude || / || magnitude || over the whole plane. */
extern "C" int phasebench_residual(const float *x, const float *magnitude, int batch, int m1, int m2, float *residual) {
    const bool done = each_image(magnitude, batch, m1, m2, x,
                                 [&](int i) { residual[i] = misfit_of(&workspace, workspace.x); });
    return done ? 0 : -1;
}
