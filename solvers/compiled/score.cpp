/* Where a truth stands in a reconstruction: the search of bench/score/metrics.py, one image after the other.
 *
 * Truth A and reconstruction B travel as one complex image A + iB, and the correlations of B with A upright and with A
 * turned come back as one: A^ and B^ are told apart by their symmetry, while the rows r and -r are at hand. So a
 * search is one complex transform there and one back, besides the energies of the windows. The reference is
 * `_explained_energy` in bench/score/metrics.py.
 */

#include "transform.h"

#include <algorithm>
#include <cfloat>
#include <cstdint>

typedef float unaligned_vec __attribute__((vector_size(4 * LANES), aligned(4)));

/* Pairs (batch, n1, n2), (batch, m1, m2), and where the best window of each begins. */
struct SearchProblem {
    const float *truth, *reconstruction;
    int batch, m1, m2, n1, n2, circular;
    int64_t *row, *column;
    uint8_t *flipped;
};

struct Peak {
    float value;
    int row, column;
};

/* One for each thread. */
struct SearchWorkspace {
    int m1 = 0, m2 = 0;
    int tall, wide, stride; /* vectors in a column and in a row of an image, and in a row of `inverse` */
    Plan row, column;
    vec *re, *im;        /* (wide, m1 + 1): columns, LANES of them at a time; what is beyond the image stays zero.
                            Transformed, they have their coefficients in the places of the plan `column`. */
    vec *density;        /* (tall LANES, wide) */
    vec *turned, *sums;  /* (wide LANES, tall) */
    vec *suffix;         /* of one band of windows */
    vec *inverse;        /* (m1, stride): one over the energy of a window, by its corner */
    vec *best[2], *at[2]; /* (wide) for each column, in `inverse` upright and turned: the best value, and its row */
    Halves line[2];      /* two groups of rows */
    Arena arena;

    /* Ready for this grid; false when there is no memory or no plan. */
    bool prepare(int rows, int columns) {
        if (m1 == rows && m2 == columns) return true;
        m1 = m2 = 0; /* until it is */
        tall = ceiling(rows), wide = ceiling(columns), stride = 2 * wide + 1;
        const auto layout = [&](auto take) {
            const size_t plane = (size_t)wide * (rows + 1), square = (size_t)tall * wide * LANES;
            const size_t longest = (size_t)std::max(tall, wide) * LANES;
            re = take(plane), im = take(plane);
            density = take(square), turned = take(square), sums = take(square);
            suffix = take(3 * longest);
            inverse = take((size_t)rows * stride);
            for (int i = 0; i < 2; i++) best[i] = take(wide), at[i] = take(wide);
            for (Halves &group : line) group.re = take(longest), group.im = take(longest);
            row.lay_out(take), column.lay_out(take);
        };
        if (!row.factor(columns) || !column.factor(rows) || !arena.reserve(layout)) return false;
        row.fill(), column.fill();
        m1 = rows, m2 = columns;
        return true;
    }
};

static thread_local SearchWorkspace workspace;

/* --- the transform ---------------------------------------------------------------------------------------------- */

/* The first `count` numbers, then zeros. */
INLINE vec load(const float *from, int count) {
    vec x{};
    if (count >= LANES)
        std::memcpy(&x, from, sizeof x);
    else if (count > 0)
        std::memcpy(&x, from, count * sizeof *from);
    return x;
}

/* What brings an image to the norm 1; 0 for an empty one. */
INLINE float normalisation(const float *image, size_t size) {
    double sum = 0;
    for (size_t i = 0; i < size; i++) sum += (double)image[i] * (double)image[i];
    return sum > 0 ? (float)std::min(1 / std::sqrt(sum), 1e38) : 0;
}

/* The transforms of the columns of A + iB, and the squares of B. Both get the norm 1: the rounding errors of the
 * larger would otherwise drown the smaller. */
static void columns_of_both(const SearchProblem *p, const SearchWorkspace *w, const float *a, const float *b) {
    const int m1 = p->m1, m2 = p->m2, n1 = p->n1, n2 = p->n2, wide = w->wide;
    float a_scale = normalisation(a, (size_t)n1 * n2), b_scale = normalisation(b, (size_t)m1 * m2);
    if (a_scale == 0 || b_scale == 0) a_scale = b_scale = 0; /* nor may rounding errors of one pass for the other */
    for (int v = 0; v < wide; v++) {
        vec *re = w->re + (size_t)v * (m1 + 1), *im = w->im + (size_t)v * (m1 + 1);
        for (int r = 0; r < m1; r++) {
            const vec pixels = b_scale * load(b + (size_t)r * m2 + v * LANES, m2 - v * LANES);
            im[r] = pixels;
            w->density[(size_t)r * wide + v] = pixels * pixels;
        }
        for (int r = 0; r < n1; r++) re[r] = a_scale * load(a + (size_t)r * n2 + v * LANES, n2 - v * LANES);
        for (int r = n1; r < m1; r++) re[r] = vec{};
        scramble(&w->column, re, im);
    }
}

/* LANES rows of the columns with one row in each lane of `line`, and back. */
INLINE void gather_rows(const vec *columns, int m1, int wide, const int *rows, vec *line) {
    for (int t = 0; t < wide; t++, columns += m1 + 1) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = columns[rows[l]];
        transpose(v);
        for (int l = 0; l < LANES; l++) line[t * LANES + l] = v[l];
    }
}

INLINE void scatter_rows(const vec *line, int m1, int wide, const int *rows, vec *columns) {
    for (int t = 0; t < wide; t++, columns += m1 + 1) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = line[t * LANES + l];
        transpose(v);
        for (int l = 0; l < LANES; l++) columns[rows[l]] = v[l];
    }
}

/* From the transforms x, y of A + iB at frequencies k and -k to those of the correlations, upright + i turned:
 * conj(A^) B^ + i A^ B^ = (Re A^ - Im A^) B^ (1 + i). Real and imaginary parts change places, for the inverse. */
INLINE void correlate(vec &x_re, vec &x_im, vec &y_re, vec &y_im) {
    const vec a_re = x_re + y_re, a_im = x_im - y_im, b_re = x_im + y_im, b_im = y_re - x_re; /* twice A^ and B^ */
    const vec here = a_re - a_im, opposite = a_re + a_im, sum = b_re + b_im, difference = b_re - b_im;
    x_re = here * sum;
    x_im = here * difference;
    y_re = opposite * difference;
    y_im = opposite * sum;
}

/* The first lane of one in that of the other. */
INLINE void exchange_first(vec first, vec &a, vec &b) {
    const vec c = first > 0.5f ? b : a;
    b = first > 0.5f ? a : b;
    a = c;
}

/* The rows: transformed, A^ and B^ made to their correlations, transformed back. A group has rows r in one half and
 * rows -r in the other. Those that are their own opposites, 0 and m1 / 2, share the first lane. */
static void rows_of_both(const SearchWorkspace *w) {
    const int m1 = w->m1, m2 = w->m2, wide = w->wide, pairs = (m1 + 1) / 2;
    const int *const row_of = w->column.place, *const place = w->row.place;
    const vec first = first_lanes(1);
    for (int from = 0; from < pairs; from += LANES) {
        int rows[2][LANES];
        for (int l = 0; l < LANES; l++) { /* what is left over is the row of zeros */
            const int r = from + l;
            rows[0][l] = r < pairs ? row_of[r] : m1;
            rows[1][l] = r >= pairs ? m1 : r ? row_of[m1 - r] : m1 % 2 ? m1 : row_of[m1 / 2];
        }
        const Halves *const z = w->line;
        for (int i = 0; i < 2; i++) {
            gather_rows(w->re, m1, wide, rows[i], z[i].re);
            gather_rows(w->im, m1, wide, rows[i], z[i].im);
            scramble(&w->row, z[i].re, z[i].im);
        }
        for (int k = 0; k <= m2 / 2; k++) {
            const int c = place[k], d = place[k ? m2 - k : 0];
            vec x_re = z[0].re[c], x_im = z[0].im[c], y_re = z[1].re[d], y_im = z[1].im[d];
            vec u_re = z[0].re[d], u_im = z[0].im[d], v_re = z[1].re[c], v_im = z[1].im[c];
            if (!from) exchange_first(first, y_re, u_re), exchange_first(first, y_im, u_im);
            correlate(x_re, x_im, y_re, y_im);
            /* In the first lane u, v are those of row m1 / 2 at -c and c. */
            correlate(u_re, u_im, v_re, v_im);
            if (!from) exchange_first(first, y_re, u_re), exchange_first(first, y_im, u_im);
            z[0].re[c] = x_re, z[0].im[c] = x_im, z[1].re[d] = y_re, z[1].im[d] = y_im;
            z[0].re[d] = u_re, z[0].im[d] = u_im, z[1].re[c] = v_re, z[1].im[c] = v_im;
        }
        for (int i = 0; i < 2; i++) {
            unscramble(&w->row, z[i].re, z[i].im);
            for (int c = m2; c < wide * LANES; c++) z[i].re[c] = z[i].im[c] = vec{};
            scatter_rows(z[i].re, m1, wide, rows[i], w->re);
            scatter_rows(z[i].im, m1, wide, rows[i], w->im);
        }
    }
}

/* --- the energies of the windows ---------------------------------------------------------------------------------- */

/* (tall LANES, wide vectors) transposed. */
INLINE void transpose_plane(const vec *from, int tall, int wide, vec *to) {
    for (int g = 0; g < tall; g++)
        for (int t = 0; t < wide; t++) {
            vec v[LANES];
            for (int l = 0; l < LANES; l++) v[l] = from[((size_t)g * LANES + l) * wide + t];
            transpose(v);
            for (int l = 0; l < LANES; l++) to[((size_t)t * LANES + l) * tall + g] = v[l];
        }
}

/* Row r of `to` becomes the sum of the rows r, r + 1, ..., r + n - 1 of `from`, around the end: what is left of r's
 * band of n rows, and the beginning of the next band. Nothing is ever subtracted, so that no energy is none.
 * `together` vectors of a row at a time: one sum would wait for itself. */
template <int together>
INLINE void window_sums(const vec *from, int m, int n, int width, vec *suffix, vec *to, int stride) {
    const auto row = [&](int r) INLINE_LAMBDA { return from + (size_t)(r < m ? r : r - m) * width; };
    for (int band = 0; band < m; band += n) {
        vec sum[together] = {};
        for (int i = n - 1; i >= 0; i--)
            for (int v = 0; v < together; v++) suffix[(size_t)i * together + v] = sum[v] += row(band + i)[v];
        for (int v = 0; v < together; v++) sum[v] = vec{};
        for (int i = 0; i < n && band + i < m; i++)
            for (int v = 0; v < together; v++) {
                to[(size_t)(band + i) * stride + v] = suffix[(size_t)i * together + v] + sum[v];
                sum[v] += row(band + n + i)[v];
            }
    }
}

INLINE void all_window_sums(const vec *from, int m, int n, int width, vec *suffix, vec *to, int stride) {
    int v = 0;
    for (; v + 3 <= width; v += 3) window_sums<3>(from + v, m, n, width, suffix, to + v, stride);
    for (; v < width; v++) window_sums<1>(from + v, m, n, width, suffix, to + v, stride);
}

/* One over the energy of every window; -1 for those that the literal scan does not know. A row goes on with its
 * beginning, where the turned truth looks. */
static void inverse_energies(const SearchProblem *p, const SearchWorkspace *w) {
    const int m1 = p->m1, m2 = p->m2, n1 = p->n1, n2 = p->n2, wide = w->wide, stride = w->stride;
    transpose_plane(w->density, w->tall, wide, w->turned);
    all_window_sums(w->turned, m2, n2, w->tall, w->suffix, w->sums, w->tall);
    transpose_plane(w->sums, wide, w->tall, w->density);
    all_window_sums(w->density, m1, n1, wide, w->suffix, w->inverse, stride);
    for (int r = 0; r < m1; r++) {
        vec *row = w->inverse + (size_t)r * stride;
        /* Below this the correlations are rounding errors of the fuller windows' energy. */
        for (int v = 0; v < wide; v++) row[v] = 1.0f / (row[v] > FLT_EPSILON ? row[v] : vec{} + FLT_EPSILON);
        float *numbers = reinterpret_cast<float *>(row);
        if (!p->circular)
            for (int c = r > m1 - n1 ? 0 : m2 - n2 + 1; c < m2; c++) numbers[c] = -1.0f;
        std::memcpy(numbers + m2, numbers, (m2 - n2 + 1) * sizeof(float));
    }
}

/* --- the best window -------------------------------------------------------------------------------------------- */

/* The transforms of the columns back, and the best value of each with its row: corners of the windows, the turned
 * truth's in the columns that its correlation has them in. */
static void peaks_of_columns(const SearchProblem *p, const SearchWorkspace *w) {
    const int m1 = p->m1, n1 = p->n1;
    for (int v = 0; v < w->wide; v++) {
        vec *re = w->re + (size_t)v * (m1 + 1), *im = w->im + (size_t)v * (m1 + 1);
        unscramble(&w->column, re, im);
        vec best = vec{} - FLT_MAX, at{}, best_turned = best, at_turned{};
        for (int r = 0; r < m1; r++) {
            const vec *row = w->inverse + (size_t)r * w->stride + v;
            const float *shifted = reinterpret_cast<const float *>(row) + (p->m2 - p->n2 + 1);
            const vec number = vec{} + (float)r;
            const vec turned = re[r + n1 - 1 < m1 ? r + n1 - 1 : r + n1 - 1 - m1], upright = im[r];
            const vec x = upright * upright * *row;
            const vec y = turned * turned * *reinterpret_cast<const unaligned_vec *>(shifted);
            at = x > best ? number : at;
            best = x > best ? x : best;
            at_turned = y > best_turned ? number : at_turned;
            best_turned = y > best_turned ? y : best_turned;
        }
        w->best[0][v] = best, w->at[0][v] = at;
        w->best[1][v] = best_turned, w->at[1][v] = at_turned;
    }
}

/* The best of all windows, the first of equals; column c of a window is c + shift in the arrays. */
static Peak peak(const vec *best, const vec *at, int m2, int shift) {
    const float *value = reinterpret_cast<const float *>(best), *row = reinterpret_cast<const float *>(at);
    Peak top{-FLT_MAX, 0, 0};
    for (int c = 0; c < m2; c++) {
        const int i = c + shift < m2 ? c + shift : c + shift - m2;
        if (value[i] > top.value || (value[i] == top.value && (int)row[i] < top.row))
            top = {value[i], (int)row[i], c};
    }
    return top;
}

/* --- entry ------------------------------------------------------------------------------------------------------ */

/* The corner and the orientation of the best window of each pair. Returns 0, or -1 when there is no memory or no plan. */
extern "C" int phasebench_search(const SearchProblem *p) {
    SearchWorkspace *w = &workspace;
    if (!w->prepare(p->m1, p->m2)) return -1;
    for (int i = 0; i < p->batch; i++) {
        const float *a = p->truth + (size_t)i * p->n1 * p->n2, *b = p->reconstruction + (size_t)i * p->m1 * p->m2;
        columns_of_both(p, w, a, b);
        inverse_energies(p, w);
        rows_of_both(w);
        peaks_of_columns(p, w);
        const Peak upright = peak(w->best[0], w->at[0], p->m2, 0);
        const Peak turned = peak(w->best[1], w->at[1], p->m2, p->n2 - 1);
        p->flipped[i] = turned.value > upright.value;
        const Peak &top = p->flipped[i] ? turned : upright;
        p->row[i] = top.row, p->column[i] = top.column;
    }
    return 0;
}
