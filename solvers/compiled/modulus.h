/* P_M of one image: the nearest image with given Fourier magnitudes, with everything it touches in the cache.
 *
 * The lanes hold neighbouring columns while columns are transformed, and neighbouring rows while rows are; tiles of
 * LANES x LANES numbers are transposed in between. Two real columns a, b travel as one complex column a + ib, whose
 * transform is split by its symmetry. The image itself belongs to the caller, who hands in and takes out LANES pixels
 * of a row at a time: what a map does before and after P_M costs no pass of its own.
 */

#pragma once

#include "transform.h"

struct Modulus {
    int m1 = 0, m2 = 0;
    int width, groups; /* vectors in a row of an image, and groups of LANES rows in the half plane */
    Plan row, column;
    vec *re, *im;   /* (groups LANES, width) the half plane: rows 0 to m1 / 2 */
    vec *magnitude; /* (groups, m2) LANES rows of it, one in each lane */
    vec *buffer[4];

    static int half(int m1) { return m1 / 2 + 1; }

    /* For a grid of this size; false when there is no plan. */
    bool plan(int rows, int columns) {
        m1 = rows, m2 = columns;
        width = ceiling(m2), groups = ceiling(half(m1));
        return row.factor(m2) && column.factor(m1);
    }

    /* The arrays of the planned grid; `fill` writes the constant ones. */
    template <typename Take>
    void lay_out(Take take) {
        const size_t plane = (size_t)groups * LANES * width, longest = (m1 > m2 ? m1 : m2) + LANES;
        re = take(plane), im = take(plane);
        magnitude = take((size_t)groups * m2);
        for (vec *&line : buffer) line = take(longest);
        row.lay_out(take), column.lay_out(take);
    }

    void fill() { row.fill(), column.fill(); }
};

/* A row of an image, with zeros up to the end of its last vector: whatever was left there by the image before. */
INLINE void take_row(const float *pixels, int m2, vec *row) {
    const size_t whole = (size_t)ceiling(m2) * LANES;
    std::memcpy(static_cast<void *>(row), pixels, m2 * sizeof(float));
    std::memset(reinterpret_cast<float *>(row) + m2, 0, (whole - m2) * sizeof(float));
}

/* 1 for the pixels of a vector of a row that lie in the box [0, n1) x [0, n2), 0 for the others. */
INLINE vec inside_box(int n1, int n2, int row, int vector) {
    return first_lanes(row < n1 ? n2 - vector * LANES : 0);
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

/* Take the magnitudes (m1, m2 / 2 + 1), the half plane of the first columns, as that of the first rows. */
DISPATCH static void load_magnitude(Modulus *p, const float *half_plane) {
    const int m1 = p->m1, m2 = p->m2, k = m2 / 2 + 1, width = p->width;
    for (int r = 0; r < Modulus::half(m1); r++) {
        const float *row = half_plane + (size_t)r * k, *opposite = half_plane + (size_t)(r ? m1 - r : 0) * k;
        float *out = reinterpret_cast<float *>(p->re + (size_t)r * width); /* in passing: it is overwritten anyway */
        for (int c = 0; c < k; c++) out[c] = row[c];
        for (int c = k; c < m2; c++) out[c] = opposite[m2 - c];
    }
    for (int group = 0; group < p->groups; group++) {
        gather(p->re + (size_t)group * LANES * width, width, p->buffer[0]);
        for (int c = 0; c < m2; c++) p->magnitude[(size_t)group * m2 + c] = p->buffer[0][c];
    }
}

/* The transforms of the columns of the image whose vectors `load(row, vector)` gives; twice as large as they should
 * be: that changes no phase. */
template <typename Load>
INLINE void columns_forward(const Modulus *p, Load load) {
    const int m1 = p->m1, width = p->width;
    vec *const *b = p->buffer;
    for (int v = 0; v < width; v += 2) {
        const bool pair = v + 1 < width;
        for (int r = 0; r < m1; r++) {
            b[0][r] = load(r, v);
            b[1][r] = pair ? load(r, v + 1) : vec{};
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

/* The inverse, which hands the image to `store(row, vector, pixels)`. Beyond column m2 the pair of columns has left
 * rounding errors, or worse where an image is not finite: zeros are handed out there. */
template <typename Store>
INLINE void columns_inverse(const Modulus *p, Store store) {
    const int m1 = p->m1, width = p->width;
    const float scale = 1.0f / ((float)m1 * (float)p->m2);
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
        const vec here = first_lanes(p->m2 - v * LANES), next = first_lanes(p->m2 - (v + 1) * LANES);
        for (int r = 0; r < m1; r++) {
            store(r, v, here > 0.5f ? scale * z.im[r] : vec{});
            if (pair) store(r, v + 1, next > 0.5f ? scale * z.re[r] : vec{});
        }
    }
}

/* The rows: transformed, given the measured magnitudes, transformed back. A function of its own: inlined into every
 * map it would take minutes to compile. */
DISPATCH static void rows(const Modulus *p) {
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

/* P_M of the image that `load` gives, handed to `store`. */
template <typename Load, typename Store>
INLINE void project_magnitude(const Modulus *p, Load load, Store store) {
    columns_forward(p, load);
    rows(p);
    columns_inverse(p, store);
}

/* || |F x| - magnitude || / || magnitude || of the image that `load` gives, over the whole plane. */
template <typename Load>
INLINE float misfit(const Modulus *p, Load load) {
    const int m1 = p->m1, m2 = p->m2, width = p->width;
    vec *const *b = p->buffer;
    vec wrong{}, all{};
    columns_forward(p, load);
    for (int group = 0; group < p->groups; group++) {
        vec weight; /* how often a row of the half plane stands in the whole plane */
        for (int l = 0; l < LANES; l++) {
            const int r = group * LANES + l;
            weight[l] = r >= Modulus::half(m1) ? 0.0f : r == 0 || 2 * r == m1 ? 1.0f : 2.0f;
        }
        gather(p->re + (size_t)group * LANES * width, width, b[0]);
        gather(p->im + (size_t)group * LANES * width, width, b[1]);
        const Halves z = transform(&p->row, b[0], b[1], b[2], b[3]);
        const vec *magnitude = p->magnitude + (size_t)group * m2;
        vec group_wrong{}, group_all{};
        for (int c = 0; c < m2; c++) {
            const vec power = z.re[c] * z.re[c] + z.im[c] * z.im[c];
            const vec difference = 0.5f * power * inverse_root(power) - magnitude[c];
            group_wrong += difference * difference;
            group_all += magnitude[c] * magnitude[c];
        }
        wrong += weight * group_wrong;
        all += weight * group_all;
    }
    return std::sqrt(total(wrong) / total(all));
}
