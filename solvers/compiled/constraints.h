/* Images, and what is known of them, as the iterations see them: LANES pixels of a row at a time. */

#pragma once

#include "transform.h"

#include <cstdint>
#include <type_traits>

/* A batch of images (m1, m2), real or complex, and all that a solver is told about them. */
struct Constraints {
    const float *magnitude; /* (batch, m1, m2 / 2 + 1), of complex images (batch, m1, m2); UNMEASURED or >= 0 */
    const uint8_t *support; /* (batch, m1, m2): 1 where an image may differ from zero, else 0; null for the box */
    int batch, m1, m2, n1, n2; /* the box [0, n1) x [0, n2) */
    int complex, nonnegative;
    int pixels; /* that differ from zero, at most: the largest ones inside; 0 where all of them may */

    int parts() const { return complex ? 2 : 1; } /* numbers in a pixel */
    size_t numbers() const { return (size_t)m1 * m2 * parts(); }
    size_t coefficients() const { return (size_t)m1 * (complex ? m2 : m2 / 2 + 1); }
};

/* --- pixels ------------------------------------------------------------------------------------------------------- */

/* LANES pixels of a complex image; those of a real one are a `vec`. */
struct complex_vec {
    vec re, im;
};

template <typename Pixels>
constexpr bool is_complex = std::is_same_v<Pixels, complex_vec>;

INLINE complex_vec operator+(complex_vec a, complex_vec b) { return {a.re + b.re, a.im + b.im}; }
INLINE complex_vec operator-(complex_vec a, complex_vec b) { return {a.re - b.re, a.im - b.im}; }
INLINE complex_vec operator*(float a, complex_vec b) { return {a * b.re, a * b.im}; }

/* a where `which` is 1, b where it is 0. */
INLINE vec choose(vec which, vec a, vec b) { return which > 0.5f ? a : b; }
INLINE complex_vec choose(vec which, complex_vec a, complex_vec b) {
    return {choose(which, a.re, b.re), choose(which, a.im, b.im)};
}

INLINE vec square(vec a) { return a * a; }
INLINE vec square(complex_vec a) { return a.re * a.re + a.im * a.im; }

/* An array of pixels, in memory that was laid out in vectors. */
template <typename Pixels>
INLINE Pixels *pixels(vec *array) {
    return reinterpret_cast<Pixels *>(array);
}

template <typename Pixels>
INLINE const Pixels *pixels(const vec *array) {
    return reinterpret_cast<const Pixels *>(array);
}

/* Where number i of a row of pixels stands in its vectors. */
INLINE size_t place(size_t i, int parts) {
    return parts == 1 ? i : i / 2 / LANES * 2 * LANES + i % 2 * LANES + i / 2 % LANES;
}

/* A row of an image, with zeros up to the end of its last vector: whatever was left there by the image before. */
static inline void take_row(const float *row, int m2, int parts, vec *at) {
    float *to = reinterpret_cast<float *>(at);
    const size_t given = (size_t)m2 * parts, whole = (size_t)ceiling(m2) * LANES * parts;
    if (parts == 1) {
        std::memcpy(to, row, given * sizeof(float));
        std::memset(to + given, 0, (whole - given) * sizeof(float));
    } else
        for (size_t i = 0; i < whole; i++) to[place(i, parts)] = i < given ? row[i] : 0.0f;
}

static inline void give_row(const vec *at, int m2, int parts, float *row) {
    const float *from = reinterpret_cast<const float *>(at);
    const size_t given = (size_t)m2 * parts;
    if (parts == 1)
        std::memcpy(row, from, given * sizeof(float));
    else
        for (size_t i = 0; i < given; i++) row[i] = from[place(i, parts)];
}

/* Between an image (m1, m2) and one in the memory of the kernels, whose rows are whole vectors. */
static inline void take_image(const Constraints *of, const float *image, vec *at) {
    const int parts = of->parts();
    for (size_t r = 0; r < (size_t)of->m1; r++)
        take_row(image + r * of->m2 * parts, of->m2, parts, at + r * ceiling(of->m2) * parts);
}

static inline void give_image(const Constraints *of, const vec *at, float *image) {
    const int parts = of->parts();
    for (size_t r = 0; r < (size_t)of->m1; r++)
        give_row(at + r * ceiling(of->m2) * parts, of->m2, parts, image + r * of->m2 * parts);
}

/* --- the support -------------------------------------------------------------------------------------------------- */

/* Which pixels of one image may differ from zero: a bit for each. */
struct Support {
    int m1, width;     /* rows, and vectors in a row */
    int rows, vectors; /* beyond which all pixels lie outside */
    uint16_t *bits;
    static_assert(LANES <= 16);

    template <typename Take>
    void lay_out(int rows, int columns, Take take) {
        m1 = rows, width = ceiling(columns);
        bits = reinterpret_cast<uint16_t *>(take(ceiling(m1 * width)));
    }

    /* That of one image of `of`. */
    void load(const Constraints *of, int image) {
        rows = vectors = 0;
        const uint8_t *row = of->support ? of->support + (size_t)image * m1 * of->m2 : nullptr;
        for (int r = 0; r < m1; r++, row += row ? of->m2 : 0)
            for (int v = 0; v < width; v++) {
                bits[r * width + v] = row ? given(row + v * LANES, of->m2 - v * LANES)
                                          : first(r < of->n1 ? of->n2 - v * LANES : 0);
                if (bits[r * width + v]) rows = r + 1, vectors = std::max(vectors, v + 1);
            }
    }

    /* 1 for those of LANES pixels of a row that lie inside, 0 for the others. */
    INLINE_MEMBER vec operator()(int row, int vector) const {
        ivec bit;
        for (int l = 0; l < LANES; l++) bit[l] = 1 << l;
        return (bit & (int)bits[row * width + vector]) != 0 ? vec{} + 1.0f : vec{};
    }

private:
    /* The bits of the first pixels of a vector. */
    static uint16_t first(int count) {
        return (uint16_t)(count <= 0 ? 0 : count >= LANES ? 0xffff : (1 << count) - 1);
    }

    /* The bits of pixels that are 0 or 1, of which there are so many. */
    static uint16_t given(const uint8_t *pixel, int count) {
        unsigned word = 0;
        for (int l = 0; l < LANES; l++) word |= (l < count ? pixel[l] : 0u) << l;
        return (uint16_t)word;
    }
};

/* P_S of LANES pixels, of which some lie inside the support. */
template <bool nonnegative, typename Pixels>
INLINE Pixels project_object(Pixels x, vec inside) {
    const Pixels kept = choose(inside, x, Pixels{});
    if constexpr (nonnegative) return kept > 0.0f ? kept : vec{};
    return kept;
}
