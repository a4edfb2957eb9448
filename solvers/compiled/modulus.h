/* P_M of one image: the nearest image with given Fourier magnitudes, with everything it touches in the cache.
 *
 * The lanes hold neighbouring columns while columns are transformed, and neighbouring rows while rows are; tiles of
 * LANES x LANES numbers are transposed in between. Two real columns a, b travel as one complex column a + ib, whose
 * transform is split by its symmetry, and half of the rows are enough; complex columns and their rows are taken as they
 * are. The image itself belongs to the caller, who hands in and takes out LANES pixels of a row at a time: what a map
 * does before and after P_M costs no pass of its own.
 */

#pragma once

#include "constraints.h"

/* In place of the magnitude of a coefficient that was not measured, which P_M leaves as it is. */
constexpr float UNMEASURED = -1.0f;

struct Modulus {
    int m1 = 0, m2 = 0;
    bool complex; /* the image is */
    bool masked;  /* some coefficients of the present image were not measured */
    int height;   /* rows of the plane that are kept: 0 to m1 / 2 of a real image's, all of a complex one's */
    int width, groups; /* vectors in a row, and groups of LANES rows */
    float scale; /* of the columns' transforms as they are left in the plane, inverted */
    Plan row, column;
    vec *re, *im;   /* (groups LANES, width) the plane */
    vec *magnitude; /* (groups, m2) LANES rows of it, one in each lane */
    vec *buffer[4];

    /* For a grid of this size; false when there is no plan. */
    bool plan(int rows, int columns, bool of_complex) {
        m1 = rows, m2 = columns, complex = of_complex;
        height = complex ? m1 : m1 / 2 + 1;
        width = ceiling(m2), groups = ceiling(height);
        scale = complex ? 1.0f : 0.5f;
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

/* a where there is a magnitude, else b. Bits are compared: under -ffast-math a NaN may be equal to anything. */
INLINE vec where_measured(vec magnitude, vec a, vec b) {
    return (ivec)magnitude == (ivec)(vec{} + UNMEASURED) ? b : a;
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

/* Take the magnitudes of image number `image`. Those of a real one come as the half plane of the first columns, and are
 * kept as that of the first rows. */
DISPATCH static void load_magnitude(Modulus *p, const Constraints *of, int image) {
    const int m1 = p->m1, m2 = p->m2, k = p->complex ? m2 : m2 / 2 + 1, width = p->width;
    const float *plane = of->magnitude + image * of->coefficients();
    for (int r = 0; r < p->height; r++) {
        const float *row = plane + (size_t)r * k, *opposite = plane + (size_t)(r ? m1 - r : 0) * k;
        float *out = reinterpret_cast<float *>(p->re + (size_t)r * width); /* in passing: it is overwritten anyway */
        for (int c = 0; c < k; c++) out[c] = row[c];
        for (int c = k; c < m2; c++) out[c] = opposite[m2 - c];
    }
    vec missing{};
    for (int group = 0; group < p->groups; group++) {
        gather(p->re + (size_t)group * LANES * width, width, p->buffer[0]);
        for (int c = 0; c < m2; c++) {
            const vec magnitude = p->buffer[0][c];
            p->magnitude[(size_t)group * m2 + c] = magnitude;
            missing = where_measured(magnitude, missing, vec{} + 1.0f);
        }
    }
    p->masked = total(missing) > 0;
}

/* The transforms of the columns of the image whose vectors `load(row, vector)` gives; those of a real image twice as
 * large as they should be. */
template <typename Load>
INLINE void columns_forward(const Modulus *p, Load load) {
    using Pixels = decltype(load(0, 0));
    constexpr int step = is_complex<Pixels> ? 1 : 2; /* vectors of a row that travel together */
    const int m1 = p->m1, width = p->width;
    vec *const *b = p->buffer;
    for (int v = 0; v < width; v += step) {
        const bool pair = v + 1 < width;
        for (int r = 0; r < m1; r++) {
            if constexpr (is_complex<Pixels>) {
                const Pixels x = load(r, v);
                b[0][r] = x.re;
                b[1][r] = x.im;
            } else {
                b[0][r] = load(r, v);
                b[1][r] = pair ? load(r, v + 1) : vec{};
            }
        }
        const Halves z = transform(&p->column, b[0], b[1], b[2], b[3]);
        for (int r = 0; r < p->height; r++) {
            vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            if constexpr (is_complex<Pixels>) {
                re[0] = z.re[r];
                im[0] = z.im[r];
            } else {
                const int d = r ? m1 - r : 0;
                re[0] = z.re[r] + z.re[d];
                im[0] = z.im[r] - z.im[d];
                if (pair) re[1] = z.im[r] + z.im[d], im[1] = z.re[d] - z.re[r];
            }
        }
    }
}

/* The inverse, which hands the image to `store(row, vector, pixels)`. Beyond column m2 a pair of columns has left
 * rounding errors, or worse where an image is not finite: zeros are handed out there. */
template <typename Pixels, typename Store>
INLINE void columns_inverse(const Modulus *p, Store store) {
    constexpr int step = is_complex<Pixels> ? 1 : 2;
    const int m1 = p->m1, width = p->width;
    const float scale = 1.0f / ((float)m1 * (float)p->m2);
    vec *const *b = p->buffer;
    for (int v = 0; v < width; v += step) {
        const bool pair = v + 1 < width;
        for (int r = 0; r < p->height; r++) { /* with re and im exchanged: an inverse transform */
            const vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            if constexpr (is_complex<Pixels>) {
                b[0][r] = im[0];
                b[1][r] = re[0];
            } else { /* a + ib */
                const int d = r ? m1 - r : 0;
                const vec br = pair ? re[1] : vec{}, bi = pair ? im[1] : vec{};
                b[1][d] = re[0] + bi;
                b[0][d] = br - im[0];
                b[1][r] = re[0] - bi;
                b[0][r] = im[0] + br;
            }
        }
        const Halves z = transform(&p->column, b[0], b[1], b[2], b[3]);
        const ivec here = first_bits(p->m2 - v * LANES), next = first_bits(p->m2 - (v + 1) * LANES);
        for (int r = 0; r < m1; r++) {
            const vec re = kept(here, scale * z.im[r]);
            if constexpr (is_complex<Pixels>)
                store(r, v, Pixels{re, kept(here, scale * z.re[r])});
            else {
                store(r, v, re);
                if (pair) store(r, v + 1, kept(next, scale * z.re[r]));
            }
        }
    }
}

/* Coefficients z with the magnitudes that were measured and the phases they have; with a mask, those that were not
 * measured stay as they are. */
template <bool masked>
INLINE void impose(const vec *magnitude, int count, float scale, Halves z) {
    for (int c = 0; c < count; c++) {
        const vec imposed = magnitude[c] * inverse_root(z.re[c] * z.re[c] + z.im[c] * z.im[c]);
        const vec factor = masked ? where_measured(magnitude[c], imposed, vec{} + scale) : imposed;
        z.re[c] *= factor;
        z.im[c] *= factor;
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
        p->masked ? impose<true>(magnitude, m2, p->scale, z) : impose<false>(magnitude, m2, p->scale, z);
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
    columns_inverse<decltype(load(0, 0))>(p, store);
}

/* || |F x| - magnitude || / || magnitude || of the image that `load` gives, over what was measured of the whole plane. */
template <typename Load>
INLINE float misfit(const Modulus *p, Load load) {
    const int m1 = p->m1, m2 = p->m2, width = p->width;
    vec *const *b = p->buffer;
    vec wrong{}, all{};
    columns_forward(p, load);
    for (int group = 0; group < p->groups; group++) {
        vec weight; /* how often a row that is kept stands in the whole plane */
        for (int l = 0; l < LANES; l++) {
            const int r = group * LANES + l;
            weight[l] = r >= p->height ? 0.0f : p->complex || r == 0 || 2 * r == m1 ? 1.0f : 2.0f;
        }
        gather(p->re + (size_t)group * LANES * width, width, b[0]);
        gather(p->im + (size_t)group * LANES * width, width, b[1]);
        const Halves z = transform(&p->row, b[0], b[1], b[2], b[3]);
        const vec *magnitude = p->magnitude + (size_t)group * m2;
        vec group_wrong{}, group_all{};
        for (int c = 0; c < m2; c++) {
            const vec power = z.re[c] * z.re[c] + z.im[c] * z.im[c];
            const vec expected = where_measured(magnitude[c], magnitude[c], vec{});
            const vec difference =
                where_measured(magnitude[c], p->scale * power * inverse_root(power) - magnitude[c], vec{});
            group_wrong += difference * difference;
            group_all += expected * expected;
        }
        wrong += weight * group_wrong;
        all += weight * group_all;
    }
    return std::sqrt(total(wrong) / total(all));
}
