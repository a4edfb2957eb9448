/* Fourier transforms of LANES arrays at once, one in each lane of a SIMD register.
 *
 * Every operation of a transform is then the same operation on LANES numbers, without a shuffle anywhere. What is in
 * the lanes is the caller's choice: rows or columns of one image.
 */

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

/* A library is compiled for each number of lanes that some processor's registers have: wider vectors than those are taken
 * apart by the compiler so badly that they cost ten times as much. */
constexpr int LANES = PHASEBENCH_LANES;
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int ivec __attribute__((vector_size(4 * LANES))); /* also what vectors compare to: all bits set, or none */

#define INLINE static inline __attribute__((always_inline))
#define INLINE_MEMBER inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline)) /* after its parameters */

/* Vectors that hold n numbers. */
static inline int ceiling(int n) { return (n + LANES - 1) / LANES; }

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Zeroed work arrays in one block that outlives a call: fresh pages would cost as much as a transform. */
class Arena {
    vec *block = nullptr;

public:
    Arena() = default;
    Arena(const Arena &) = delete;
    ~Arena() { std::free(block); }

    /* The arrays that `layout` takes by its argument, a function of the number of vectors; it is called twice, the
     * first time to count them. False when there is no memory: the arrays are not to be used then. */
    template <typename Layout>
    bool reserve(Layout layout) {
        size_t size = 0;
        layout([&](size_t vectors) -> vec * { return size += vectors, nullptr; });
        std::free(block);
        block = static_cast<vec *>(std::aligned_alloc(sizeof(vec), size * sizeof(vec)));
        if (!block) return false;
        std::memset(static_cast<void *>(block), 0, size * sizeof(vec));
        vec *next = block;
        layout([&](size_t vectors) { return std::exchange(next, next + vectors); });
        return true;
    }
};

/* --- plans ---------------------------------------------------------------------------------------------------- */

constexpr int MAX_STAGES = 32;

/* The radices whose product is n, into `radix`; how many, or -1 where there are none. They are few, for each costs a pass
 * over the memory (of 16, 4 x 4 is better than 2 x 8), and the largest is the last, after which no number is turned. */
static int factorise(int n, int *radix) {
    if (n < 2) return -1;
    int stages = 0;
    const auto take = [&](int r) { radix[stages++] = r, n /= r; };
    while (n % 8 == 0 && (n % 16 != 0 || n % 32 == 0)) take(8);
    for (const int r : {4, 3, 5, 2, 7, 11, 13})
        while (n % r == 0) take(r);
    std::sort(radix, radix + stages);
    return n == 1 ? stages : -1;
}

struct Plan {
    int n, stages, radix[MAX_STAGES];
    float *twiddle; /* each stage, each p, each i = 1 ... r - 1: cos, sin of -2 pi p i / its length */
    int *order;     /* the coefficient in each place of a transform that is scrambled */
    int *place;     /* and the place of each coefficient */

    /* For this length; false where there is no plan for it. */
    bool factor(int length) {
        n = length;
        stages = factorise(n, radix);
        return stages > 0;
    }

    /* The table of a plan that has its factors. */
    template <typename Take>
    void lay_out(Take take) {
        twiddle = reinterpret_cast<float *>(take(ceiling(4 * n)));
        order = reinterpret_cast<int *>(take(ceiling(n))), place = reinterpret_cast<int *>(take(ceiling(n)));
    }

    void fill() {
        for (int k = 0; k < n; k++) { /* of each stage the remainder says which part it goes to */
            place[k] = 0;
            for (int stage = 0, length = n, rest = k; stage < stages; rest /= radix[stage], stage++)
                place[k] += rest % radix[stage] * (length /= radix[stage]);
            order[place[k]] = k;
        }
        float *w = twiddle;
        for (int stage = 0, length = n; stage < stages; length /= radix[stage], stage++)
            for (int p = 0; p < length / radix[stage]; p++)
                for (int i = 1; i < radix[stage]; i++) {
                    double angle = -2.0 * M_PI * p * i / length;
                    *w++ = (float)cos(angle);
                    *w++ = (float)sin(angle);
                }
    }
};

/* --- butterflies: forward transforms of a few complex numbers, in place ------------------------------------------ */

INLINE void butterfly2(vec *re, vec *im) {
    vec r = re[0] - re[1], i = im[0] - im[1];
    re[0] += re[1];
    im[0] += im[1];
    re[1] = r;
    im[1] = i;
}

INLINE void butterfly3(vec *re, vec *im) {
    const float s = 0.86602540378443864676f; /* sin 60 degrees */
    vec sr = re[1] + re[2], si = im[1] + im[2], dr = (re[1] - re[2]) * s, di = (im[1] - im[2]) * s;
    vec cr = re[0] - 0.5f * sr, ci = im[0] - 0.5f * si;
    re[0] += sr;
    im[0] += si;
    re[1] = cr + di;
    im[1] = ci - dr;
    re[2] = cr - di;
    im[2] = ci + dr;
}

INLINE void butterfly4(vec *re, vec *im) {
    vec ar = re[0] + re[2], ai = im[0] + im[2], br = re[0] - re[2], bi = im[0] - im[2];
    vec cr = re[1] + re[3], ci = im[1] + im[3], dr = re[1] - re[3], di = im[1] - im[3];
    re[0] = ar + cr;
    im[0] = ai + ci;
    re[1] = br + di;
    im[1] = bi - dr;
    re[2] = ar - cr;
    im[2] = ai - ci;
    re[3] = br - di;
    im[3] = bi + dr;
}

INLINE void butterfly8(vec *re, vec *im) {
    const float h = 0.70710678118654752440f; /* cos 45 degrees */
    vec er[4] = {re[0], re[2], re[4], re[6]}, ei[4] = {im[0], im[2], im[4], im[6]};
    vec fr[4] = {re[1], re[3], re[5], re[7]}, fi[4] = {im[1], im[3], im[5], im[7]};
    butterfly4(er, ei);
    butterfly4(fr, fi);
    const vec r1 = h * (fr[1] + fi[1]), i1 = h * (fi[1] - fr[1]); /* turned by 45, 90 and 135 degrees */
    const vec r2 = fi[2], i2 = -fr[2];
    const vec r3 = h * (fi[3] - fr[3]), i3 = -h * (fr[3] + fi[3]);
    re[0] = er[0] + fr[0], im[0] = ei[0] + fi[0], re[4] = er[0] - fr[0], im[4] = ei[0] - fi[0];
    re[1] = er[1] + r1, im[1] = ei[1] + i1, re[5] = er[1] - r1, im[5] = ei[1] - i1;
    re[2] = er[2] + r2, im[2] = ei[2] + i2, re[6] = er[2] - r2, im[6] = ei[2] - i2;
    re[3] = er[3] + r3, im[3] = ei[3] + i3, re[7] = er[3] - r3, im[7] = ei[3] - i3;
}

INLINE void butterfly5(vec *re, vec *im) {
    const float c1 = 0.30901699437494742410f, s1 = 0.95105651629515357212f; /* 72 degrees */
    const float c2 = -0.80901699437494742410f, s2 = 0.58778525229247312917f; /* 144 degrees */
    vec ar = re[1] + re[4], ai = im[1] + im[4], br = re[1] - re[4], bi = im[1] - im[4];
    vec cr = re[2] + re[3], ci = im[2] + im[3], dr = re[2] - re[3], di = im[2] - im[3];
    vec er = re[0] + c1 * ar + c2 * cr, ei = im[0] + c1 * ai + c2 * ci;
    vec fr = re[0] + c2 * ar + c1 * cr, fi = im[0] + c2 * ai + c1 * ci;
    vec gr = s1 * br + s2 * dr, gi = s1 * bi + s2 * di, hr = s2 * br - s1 * dr, hi = s2 * bi - s1 * di;
    re[0] += ar + cr;
    im[0] += ai + ci;
    re[1] = er + gi;
    im[1] = ei - gr;
    re[2] = fr + hi;
    im[2] = fi - hr;
    re[3] = fr - hi;
    im[3] = fi + hr;
    re[4] = er - gi;
    im[4] = ei + gr;
}

/* sin(2 pi i / r), to double precision. */
constexpr double sine(int i, int r) {
    const double x = 2 * M_PI * (2 * i > r ? i - r : i) / r; /* between -pi and pi */
    double term = x, sum = x;
    for (int n = 1; n < 16; n++) sum += term *= -x * x / (2 * n * (2 * n + 1));
    return sum;
}

/* The real and imaginary parts of the roots of unity of an odd order: cos(x) = sin(x + 90 degrees). */
template <int r>
struct Roots {
    float c[r] = {}, s[r] = {};
    constexpr Roots() {
        for (int i = 0; i < r; i++) c[i] = (float)sine((4 * i + r) % (4 * r), 4 * r), s[i] = (float)sine(i, r);
    }
};

/* For an odd r: x[j] and x[r - j] only occur in their sum and their difference. */
template <int r>
INLINE void butterfly_odd(vec *re, vec *im) {
    constexpr Roots<r> root;
    constexpr int half = r / 2;
    vec ar[half], ai[half], br[half], bi[half], sum_re = re[0], sum_im = im[0];
    for (int j = 0; j < half; j++) {
        ar[j] = re[j + 1] + re[r - 1 - j], ai[j] = im[j + 1] + im[r - 1 - j];
        br[j] = re[j + 1] - re[r - 1 - j], bi[j] = im[j + 1] - im[r - 1 - j];
        sum_re += ar[j], sum_im += ai[j];
    }
    for (int k = 1; k <= half; k++) {
        vec er = re[0], ei = im[0], fr{}, fi{};
        for (int j = 0; j < half; j++) {
            const float c = root.c[k * (j + 1) % r], s = root.s[k * (j + 1) % r];
            er += c * ar[j], ei += c * ai[j];
            fr += s * br[j], fi += s * bi[j];
        }
        re[k] = er + fi, im[k] = ei - fr;
        re[r - k] = er - fi, im[r - k] = ei + fr;
    }
    re[0] = sum_re, im[0] = sum_im;
}

/* The one of order r. */
template <int r>
INLINE void butterfly(vec *re, vec *im) {
    if constexpr (r == 2) butterfly2(re, im);
    if constexpr (r == 3) butterfly3(re, im);
    if constexpr (r == 4) butterfly4(re, im);
    if constexpr (r == 5) butterfly5(re, im);
    if constexpr (r == 8) butterfly8(re, im);
    if constexpr (r > 5 && r % 2) butterfly_odd<r>(re, im);
}

/* --- transforms ----------------------------------------------------------------------------------------------------- */

/* One stage, in place, of the transforms of all parts of `length` of n numbers. By decimation in frequency, which
 * turns numbers after the butterfly; or in time, which turns them before it, and is done in the opposite order. */
template <bool frequency, int r, bool plain>
INLINE void stage(int n, int length, const float *w, vec *re, vec *im) {
    const int parts = length / r;
    for (int p = 0; p < parts; p++, w += 2 * (r - 1))
        for (int at = p; at < n; at += length) {
            vec a[r], b[r];
            const auto turn = [&](int i) INLINE_LAMBDA {
                const float c = w[2 * i - 2], s = w[2 * i - 1];
                const vec turned = a[i] * c - b[i] * s;
                b[i] = b[i] * c + a[i] * s;
                a[i] = turned;
            };
            for (int i = 0; i < r; i++) a[i] = re[at + i * parts], b[i] = im[at + i * parts];
            if constexpr (!frequency && !plain)
                for (int i = 1; i < r; i++) turn(i);
            butterfly<r>(a, b);
            if constexpr (frequency && !plain)
                for (int i = 1; i < r; i++) turn(i);
            for (int i = 0; i < r; i++) re[at + i * parts] = a[i], im[at + i * parts] = b[i];
        }
}

template <bool frequency, int r>
INLINE void stage(int n, int length, const float *w, vec *re, vec *im) {
    if (length == r)
        stage<frequency, r, true>(n, length, w, re, im);
    else
        stage<frequency, r, false>(n, length, w, re, im);
}

template <bool frequency>
INLINE void rare_stage(int r, int n, int length, const float *w, vec *re, vec *im) {
    if (r == 7) stage<frequency, 7>(n, length, w, re, im);
    if (r == 11) stage<frequency, 11>(n, length, w, re, im);
    if (r == 13) stage<frequency, 13>(n, length, w, re, im);
}

static void rare_scramble(int r, int n, int length, const float *w, vec *re, vec *im) {
    rare_stage<true>(r, n, length, w, re, im);
}

static void rare_unscramble(int r, int n, int length, const float *w, vec *re, vec *im) {
    rare_stage<false>(r, n, length, w, re, im);
}

template <bool frequency>
INLINE void any_stage(int r, int n, int length, const float *w, vec *re, vec *im) {
    if (r == 2) stage<frequency, 2>(n, length, w, re, im);
    if (r == 3) stage<frequency, 3>(n, length, w, re, im);
    if (r == 4) stage<frequency, 4>(n, length, w, re, im);
    if (r == 5) stage<frequency, 5>(n, length, w, re, im);
    if (r == 8) stage<frequency, 8>(n, length, w, re, im);
    if (r > 5 && r % 2) (frequency ? rare_scramble : rare_unscramble)(r, n, length, w, re, im);
}

/* The transform of (re, im) in place, whose coefficients are left in the order of the plan: one that sorts them needs twice
 * the memory, which for long ones decides what stays in the first-level cache. The inverse, without its factor 1 / n, is
 * the same with re and im exchanged. */
static void scramble(const Plan *plan, vec *re, vec *im) {
    const float *w = plan->twiddle;
    for (int i = 0, length = plan->n; i < plan->stages; i++) {
        const int r = plan->radix[i];
        any_stage<true>(r, plan->n, length, w, re, im);
        w += 2 * (size_t)(length / r) * (r - 1);
        length /= r;
    }
}

/* The transform of numbers that stand in that order, which are left in the natural one. */
static void unscramble(const Plan *plan, vec *re, vec *im) {
    const float *w = plan->twiddle;
    for (int i = 0, length = plan->n; i < plan->stages; length /= plan->radix[i], i++)
        w += 2 * (size_t)(length / plan->radix[i]) * (plan->radix[i] - 1);
    for (int i = plan->stages - 1, length = 1; i >= 0; i--) {
        const int r = plan->radix[i];
        length *= r;
        w -= 2 * (size_t)(length / r) * (r - 1);
        any_stage<false>(r, plan->n, length, w, re, im);
    }
}

/* Real and imaginary parts. */
struct Halves {
    vec *re, *im;
};

/* --- lanes -------------------------------------------------------------------------------------------------------- */

/* 1 in the first `count` lanes, 0 in the others. */
INLINE vec first_lanes(int count) {
    vec lane;
    for (int l = 0; l < LANES; l++) lane[l] = (float)l;
    return lane < (float)count ? vec{} + 1.0f : vec{};
}

/* All bits set in the first `count` lanes, none in the others; and a vector where they are set, 0 elsewhere. For what is
 * chosen from once more: of a choice from a choice GCC makes one, whose condition it takes apart, lane by lane. */
INLINE ivec first_bits(int count) {
    ivec lane;
    for (int l = 0; l < LANES; l++) lane[l] = l;
    return (lane - count) >> 31;
}

INLINE vec kept(ivec bits, vec x) { return (vec)(bits & (ivec)x); }

INLINE float total(vec x) {
    float sum = 0;
    for (int l = 0; l < LANES; l++) sum += x[l];
    return sum;
}

/* 1 / sqrt(x), finite where x = 0. */
INLINE vec inverse_root(vec x) {
    vec root;
    for (int l = 0; l < LANES; l++) root[l] = 1.0f / sqrtf(x[l] > 1e-30f ? x[l] : 1e-30f);
    return root;
}

template <int distance, size_t... l>
INLINE void exchange(vec &a, vec &b, std::index_sequence<l...>) {
    const vec low = __builtin_shufflevector(a, b, (l & distance ? LANES + l - distance : l)...);
    b = __builtin_shufflevector(a, b, (l & distance ? LANES + l : l + distance)...);
    a = low;
}

template <int distance>
INLINE void exchange_all(vec *v) {
    for (int i = 0; i < LANES; i++)
        if (!(i & distance)) exchange<distance>(v[i], v[i + distance], std::make_index_sequence<LANES>());
}

/* LANES vectors as a matrix, transposed in place. */
INLINE void transpose(vec *v) {
    if constexpr (LANES > 8) exchange_all<8>(v);
    if constexpr (LANES > 4) exchange_all<4>(v);
    exchange_all<2>(v);
    exchange_all<1>(v);
}
