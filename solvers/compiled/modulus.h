/* P_M of one image: the nearest image with given Fourier magnitudes, with everything it touches in the cache.
 *
 * The lanes hold neighbouring columns while columns are transformed, and neighbouring rows while rows are; tiles of
 * LANES x LANES numbers are transposed in between. Two real columns a, b travel as one complex column a + ib, whose
 * transform is split by its symmetry.
 */

#pragma once

#include "transform.h"

#include <cstring>

struct Modulus {
    int m1 = 0, m2 = 0;
    int width, groups; /* vectors in a row, and groups of LANES rows in the half plane */
    Plan row{}, column{};
    vec *image;     /* (m1, width) replaced by its projection; zero beyond column m2 */
    vec *re, *im;   /* (groups LANES, width) the half plane: rows 0 to m1 / 2 */
    vec *magnitude; /* (groups, m2) LANES rows of it, one in each lane */
    vec *buffer[4];

    static int half(int m1) { return m1 / 2 + 1; }
    static int ceiling(int n) { return (n + LANES - 1) / LANES; }

    /* Vectors of memory for this grid. */
    static size_t vectors(int m1, int m2) {
        const size_t width = ceiling(m2), groups = ceiling(half(m1)), longest = m1 > m2 ? m1 : m2;
        return (m1 + 2 * groups * LANES) * width + groups * m2 + 4 * (longest + LANES);
    }

    /* Ready for this grid, on zeroed memory; false when there is no plan. */
    bool prepare(int rows, int columns, vec *memory) {
        m1 = rows, m2 = columns;
        width = ceiling(m2), groups = ceiling(half(m1));
        const size_t plane = (size_t)groups * LANES * width, longest = m1 > m2 ? m1 : m2;
        image = memory;
        re = image + (size_t)m1 * width;
        im = re + plane;
        magnitude = im + plane;
        for (size_t i = 0; i < 4; i++) buffer[i] = magnitude + (size_t)groups * m2 + i * (longest + LANES);
        release();
        return !make_plan(&row, m2) && !make_plan(&column, m1);
    }

    /* From magnitudes (m1, m2 / 2 + 1), the half plane of the first columns, to that of the first rows. */
    void load(const float *half_plane) {
        const int k = m2 / 2 + 1;
        const float scale = 1.0f / ((float)m1 * (float)m2); /* of the inverse transform */
        for (int r = 0; r < half(m1); r++)
            for (int c = 0; c < m2; c++) {
                const int row = c < k ? r : (m1 - r) % m1, column = c < k ? c : m2 - c;
                magnitude[(size_t)(r / LANES) * m2 + c][r % LANES] = scale * half_plane[(size_t)row * k + column];
            }
    }

    void release() {
        std::free(row.twiddle);
        std::free(column.twiddle);
        row = column = {};
    }

    ~Modulus() { release(); }
};

/* The transforms of the columns, without their factor 1/2: it changes no phase. */
INLINE void columns_forward(const Modulus *p) {
    const int m1 = p->m1, width = p->width;
    vec *const *b = p->buffer;
    for (int v = 0; v < width; v += 2) {
        const bool pair = v + 1 < width;
        for (int r = 0; r < m1; r++) {
            b[0][r] = p->image[(size_t)r * width + v];
            b[1][r] = pair ? p->image[(size_t)r * width + v + 1] : vec{};
        }
        const Halves z = transform(&p->column, b[0], b[1], b[2], b[3]);
        for (int r = 0; r < Modulus::half(m1); r++) {
            const int d = r ? m1 - r : 0;
            vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            re[0] = z.re[r] + z.re[d];
            im[0] = z.im[r] - z.im[d];
            if (pair) re[1] = z.im[r] + z.im[d], im[1] = z.re[d] - z.re[r];
        }
    }
}

INLINE void columns_inverse(const Modulus *p) {
    const int m1 = p->m1, width = p->width;
    vec *const *b = p->buffer;
    for (int v = 0; v < width; v += 2) {
        const bool pair = v + 1 < width;
        for (int r = 0; r < Modulus::half(m1); r++) { /* a + ib, with re and im exchanged: an inverse transform */
            const int d = r ? m1 - r : 0;
            const vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            const vec br = pair ? re[1] : vec{}, bi = pair ? im[1] : vec{};
            b[1][d] = re[0] + bi;
            b[0][d] = br - im[0];
            b[1][r] = re[0] - bi;
            b[0][r] = im[0] + br;
        }
        const Halves z = transform(&p->column, b[0], b[1], b[2], b[3]);
        for (int r = 0; r < m1; r++) {
            p->image[(size_t)r * width + v] = z.im[r];
            if (pair) p->image[(size_t)r * width + v + 1] = z.re[r];
        }
    }
}

/* LANES rows of `plane` with one row in each lane of `line`, and back. */
INLINE void gather(const vec *plane, int width, vec *line) {
    for (int t = 0; t < width; t++) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = plane[(size_t)l * width + t];
        transpose(v);
        for (int l = 0; l < LANES; l++) line[t * LANES + l] = v[l];
    }
}

INLINE void scatter(const vec *line, int width, vec *plane) {
    for (int t = 0; t < width; t++) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = line[t * LANES + l];
        transpose(v);
        for (int l = 0; l < LANES; l++) plane[(size_t)l * width + t] = v[l];
    }
}

/* The rows: transformed, set to the measured magnitudes, transformed back. */
INLINE void rows(const Modulus *p) {
    const int m2 = p->m2, width = p->width;
    vec *const *b = p->buffer;
    for (int group = 0; group < p->groups; group++) {
        vec *re = p->re + (size_t)group * LANES * width, *im = p->im + (size_t)group * LANES * width;
        gather(re, width, b[0]);
        gather(im, width, b[1]);
        Halves z = transform(&p->row, b[0], b[1], b[2], b[3]);
        const vec *magnitude = p->magnitude + (size_t)group * m2;
        for (int c = 0; c < m2; c++) {
            const vec factor = magnitude[c] * inverse_root(z.re[c] * z.re[c] + z.im[c] * z.im[c]);
            z.re[c] *= factor;
            z.im[c] *= factor;
        }
        vec *other_re = z.re == b[0] ? b[2] : b[0], *other_im = z.im == b[1] ? b[3] : b[1];
        z = transform(&p->row, z.im, z.re, other_im, other_re);
        for (int c = m2; c < width * LANES; c++) z.re[c] = z.im[c] = vec{};
        scatter(z.im, width, re);
        scatter(z.re, width, im);
    }
}

INLINE void project(const Modulus *p) {
    columns_forward(p);
    rows(p);
    columns_inverse(p);
    const int last = p->m2 - (p->width - 1) * LANES; /* pixels in the last vector of a row */
    for (int r = 0; r < p->m1 && last < LANES; r++) { /* what lies beyond them is zero but for a rounding error */
        vec &end = p->image[(size_t)r * p->width + p->width - 1];
        for (int l = 0; l < LANES; l++) end[l] = l < last ? end[l] : 0.0f;
    }
}
