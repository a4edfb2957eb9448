/* P_M of one image: the nearest image with given Fourier magnitudes, with everything it touches in the cache.
 *
 * The lanes hold neighbouring columns while columns are transformed, and neighbouring rows while rows are; tiles of
 * LANES x LANES numbers are transposed in between. Two real columns a, b travel as one complex column a + ib, whose
 * transform is split by its symmetry, and half of the rows are enough. Of these the first and, of an even number, the
 * middle one are real: they travel as one, too. Complex columns and their rows are taken as they are. The image itself
 * belongs to the caller, who hands in and takes out LANES pixels of a row at a time: what a map does before and after P_M
 * costs no pass of its own, and columns of zeros are not transformed.
 */

#pragma once

#include "constraints.h"

/* In place of the magnitude of a coefficient that was not measured, which P_M leaves as it is. */
constexpr float UNMEASURED = -1.0f;

/* The corner of an image that differs from zero, or that is wanted: its rows, and the vectors in one. */
struct Extent {
    int rows, vectors;
};

struct Modulus {
    int m1 = 0, m2 = 0;
    bool complex; /* the image is */
    bool masked;  /* some coefficients of the present image were not measured */
    bool paired;  /* row 0 of the plane has row m1 / 2 as its imaginary part */
    int height;   /* rows of the plane that are kept: those up to m1 / 2 of a real image's, all of a complex one's */
    int width, groups; /* vectors in a row, and groups of LANES rows */
    float scale; /* of the columns' transforms as they are left in the plane, inverted */
    Plan row, column;
    vec *re, *im;   /* (groups LANES, width) the plane */
    vec *magnitude; /* (groups, m2) LANES rows of it, one in each lane, in the order of the plan `row` */
    float *edge[2];    /* (m2) those of rows 0 and m1 / 2, where these are a pair */
    float *pair[2];    /* (m2 + 1) real and imaginary parts of the pair's coefficients, the first one at the end again */
    float *imposed[2]; /* (m2) what becomes of them */
    vec *buffer[4];

    /* For a grid of this size; false when there is no plan. */
    bool plan(int rows, int columns, bool of_complex) {
        m1 = rows, m2 = columns, complex = of_complex;
        paired = !complex && m1 % 2 == 0;
        height = complex ? m1 : (m1 + 1) / 2;
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
        for (float **both : {edge, pair, imposed})
            for (int i = 0; i < 2; i++) both[i] = reinterpret_cast<float *>(take(ceiling(m2 + 1)));
        row.lay_out(take), column.lay_out(take);
    }

    void fill() { row.fill(), column.fill(); }

    Extent whole() const { return {m1, width}; }
};

/* a where there is a magnitude, else b. Bits are compared: under -ffast-math a NaN may be equal to anything. */
INLINE vec where_measured(vec magnitude, vec a, vec b) {
    return (ivec)magnitude == (ivec)(vec{} + UNMEASURED) ? b : a;
}

/* The first vectors of LANES rows of `plane` with one row in each lane of `line`, and back. */
INLINE void gather(const vec *plane, int width, int vectors, vec *line) {
    for (int t = 0; t < vectors; t++) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = plane[(size_t)l * width + t];
        transpose(v);
        for (int l = 0; l < LANES; l++) line[t * LANES + l] = v[l];
    }
}

INLINE void scatter(const vec *line, int width, int vectors, vec *plane) {
    for (int t = 0; t < vectors; t++) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = line[t * LANES + l];
        transpose(v);
        for (int l = 0; l < LANES; l++) plane[(size_t)l * width + t] = v[l];
    }
}

/* Take the magnitudes of image number `image`. Those of a real one come as the half plane of the first columns, and are
 * kept as that of the first rows. */
static void load_magnitude(Modulus *p, const Constraints *of, int image) {
    const int m1 = p->m1, m2 = p->m2, k = p->complex ? m2 : m2 / 2 + 1, width = p->width;
    const float *plane = of->magnitude + image * of->coefficients();
    const auto whole_row = [&](int r, float *out) {
        const float *row = plane + (size_t)r * k, *opposite = plane + (size_t)(r ? m1 - r : 0) * k;
        for (int c = 0; c < k; c++) out[c] = row[c];
        for (int c = k; c < m2; c++) out[c] = opposite[m2 - c];
    };
    for (int r = 0; r < p->height; r++) /* in passing, where the plane will be overwritten */
        whole_row(r, reinterpret_cast<float *>(p->re + (size_t)r * width));
    for (vec *part : {p->re, p->im}) /* rows that no image has: they travel with the last group, and stay zero */
        std::fill(part + (size_t)p->height * width, part + (size_t)p->groups * LANES * width, vec{});
    vec missing{};
    if (p->paired) {
        whole_row(0, p->edge[0]), whole_row(m1 / 2, p->edge[1]);
        for (int c = 0; c < m2; c++) missing[0] = p->edge[1][c] < 0.0f ? 1.0f : missing[0];
    }
    for (int group = 0; group < p->groups; group++) {
        gather(p->re + (size_t)group * LANES * width, width, width, p->buffer[0]);
        for (int c = 0; c < m2; c++) {
            const vec magnitude = p->buffer[0][p->row.order[c]];
            p->magnitude[(size_t)group * m2 + c] = magnitude;
            missing = where_measured(magnitude, missing, vec{} + 1.0f);
        }
    }
    p->masked = total(missing) > 0;
}

/* The transforms of the columns of the image whose vectors `load(row, vector)` gives, and which is zero beyond `of`;
 * those of a real image twice as large as they should be. */
template <typename Load>
INLINE void columns_forward(const Modulus *p, Extent of, Load load) {
    using Pixels = decltype(load(0, 0));
    constexpr int step = is_complex<Pixels> ? 1 : 2; /* vectors of a row that travel together */
    const int m1 = p->m1, width = p->width, *place = p->column.place;
    vec *const *b = p->buffer;
    for (int v = 0; v < of.vectors; v += step) {
        const bool pair = v + 1 < of.vectors;
        for (int r = 0; r < of.rows; r++) {
            if constexpr (is_complex<Pixels>) {
                const Pixels x = load(r, v);
                b[0][r] = x.re;
                b[1][r] = x.im;
            } else {
                b[0][r] = load(r, v);
                b[1][r] = pair ? load(r, v + 1) : vec{};
            }
        }
        for (int r = of.rows; r < m1; r++) b[0][r] = b[1][r] = vec{};
        scramble(&p->column, b[0], b[1]);
        if (p->paired) {
            const int middle = place[m1 / 2];
            p->re[v] = 2.0f * b[0][0], p->im[v] = 2.0f * b[0][middle];
            if (pair) p->re[v + 1] = 2.0f * b[1][0], p->im[v + 1] = 2.0f * b[1][middle];
        }
        for (int r = p->paired; r < p->height; r++) {
            vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            const int at = place[r];
            if constexpr (is_complex<Pixels>) {
                re[0] = b[0][at];
                im[0] = b[1][at];
            } else {
                const int opposite = place[r ? m1 - r : 0];
                re[0] = b[0][at] + b[0][opposite];
                im[0] = b[1][at] - b[1][opposite];
                if (pair) re[1] = b[1][at] + b[1][opposite], im[1] = b[0][opposite] - b[0][at];
            }
        }
    }
}

/* The inverse, which hands the wanted part of the image to `store(row, vector, pixels)`. Beyond column m2 a pair of
 * columns has left rounding errors, or worse where an image is not finite: zeros are handed out there. */
template <typename Pixels, typename Store>
INLINE void columns_inverse(const Modulus *p, Extent wanted, Store store) {
    constexpr int step = is_complex<Pixels> ? 1 : 2;
    const int m1 = p->m1, width = p->width, *place = p->column.place;
    const float scale = 1.0f / ((float)m1 * (float)p->m2);
    vec *const *b = p->buffer;
    for (int v = 0; v < wanted.vectors; v += step) {
        const bool pair = v + 1 < wanted.vectors;
        if (p->paired) {
            const int middle = place[m1 / 2];
            b[1][0] = p->re[v], b[1][middle] = p->im[v];
            b[0][0] = pair ? p->re[v + 1] : vec{}, b[0][middle] = pair ? p->im[v + 1] : vec{};
        }
        for (int r = p->paired; r < p->height; r++) { /* with re and im exchanged: an inverse transform */
            const vec *re = p->re + (size_t)r * width + v, *im = p->im + (size_t)r * width + v;
            const int at = place[r];
            if constexpr (is_complex<Pixels>) {
                b[0][at] = im[0];
                b[1][at] = re[0];
            } else { /* a + ib */
                const int opposite = place[r ? m1 - r : 0];
                const vec br = pair ? re[1] : vec{}, bi = pair ? im[1] : vec{};
                b[1][opposite] = re[0] + bi;
                b[0][opposite] = br - im[0];
                b[1][at] = re[0] - bi;
                b[0][at] = im[0] + br;
            }
        }
        unscramble(&p->column, b[0], b[1]);
        const ivec here = first_bits(p->m2 - v * LANES), next = first_bits(p->m2 - (v + 1) * LANES);
        for (int r = 0; r < wanted.rows; r++) {
            const vec re = kept(here, scale * b[1][r]);
            if constexpr (is_complex<Pixels>)
                store(r, v, Pixels{re, kept(here, scale * b[0][r])});
            else {
                store(r, v, re);
                if (pair) store(r, v + 1, kept(next, scale * b[0][r]));
            }
        }
    }
}

/* An image as its coefficients, LANES rows of the plane at a time, in the order of the plan `row`: (groups, m2). */
typedef Halves Spectrum;

/* What the rows do with the coefficients c of the plane and a spectrum x: v = s c + t x is given the measured magnitudes,
 * and x becomes f x + g c + h P_M v. */
struct Combination {
    float s, t, f, g, h;
};

/* Coefficient number c of two real rows a, b that travel as a + ib: they are told apart by their symmetry. */
struct Pair {
    float ar, ai, br, bi;
};

INLINE Pair taken_apart(const Modulus *p, int c) {
    const float *re = p->pair[0], *im = p->pair[1];
    const float opposite_re = re[p->m2 - c], opposite_im = im[p->m2 - c];
    return {0.5f * (re[c] + opposite_re), 0.5f * (im[c] - opposite_im), 0.5f * (im[c] + opposite_im),
            0.5f * (opposite_re - re[c])};
}

/* The pair's coefficients, which `re` and `im` give by their place. */
template <typename Real, typename Imaginary>
INLINE void take_pair(const Modulus *p, Real re, Imaginary im) {
    for (int c = 0; c < p->m2; c++) p->pair[0][p->row.order[c]] = re(c), p->pair[1][p->row.order[c]] = im(c);
    p->pair[0][p->m2] = p->pair[0][0], p->pair[1][p->m2] = p->pair[1][0];
}

/* They get the magnitudes of two rows. */
INLINE void impose_pair(const Modulus *p, float unmeasured) {
    const auto factor = [=](float given, float re, float im) INLINE_LAMBDA {
        const float power = re * re + im * im;
        return given < 0.0f ? unmeasured : given / sqrtf(power > 1e-30f ? power : 1e-30f);
    };
    for (int c = 0; c < p->m2; c++) {
        const Pair at = taken_apart(p, c);
        const float a = factor(p->edge[0][c], at.ar, at.ai), b = factor(p->edge[1][c], at.br, at.bi);
        p->imposed[0][c] = a * at.ar - b * at.bi;
        p->imposed[1][c] = a * at.ai + b * at.br;
    }
}

/* The coefficients z of one group with the magnitudes that were measured and the phases they have; with a mask, those
 * that were not measured are multiplied by `unmeasured`. `combined`: as `by` says, with a spectrum x. */
template <bool combined, bool masked, bool paired>
INLINE void impose_as(const Modulus *p, int group, Halves z, float unmeasured, Combination by, Spectrum x) {
    const vec *magnitude = p->magnitude + (size_t)group * p->m2, first = first_lanes(1);
    const auto given = [=](auto c, auto x) INLINE_LAMBDA { return combined ? by.s * c + by.t * x : c; };
    if constexpr (paired) {
        take_pair(
            p, [&](int c) INLINE_LAMBDA { return given(z.re[c][0], combined ? x.re[c][0] : 0.0f); },
            [&](int c) INLINE_LAMBDA { return given(z.im[c][0], combined ? x.im[c][0] : 0.0f); });
        impose_pair(p, unmeasured);
    }
    for (int c = 0; c < p->m2; c++) {
        const vec re = given(z.re[c], combined ? x.re[c] : vec{}), im = given(z.im[c], combined ? x.im[c] : vec{});
        const vec imposed = magnitude[c] * inverse_root(re * re + im * im);
        const vec factor = masked ? where_measured(magnitude[c], imposed, vec{} + unmeasured) : imposed;
        vec out_re = re * factor, out_im = im * factor;
        if constexpr (paired) {
            out_re = first > 0.5f ? vec{} + p->imposed[0][p->row.order[c]] : out_re;
            out_im = first > 0.5f ? vec{} + p->imposed[1][p->row.order[c]] : out_im;
        }
        if constexpr (combined) {
            x.re[c] = by.f * x.re[c] + by.g * z.re[c] + by.h * out_re;
            x.im[c] = by.f * x.im[c] + by.g * z.im[c] + by.h * out_im;
        }
        z.re[c] = out_re, z.im[c] = out_im;
    }
}

template <bool combined>
INLINE void impose(const Modulus *p, int group, Halves z, float unmeasured, Combination by, Spectrum x) {
    if (p->paired && group == 0)
        p->masked ? impose_as<combined, true, true>(p, group, z, unmeasured, by, x)
                  : impose_as<combined, false, true>(p, group, z, unmeasured, by, x);
    else
        p->masked ? impose_as<combined, true, false>(p, group, z, unmeasured, by, x)
                  : impose_as<combined, false, false>(p, group, z, unmeasured, by, x);
}

/* The rows of a group, of which the first vectors differ from zero, transformed; and back, as far as they are wanted. */
INLINE Halves row_forward(const Modulus *p, int group, int vectors) {
    vec *const *b = p->buffer;
    const size_t from = (size_t)group * LANES * p->width;
    gather(p->re + from, p->width, vectors, b[0]);
    gather(p->im + from, p->width, vectors, b[1]);
    for (int c = vectors * LANES; c < p->m2; c++) b[0][c] = b[1][c] = vec{};
    scramble(&p->row, b[0], b[1]);
    return {b[0], b[1]};
}

INLINE void row_inverse(const Modulus *p, int group, int vectors, Halves z) {
    const size_t from = (size_t)group * LANES * p->width;
    unscramble(&p->row, z.im, z.re);
    for (int c = p->m2; c < vectors * LANES; c++) z.re[c] = z.im[c] = vec{};
    scatter(z.re, p->width, vectors, p->re + from);
    scatter(z.im, p->width, vectors, p->im + from);
}

template <bool combined>
INLINE void each_group(const Modulus *p, int vectors, int wanted, Combination by, Spectrum x) {
    for (int group = 0; group < p->groups; group++) {
        const Halves z = row_forward(p, group, vectors);
        const size_t from = combined ? (size_t)group * p->m2 : 0; /* without a spectrum there is no array to move in */
        impose<combined>(p, group, z, combined ? 1.0f : p->scale, by, {x.re + from, x.im + from});
        row_inverse(p, group, wanted, z);
    }
}

/* The rows: transformed, given the measured magnitudes, transformed back. A function of its own: inlined into every
 * map it would take minutes to compile. */
static void rows(const Modulus *p) { each_group<false>(p, p->width, p->width, {}, {}); }

/* P_M of the image that `load` gives, handed to `store`. */
template <typename Load, typename Store>
INLINE void project_magnitude(const Modulus *p, Load load, Store store) {
    columns_forward(p, p->whole(), load);
    rows(p);
    columns_inverse<decltype(load(0, 0))>(p, p->whole(), store);
}

/* || |F x| - magnitude || / || magnitude || of the image that `load` gives, which is zero beyond `of`, over what was
 * measured of the whole plane. */
template <typename Load>
INLINE float misfit(const Modulus *p, Extent of, Load load) {
    vec wrong{}, all{};
    columns_forward(p, of, load);
    for (int group = 0; group < p->groups; group++) {
        vec weight; /* how often a row that is kept stands in the whole plane */
        for (int l = 0; l < LANES; l++) {
            const int r = group * LANES + l;
            weight[l] = r >= p->height || (r == 0 && p->paired) ? 0.0f : p->complex || r == 0 ? 1.0f : 2.0f;
        }
        const Halves z = row_forward(p, group, of.vectors);
        const vec *magnitude = p->magnitude + (size_t)group * p->m2;
        vec group_wrong{}, group_all{};
        for (int c = 0; c < p->m2; c++) {
            const vec power = z.re[c] * z.re[c] + z.im[c] * z.im[c];
            const vec expected = where_measured(magnitude[c], magnitude[c], vec{});
            const vec difference =
                where_measured(magnitude[c], p->scale * power * inverse_root(power) - magnitude[c], vec{});
            group_wrong += difference * difference;
            group_all += expected * expected;
        }
        wrong += weight * group_wrong;
        all += weight * group_all;
        if (p->paired && group == 0) {
            take_pair(
                p, [&](int c) INLINE_LAMBDA { return z.re[c][0]; }, [&](int c) INLINE_LAMBDA { return z.im[c][0]; });
            const auto add = [&](float given, float re, float im) INLINE_LAMBDA {
                const float difference = p->scale * sqrtf(re * re + im * im) - given;
                wrong[0] += given < 0.0f ? 0.0f : difference * difference;
                all[0] += given < 0.0f ? 0.0f : given * given;
            };
            for (int c = 0; c < p->m2; c++) {
                const Pair at = taken_apart(p, c);
                add(p->edge[0][c], at.ar, at.ai), add(p->edge[1][c], at.br, at.bi);
            }
        }
    }
    return std::sqrt(total(wrong) / total(all));
}
