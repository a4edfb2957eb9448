/* P_M for iterations that keep the spectrum of their iterate.
 *
 * A map is linear in its iterate x, in P_M, and in a correction c that is zero outside the support. The sum of the three is
 * taken of their spectra: of c only the columns that cross the support are transformed, and of P_M only these are
 * transformed back. In a support of half of the columns that saves half of their work, and of the transpositions.
 */

#pragma once

#include "modulus.h"

/* Vectors of a spectrum, real and imaginary parts. */
static inline size_t spectrum_vectors(const Modulus *p) { return 2 * (size_t)p->groups * p->m2; }

/* The spectrum of the image that `load` gives. */
static void rows_into(const Modulus *p, Spectrum x) {
    for (int group = 0; group < p->groups; group++) {
        const Halves z = row_forward(p, group, p->width);
        const size_t from = (size_t)group * p->m2;
        for (int c = 0; c < p->m2; c++) x.re[from + c] = p->scale * z.re[c], x.im[from + c] = p->scale * z.im[c];
    }
}

template <typename Load>
INLINE void take_spectrum(const Modulus *p, Spectrum x, Load load) {
    columns_forward(p, p->whole(), load);
    rows_into(p, x);
}

/* The image whose spectrum is s c + t x, with what `load` gives of c, handed to `store`. */
static void rows_out_of(const Modulus *p, int vectors, Combination by, Spectrum x) {
    for (int group = 0; group < p->groups; group++) {
        const Halves z = row_forward(p, group, vectors);
        const size_t from = (size_t)group * p->m2;
        for (int c = 0; c < p->m2; c++) {
            z.re[c] = by.s * z.re[c] + by.t * x.re[from + c];
            z.im[c] = by.s * z.im[c] + by.t * x.im[from + c];
        }
        row_inverse(p, group, p->width, z);
    }
}

template <typename Load, typename Store>
INLINE void give_spectrum(const Modulus *p, Extent of, Combination by, Spectrum x, Load load, Store store) {
    columns_forward(p, of, load);
    rows_out_of(p, of.vectors, by, x);
    columns_inverse<decltype(load(0, 0))>(p, p->whole(), store);
}

/* P_M of it, whose part inside is handed to `store`; and the next x. */
static void rows_combined(const Modulus *p, int vectors, int wanted, Combination by, Spectrum x) {
    each_group<true>(p, vectors, wanted, by, x);
}

template <typename Load, typename Store>
INLINE void project_spectrum(
    const Modulus *p, Extent of, Extent inside, Combination by, Spectrum x, Load load, Store store) {
    columns_forward(p, of, load);
    rows_combined(p, of.vectors, inside.vectors, by, x);
    columns_inverse<decltype(load(0, 0))>(p, inside, store);
}
