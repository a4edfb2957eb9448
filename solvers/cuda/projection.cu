/* Projection iterations on the GPU, an image in the shared memory of each thread block.
 *
 * Device memory is touched where an image is looked at, however many iterations lie between. A block follows its image
 * to the end of the start; the device then gives its place to the next image. maps.cuh comes before this file.
 *
 * The support is a box, or lies in it, and with p = P_M z every map has the form
 *
 *     z <- a z + b p + c,    c = 0 outside the support,    z = x, or 2 P_S x - x for RRR,
 *
 * with constants a and b. So z outside the box need never be seen: it is kept as a Fourier transform, in registers,
 * where P_M acts point by point, and only what is inside the box is transformed, c forward and p backward. An
 * iteration passes over the half plane twice:
 *
 *   columns: c transformed along the columns, z, P_M z, transformed back. Then a barrier.
 *   rows:    p transformed back along the rows of the box, the map, c transformed along the rows. Then a barrier.
 *
 * Two real rows a, b travel as one complex row a + ib. Nobody splits it: a column takes what the frequencies k and -k
 * of a pair hold and has both rows of its own frequency. The columns of frequency zero and of the Nyquist frequency
 * are real before they are transformed, and travel as one complex column, number 0.
 *
 * A line is what is transformed along a row: two rows of real images, one of complex ones. The pass over the columns
 * is the same for both, since a pair of rows is one line with frequencies k and -k, or two lines with frequency k each:
 * a column finds two rows of its own in either. Only complex images have as many columns as a row has pixels, each with
 * a z of its own.
 *
 * A transform of length A * B, index B a + b in, k1 + A k2 out: radix A over a, a twiddle, radix B over b. Before the
 * exchange between them a thread owns some b, after it some k1; what it writes goes where only it has read, so that an
 * exchange costs one barrier of a warp. The way back is the mirror image. Strides are chosen by plan.py; for 96 x 96
 * a half warp reaches each bank once in all accesses but some reads of the frequency -k, where two lanes meet.
 *
 * The budget for 96 x 96 with a 42 x 42 box, estimated from the compiler's output, not measured: each of 6 warps takes
 * some 1 700 instructions in a pass over the columns, each of 3 warps 1 350 in one over the rows, so 14 000 in an
 * iteration, 3 600 cycles of the four schedulers of a multiprocessor if none of them ever waits. Shared memory moves
 * 240 KB, 1 900 cycles. At 132 multiprocessors and 1.7 GHz the first of these is 60 million image-iterations a second,
 * and half of that would be a good result: barriers leave the schedulers idle unless another block is there to fill
 * them, and registers admit two blocks. Instructions, not bytes, are the limit. Magnitudes stay in shared memory: 24
 * loads from L2 in each thread would have to be issued before they are needed, into registers that hold z.
 *
 * A support costs a byte of shared memory for each pixel of a line in the box, read once in an iteration and by no
 * other thread: the map asks one bit for each row. A mask costs nothing but a choice, since it is the sign of the
 * magnitude. Both are left out of a kernel that is not compiled for them. A complex image of 96 x 96 has twice the
 * lines and twice the columns, and so twice the threads, each with as many registers: one block fills a multiprocessor,
 * with nothing beside it while it waits at a barrier. By the same estimate an iteration takes twice the instructions; what
 * the waiting adds was not measured.
 */

/* Besides the macros of maps.cuh there are those of plan.py: the splits of both lengths, and strides. */
constexpr int warp_size = 32, warps = THREADS / warp_size;
constexpr int row_pairs = m1 / 2, box_pairs = (n1 + 1) / 2;
constexpr int line_rows = COMPLEX ? 1 : 2, pair_lines = 2 / line_rows; /* rows of a line, lines of a pair of rows */
constexpr int lines = row_pairs * pair_lines, box_lines = box_pairs * pair_lines;
constexpr int columns = COMPLEX ? m2 : (m2 + 1) / 2, pieces = COLUMN_B / 2; /* of work in a column's first step */
constexpr float doubled = COMPLEX ? 1.0f : 2.0f; /* the factor of all that is transformed along the columns */
constexpr float row_scale = per_pixel / doubled; /* of what was transformed back */
constexpr int column_groups = warp_size / COLUMN_T, row_groups = warp_size / ROW_T; /* transforms in a warp */

COMPUTED int rounds(int work, int threads) { return (work + threads - 1) / threads; }
constexpr int column_rounds_a = rounds(pieces, COLUMN_T), column_rounds_b = rounds(COLUMN_A, COLUMN_T);
constexpr int row_rounds_a = rounds(ROW_B, ROW_T), row_rounds_b = rounds(ROW_A, ROW_T);

/* --- loops over constants ----------------------------------------------------------------------------------------- */

template <int i>
struct Constant {
    static constexpr int value = i;
};

/* f(Constant<0>), ..., f(Constant<n - 1>): arrays indexed by such a value stay in registers. */
template <int n, int i = 0, typename F>
DEVICE void each(F f) {
    if constexpr (i < n) {
        f(Constant<i>());
        each<n, i + 1>(f);
    }
}

/* --- transforms in the registers of one thread -------------------------------------------------------------------- */

/* cos x for k = 0, sin x for k = 1, from their series, |x| <= 2 pi. */
COMPUTED double series(double x, int k) {
    double term = k ? x : 1.0, sum = term;
    for (; k < 60; k += 2) sum += term *= -x * x / ((k + 1) * (k + 2));
    return sum;
}

/* exp(-2 pi i j / n). */
template <int j, int n>
struct Root {
    static constexpr double turn = 6.283185307179586476925287 * (2 * j > n ? j - n : j) / n;
    static constexpr float re = (float)series(turn, 0), im = (float)-series(turn, 1);
};

/* -i z, or i z on the way back. */
template <bool back>
DEVICE Complex quarter(Complex z) {
    if constexpr (back) return {-z.im, z.re};
    return {z.im, -z.re};
}

/* z exp(-2 pi i j / n), or its mirror image on the way back. */
template <int j, int n, bool back>
DEVICE Complex turned(Complex z) {
    if constexpr (j % n == 0) return z;
    if constexpr (4 * (j % n) == n) return quarter<back>(z);
    constexpr float re = Root<j % n, n>::re, im = Root<j % n, n>::im;
    return z * Complex{re, back ? -im : im};
}

COMPUTED int divisor(int n) { return n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : n % 3 == 0 ? 3 : 5; }
COMPUTED int common(int a, int b) { return b ? common(b, a % b) : a; }

/* The k in [0, p q) with remainders i and j modulo the coprime p and q. */
COMPUTED int remainders(int i, int p, int j, int q) {
    int k = i;
    while (k % q != j) k += p;
    return k;
}

/* The transform of n numbers in place, without the factor 1 / n on the way back. */
template <int n, bool back>
DEVICE void transform(Complex (&v)[n]) {
    if constexpr (n == 2) {
        const Complex d = v[0] - v[1];
        v[0] = v[0] + v[1];
        v[1] = d;
    } else if constexpr (n == 3) {
        constexpr float sine = -Root<1, 3>::im;
        const Complex s = v[1] + v[2], d = quarter<back>(v[1] - v[2]);
        const Complex c = v[0] - 0.5f * s;
        v[0] = v[0] + s;
        v[1] = c + sine * d;
        v[2] = c - sine * d;
    } else if constexpr (n == 4) {
        const Complex a = v[0] + v[2], b = v[0] - v[2], c = v[1] + v[3], d = quarter<back>(v[1] - v[3]);
        v[0] = a + c;
        v[1] = b + d;
        v[2] = a - c;
        v[3] = b - d;
    } else if constexpr (n == 5) {
        constexpr float c1 = Root<1, 5>::re, s1 = -Root<1, 5>::im, c2 = Root<2, 5>::re, s2 = -Root<2, 5>::im;
        const Complex a = v[1] + v[4], b = quarter<back>(v[1] - v[4]);
        const Complex c = v[2] + v[3], d = quarter<back>(v[2] - v[3]);
        const Complex e = v[0] + c1 * a + c2 * c, f = v[0] + c2 * a + c1 * c;
        const Complex g = s1 * b + s2 * d, h = s2 * b - s1 * d;
        v[0] = v[0] + a + c;
        v[1] = e + g;
        v[2] = f + h;
        v[3] = f - h;
        v[4] = e - g;
    } else if constexpr (n > 1) {
        constexpr int p = divisor(n), q = n / p;
        constexpr bool coprime = common(p, q) == 1; /* then the order of in- and output takes the place of twiddles */
        Complex w[q][p];
        each<q>([&](auto second) {
            constexpr int j = decltype(second)::value;
            each<p>([&](auto first) {
                constexpr int i = decltype(first)::value;
                w[j][i] = v[coprime ? (q * i + p * j) % n : q * i + j];
            });
            transform<p, back>(w[j]);
        });
        each<p>([&](auto first) {
            constexpr int i = decltype(first)::value;
            Complex u[q];
            each<q>([&](auto second) {
                constexpr int j = decltype(second)::value;
                u[j] = turned<coprime ? 0 : i * j, n, back>(w[j][i]);
            });
            transform<q, back>(u);
            each<q>([&](auto second) {
                constexpr int j = decltype(second)::value, k = coprime ? remainders(i, p, j, q) : i + p * j;
                v[k] = u[j];
            });
        });
    }
}

/* --- the block's memory ------------------------------------------------------------------------------------------- */

/* Where a row keeps column k: one gap after every ROW_A columns. */
DEVICE int position(int k) { return k % ROW_A + (ROW_A + 1) * (k / ROW_A); }

DEVICE int pair_offset(int pair) { return pair / pieces * GROUP_STRIDE + pair % pieces * PAIR_STRIDE; }

DEVICE int line_offset(int line) { return pair_offset(line / pair_lines) + line % pair_lines * LINE_STRIDE; }

/* Where a line keeps pixel n = ROW_B a + b before it is transformed, and after it was transformed back: among
 * what the thread that owns b holds. */
DEVICE int pixel(int n) { return n / ROW_B + (ROW_A + 1) * (n % ROW_B); }

/* The pixel of row r in a number of its line. */
DEVICE Pixel &pixel_of(Complex &number, int r) { return reinterpret_cast<Pixel *>(&number)[r % line_rows]; }

/* A thread's part of the residual: its sums of (|z| - magnitude)^2 and magnitude^2. */
struct Sums {
    float wrong, all;
};

struct Shared {
    Complex *plane;        /* lines of m2 numbers */
    Complex *object;       /* x in the box, in lines of n2 numbers */
    Complex *row_roots;    /* exp(-2 pi i k1 b / m2) at [k1][b] */
    Complex *column_roots; /* exp(-2 pi i k1 b / m1) at [k1][b] */
    Sums *partial;         /* one of each thread */
    float *magnitude;      /* sqrt(Y) on the plane that is kept, doubled as all that is transformed along columns */
    unsigned char *inside; /* of the lines of the box: bit h for a pixel of the h-th row that is inside the support */
};

DEVICE Shared arrange(Complex *memory) {
    Shared s;
    s.plane = memory;
    s.object = s.plane + COLUMN_A * GROUP_STRIDE;
    s.row_roots = s.object + box_lines * OBJECT_STRIDE;
    s.column_roots = s.row_roots + m2;
    s.partial = (Sums *)(s.column_roots + m1);
    s.magnitude = (float *)(s.partial + THREADS);
    s.inside = (unsigned char *)(s.magnitude + m1 * MAGNITUDE_STRIDE);
    return s;
}

DEVICE void fill_roots(const Shared &s) {
    for (int i = threadIdx.x; i < m2 + m1; i += THREADS) {
        const int n = i < m2 ? m2 : m1, b = i < m2 ? ROW_B : COLUMN_B, at = i < m2 ? i : i - m2;
        double sine, cosine;
        sincospi(-2.0 * (at / b * (at % b)) / n, &sine, &cosine);
        s.row_roots[i] = {(float)cosine, (float)sine};
    }
}

/* --- the steps of a launch ---------------------------------------------------------------------------------------- */

enum Step {
    ENTER,    /* the iterate comes from device memory; its lines are transformed */
    ITERATE,  /* one iteration */
    PROJECT,  /* P_M z in the box, for maps whose estimate is P_S P_M x */
    ESTIMATE, /* the estimate goes to device memory, and its lines are transformed */
    MISFIT,   /* its residual */
    RETURN,   /* z is transformed back */
    LEAVE,    /* the iterate goes to device memory */
    DONE      /* so many iterations, and a look at the image where that is wanted */
};

/* The step after this one; `last`, after the last iteration; `checked`, the estimate is wanted. */
DEVICE int following(int step, bool last, bool checked) {
    if (step == ENTER) return ITERATE;
    if (step != ITERATE) return step + 1;
    return !last ? ITERATE : checked ? PROJECT : RETURN;
}

DEVICE bool passes_columns(int step) {
    return step == ITERATE || step == MISFIT || (step == PROJECT && MAP != RRR) || (step == RETURN && MAP != ER);
}

DEVICE bool passes_rows(int step) {
    return step == ENTER || step == ESTIMATE || (step != MISFIT && passes_columns(step));
}

/* --- the pass over the columns ------------------------------------------------------------------------------------ */

/* A thread's part of a column of the plane that is kept. */
struct Column {
    int number, thread;
    bool active;
    bool packed; /* it is number 0 of a real image */
    Complex *direct, *mirror; /* the column's own memory: its frequency k and -k of a line, or k of two lines */
};

DEVICE Column own_column(const Shared &s) {
    constexpr bool no_idlers = warp_size % COLUMN_T == 0 && columns % column_groups == 0;
    const int lane = threadIdx.x % warp_size;
    Column c;
    c.number = threadIdx.x / warp_size * column_groups + lane / COLUMN_T;
    c.thread = lane % COLUMN_T;
    c.active = no_idlers || (lane < column_groups * COLUMN_T && c.number < columns);
    if (!c.active) c.number = columns;
    c.packed = !COMPLEX && c.number == 0;
    c.direct = s.plane + position(c.number);
    c.mirror = COMPLEX ? c.direct + LINE_STRIDE
                       : s.plane + position(c.number ? m2 - c.number : m2 % 2 ? m2 : m2 / 2);
    return c;
}

/* Whether a thread's round i of `work` pieces done by `threads` is one of them. */
template <int work, int threads>
DEVICE bool exists(int piece) {
    return work % threads == 0 || piece < work;
}

/* Two rows of this column, those of a real image doubled, from what a pair of rows holds. */
DEVICE void split(const Column &c, Complex u, Complex v, Complex &a, Complex &b) {
    if (COMPLEX) {
        a = u;
        b = v;
    } else if (!c.packed) {
        a = {u.re + v.re, u.im - v.im};
        b = {u.im + v.im, v.re - u.re};
    } else {
        a = {2.0f * u.re, m2 % 2 ? 0.0f : 2.0f * v.re};
        b = {2.0f * u.im, m2 % 2 ? 0.0f : 2.0f * v.im};
    }
}

/* The way back. */
DEVICE void join(const Column &c, Complex a, Complex b, Complex &u, Complex &v) {
    const float im_of_b = b.im, re_of_b = b.re, im_of_a = a.im;
    if (COMPLEX) {
        u = a;
        v = b;
    } else if (!c.packed) {
        u = {a.re - im_of_b, im_of_a + re_of_b};
        v = {a.re + im_of_b, re_of_b - im_of_a};
    } else {
        u = {a.re, re_of_b};
        v = {im_of_a, im_of_b};
    }
}

/* What coefficients z that stand `weight` times in the whole plane add to the residual. */
DEVICE void add_misfit(Sums &sums, float weight, Complex z, float magnitude) {
    if (!measured(magnitude)) return;
    const float power = z.re * z.re + z.im * z.im;
    const float difference = power * rsqrtf(fmaxf(power, 1e-30f)) - magnitude;
    sums.wrong += weight * (difference * difference);
    sums.all += weight * (magnitude * magnitude);
}

/* Column 0 of a real image is the sum z0 + i z1 of the columns of frequency zero and m2 / 2, with z0(-r) = conj z0(r).
 * The lanes of its warp, each with some rows r and -r, project both, or add up their misfit, where the column's memory
 * holds them: row r = k1 + COLUMN_A k2 is number k2 of what the owner of k1 holds. */
DEVICE void first_column(int step, const Shared &s, Sums &sums) {
    Complex *const direct = s.plane, *const mirror = s.plane + position(m2 % 2 ? m2 : m2 / 2);
    for (int r = threadIdx.x; r <= m1 / 2; r += warp_size) {
        const int o = (m1 - r) % m1, k = r / COLUMN_A, l = o / COLUMN_A;
        Complex &at = (k % 2 ? mirror : direct)[r % COLUMN_A * GROUP_STRIDE + k / 2 * PAIR_STRIDE];
        Complex &opposite = (l % 2 ? mirror : direct)[o % COLUMN_A * GROUP_STRIDE + l / 2 * PAIR_STRIDE];
        const Complex z0 = 0.5f * (at + conj(opposite)), z1 = 0.5f * quarter<false>(at - conj(opposite));
        const float y0 = s.magnitude[r * MAGNITUDE_STRIDE];
        const float y1 = m2 % 2 ? 0.0f : s.magnitude[r * MAGNITUDE_STRIDE + m2 / 2];
        if (step == MISFIT) {
            const float weight = r == o ? 1.0f : 2.0f;
            add_misfit(sums, weight, z0, y0);
            add_misfit(sums, weight, z1, y1);
        } else {
            const Complex p0 = corrected(z0, y0, 1.0f), p1 = quarter<true>(corrected(z1, y1, 1.0f));
            at = p0 + p1;
            opposite = conj(p0 - p1);
        }
    }
}

/* z on the plane that is kept, which outlives a pass: row k1 + COLUMN_A k2 of the own column at [j][k2] for the thread's
 * j-th k1. What c adds to it when there is no iteration after it is inside the box, and so does no harm. */
typedef Complex State[column_rounds_b][COLUMN_B];

/* `pairs` of rows hold something. */
DEVICE void pass_columns(int step, int pairs, const Shared &s, const Column &c, State &z, float beta) {
    const auto kept = [&](int k1, int b) -> Complex & { /* of the exchange between the radices */
        return (b % 2 ? c.mirror : c.direct)[k1 * GROUP_STRIDE + b / 2 * PAIR_STRIDE];
    };
    const auto magnitude = [&](int k1, int k) {
        return s.magnitude[(k1 + COLUMN_A * k) * MAGNITUDE_STRIDE + c.number];
    };
    if (step != RETURN) {
#pragma unroll
        for (int i = 0; i < column_rounds_a; i++) {
            const int piece = c.thread + COLUMN_T * i;
            if (!c.active || !exists<pieces, COLUMN_T>(piece)) continue;
            Complex v[2][COLUMN_A];
#pragma unroll
            for (int a = 0; a < COLUMN_A; a++) {
                v[0][a] = v[1][a] = {0.0f, 0.0f};
                if (a * pieces + piece < pairs) split(c, kept(a, 2 * piece), kept(a, 2 * piece + 1), v[0][a], v[1][a]);
            }
#pragma unroll
            for (int h = 0; h < 2; h++) {
                transform<COLUMN_A, false>(v[h]);
#pragma unroll
                for (int k = 0; k < COLUMN_A; k++)
                    kept(k, 2 * piece + h) = k ? v[h][k] * s.column_roots[k * COLUMN_B + 2 * piece + h] : v[h][k];
            }
        }
        __syncwarp();
        Sums sums = {0.0f, 0.0f};
#pragma unroll
        for (int j = 0; j < column_rounds_b; j++) {
            const int k1 = c.thread + COLUMN_T * j;
            if (!c.active || !exists<COLUMN_A, COLUMN_T>(k1)) continue;
            Complex w[COLUMN_B];
#pragma unroll
            for (int b = 0; b < COLUMN_B; b++) w[b] = kept(k1, b);
            transform<COLUMN_B, false>(w);
            if (step != MISFIT) {
#pragma unroll
                for (int k = 0; k < COLUMN_B; k++) w[k] = z[j][k] = MAP == ER ? w[k] : z[j][k] + w[k];
            }
            if (c.packed) {
#pragma unroll
                for (int k = 0; k < COLUMN_B; k++) kept(k1, k) = w[k];
            } else if (step == MISFIT) {
#pragma unroll
                for (int k = 0; k < COLUMN_B; k++) /* twice, for the other half plane of a real image */
                    add_misfit(sums, doubled, w[k], magnitude(k1, k));
            }
        }
        if (!COMPLEX && threadIdx.x < warp_size) {
            __syncwarp();
            first_column(step, s, sums);
            __syncwarp();
        }
        if (step == MISFIT) {
            s.partial[threadIdx.x] = sums;
            return;
        }
    }

#pragma unroll
    for (int j = 0; j < column_rounds_b; j++) {
        const int k1 = c.thread + COLUMN_T * j;
        if (!c.active || !exists<COLUMN_A, COLUMN_T>(k1)) continue;
        Complex p[COLUMN_B];
        if (step == RETURN) {
#pragma unroll
            for (int k = 0; k < COLUMN_B; k++) p[k] = z[j][k];
        } else if (!c.packed) {
#pragma unroll
            for (int k = 0; k < COLUMN_B; k++) p[k] = corrected(z[j][k], magnitude(k1, k), 1.0f);
        } else {
#pragma unroll
            for (int k = 0; k < COLUMN_B; k++) p[k] = kept(k1, k);
        }
        if (step == ITERATE && MAP != ER) {
#pragma unroll
            for (int k = 0; k < COLUMN_B; k++) z[j][k] = constant_a(beta) * z[j][k] + constant_b(beta) * p[k];
        }
        transform<COLUMN_B, true>(p);
#pragma unroll
        for (int b = 0; b < COLUMN_B; b++) kept(k1, b) = p[b];
    }
    __syncwarp();
    const int wanted = step == RETURN ? row_pairs : box_pairs;
#pragma unroll
    for (int i = 0; i < column_rounds_a; i++) {
        const int piece = c.thread + COLUMN_T * i;
        if (!c.active || !exists<pieces, COLUMN_T>(piece)) continue;
        Complex v[2][COLUMN_A];
#pragma unroll
        for (int h = 0; h < 2; h++) {
#pragma unroll
            for (int k = 0; k < COLUMN_A; k++) {
                v[h][k] = kept(k, 2 * piece + h);
                if (k) v[h][k] = v[h][k] * conj(s.column_roots[k * COLUMN_B + 2 * piece + h]);
            }
            transform<COLUMN_A, true>(v[h]);
        }
#pragma unroll
        for (int a = 0; a < COLUMN_A; a++)
            if (a * pieces + piece < wanted) join(c, v[0][a], v[1][a], kept(a, 2 * piece), kept(a, 2 * piece + 1));
    }
}

/* --- the pass over the rows --------------------------------------------------------------------------------------- */

/* The map in column n of a line of the box, given p = P_M z; returns c. The last pair of rows may be half outside. */
DEVICE Complex map_pixels(int line, int n, Complex p, const Shared &s, float beta) {
    Complex &object = s.object[line * OBJECT_STRIDE + n];
    const int inside = SUPPORT ? s.inside[line * n2 + n] : 3;
    const bool beyond = n1 % 2 && line == box_lines - 1;
    Complex x = object, c;
    if (COMPLEX) {
        c = update(x, p, beta, inside & 1);
        if (beyond) c = {0.0f, 0.0f};
    } else {
        c.re = update(x.re, p.re, beta, inside & 1);
        c.im = update(x.im, p.im, beta, inside & 2);
        if (beyond) c.im = 0.0f;
    }
    object = x;
    return c;
}

/* Lines are transformed back, mapped, transformed, or only the first or the last of these. */
DEVICE void pass_rows(int step, const Shared &s, float beta) {
    const int lane = threadIdx.x % warp_size, thread = lane % ROW_T;
    const int count = step == ENTER || step == RETURN ? lines : box_lines;
    const bool back = step != ENTER && step != ESTIMATE, ahead = step != PROJECT && step != RETURN;
    for (int first = threadIdx.x / warp_size * row_groups; first < count; first += warps * row_groups) {
        const int line = first + lane / ROW_T;
        const bool active = lane < row_groups * ROW_T && line < count;
        Complex *row = s.plane + line_offset(active ? line : 0);
        if (back) {
#pragma unroll
            for (int j = 0; j < row_rounds_b; j++) {
                const int k1 = thread + ROW_T * j;
                if (!active || !exists<ROW_A, ROW_T>(k1)) continue;
                Complex w[ROW_B];
#pragma unroll
                for (int k = 0; k < ROW_B; k++) w[k] = row[k1 + (ROW_A + 1) * k];
                transform<ROW_B, true>(w);
#pragma unroll
                for (int b = 0; b < ROW_B; b++) row[k1 + (ROW_A + 1) * b] = w[b];
            }
            __syncwarp();
        }
#pragma unroll
        for (int i = 0; i < row_rounds_a; i++) {
            const int b = thread + ROW_T * i;
            if (!active || !exists<ROW_B, ROW_T>(b)) continue;
            const Complex *roots = s.row_roots + b;
            Complex v[ROW_A];
#pragma unroll
            for (int k = 0; k < ROW_A; k++) v[k] = row[k + (ROW_A + 1) * b];
            if (back) {
#pragma unroll
                for (int k = 1; k < ROW_A; k++) v[k] = v[k] * conj(roots[k * ROW_B]);
                transform<ROW_A, true>(v);
            }
            if (step == ITERATE) {
#pragma unroll
                for (int a = 0; a < ROW_A; a++) {
                    const int n = ROW_B * a + b;
                    v[a] = n < n2 ? map_pixels(line, n, row_scale * v[a], s, beta) : Complex{0.0f, 0.0f};
                }
            }
            if (ahead) {
                transform<ROW_A, false>(v);
#pragma unroll
                for (int k = 1; k < ROW_A; k++) v[k] = v[k] * roots[k * ROW_B];
            }
#pragma unroll
            for (int k = 0; k < ROW_A; k++) row[k + (ROW_A + 1) * b] = v[k];
        }
        if (!ahead) continue;
        __syncwarp();
#pragma unroll
        for (int j = 0; j < row_rounds_b; j++) {
            const int k1 = thread + ROW_T * j;
            if (!active || !exists<ROW_A, ROW_T>(k1)) continue;
            Complex w[ROW_B];
#pragma unroll
            for (int b = 0; b < ROW_B; b++) w[b] = row[k1 + (ROW_A + 1) * b];
            transform<ROW_B, false>(w);
#pragma unroll
            for (int k = 0; k < ROW_B; k++) row[k1 + (ROW_A + 1) * k] = w[k];
        }
    }
}

/* --- to and from device memory ------------------------------------------------------------------------------------ */

/* Device memory: arrays of one image after the other. */
struct Images {
    const Pixel *x;      /* (m1, m2) the iterate */
    const bool *support; /* (m1, m2) false outside the box; null where the box is the support, and not read */
    Pixel *next;         /* (m1, m2) the new iterate; while it is looked at, what it stands for */
    Pixel *estimate;     /* (m1, m2) the best of those, or null where they are not wanted */
};

/* All pixels of the image, in the order of device memory: z comes in, the estimate or the new iterate goes out. */
DEVICE void pass_pixels(int step, const Shared &s, const Images &images) {
    const size_t before = (size_t)blockIdx.x * m1 * m2;
    for (int i = threadIdx.x; i < m1 * m2; i += THREADS) {
        const int r = i / m2, n = i % m2, line = r / line_rows;
        const bool boxed = r < n1 && n < n2, inside = boxed && (!SUPPORT || images.support[before + i]);
        Pixel &z = pixel_of(s.plane[line_offset(line) + pixel(n)], r);
        Pixel &object = pixel_of(s.object[line * OBJECT_STRIDE + n], r);
        if (step == ENTER) {
            const Pixel x = images.x[before + i];
            z = MAP != RRR ? x : inside ? 2.0f * project(x, true) - x : -x;
            if (boxed) object = x;
        } else if (step == ESTIMATE) {
            Pixel estimate{};
            if (inside) estimate = project(MAP == RRR ? object : row_scale * z, true);
            images.next[before + i] = estimate;
            if (line < box_lines) z = estimate;
        } else {
            const Pixel outside = MAP == ER ? Pixel{} : MAP == RRR ? -row_scale * z : row_scale * z;
            images.next[before + i] = boxed ? object : outside;
        }
    }
}

/* The support of the image in the lines of the box. */
DEVICE void fill_inside(const Shared &s, const bool *support) {
    const size_t before = (size_t)blockIdx.x * m1 * m2;
    for (int i = threadIdx.x; i < box_lines * n2; i += THREADS) {
        int bits = 0;
#pragma unroll
        for (int h = 0; h < line_rows; h++) {
            const int r = i / n2 * line_rows + h;
            if (r < n1 && support[before + (size_t)r * m2 + i % n2]) bits |= 1 << h;
        }
        s.inside[i] = (unsigned char)bits;
    }
}

/* Keep what the iterate stands for. Every thread copies the pixels that it has written. */
DEVICE void keep_estimate(const Images &images) {
    const size_t before = (size_t)blockIdx.x * m1 * m2;
    for (int i = threadIdx.x; i < m1 * m2; i += THREADS) images.estimate[before + i] = images.next[before + i];
}

/* The residual, from the block's sums. */
DEVICE float add_up(const Shared &s) {
    const int thread = threadIdx.x;
    for (int parts = THREADS, fewer; parts > 1; parts = fewer) { /* in a fixed order */
        fewer = parts > warp_size ? warp_size : 1;
        Sums sums = {0.0f, 0.0f};
        for (int i = thread; i < parts && thread < fewer; i += fewer) {
            sums.wrong += s.partial[i].wrong;
            sums.all += s.partial[i].all;
        }
        __syncthreads();
        if (thread < fewer) s.partial[thread] = sums;
        __syncthreads();
    }
    return sqrtf(s.partial[0].wrong / s.partial[0].all);
}

DEVICE int smaller(int a, int b) { return a < b ? a : b; }

/* The start of image blockIdx.x: iterations up to its limit, which is above zero. Where `estimate` is not null, the
 * image that the iterate stands for is looked at after `every` iterations and at the limit; `estimate` and `residual`
 * get the one with the smallest || |F x| - sqrt(Y) || / || sqrt(Y) ||, and the start ends where that is within the
 * tolerance, or is not finite the first time. `age` gets the iterations done. The caller makes `residual` infinite.
 * `magnitude` has (m1, plane_columns) for each image; `support` as in `Images`. */
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    pursue(const Pixel *x, const float *magnitude, Pixel *next, Pixel *estimate, float *residual, int *age,
           const int *limit, int every, double tolerance, float beta, const bool *support) {
    extern __shared__ Complex memory[];
    const Shared s = arrange(memory);
    Images images = {x, support, next, estimate};
    for (int i = threadIdx.x; i < m1 * plane_columns; i += THREADS)
        s.magnitude[i / plane_columns * MAGNITUDE_STRIDE + i % plane_columns] =
            doubled * magnitude[(size_t)blockIdx.x * m1 * plane_columns + i];
    if (SUPPORT) fill_inside(s, support);
    fill_roots(s);

    const Column column = own_column(s);
    const int most = limit[blockIdx.x];
    const bool checked = estimate != nullptr;
    const float infinite = residual[blockIdx.x];
    float best = infinite;
    int done = 0, left = smaller(every, most);
    int pairs = row_pairs;
    State z;
    for (int step = ENTER; step != DONE;) {
        if (step == ENTER) { /* the whole z comes in as c, to a z of nothing */
            pairs = row_pairs;
#pragma unroll
            for (int j = 0; j < column_rounds_b; j++)
#pragma unroll
                for (int k = 0; k < COLUMN_B; k++) z[j][k] = {0.0f, 0.0f};
        }
        if (passes_columns(step)) {
            pass_columns(step, pairs, s, column, z, beta);
            pairs = box_pairs;
            __syncthreads();
        }
        if (step == ENTER || step == ESTIMATE || step == LEAVE) {
            pass_pixels(step, s, images);
            __syncthreads();
        }
        if (step == MISFIT) {
            const float found = add_up(s);
            if (found < best) {
                best = found;
                keep_estimate(images);
            }
        }
        if (passes_rows(step)) {
            pass_rows(step, s, beta);
            __syncthreads();
        }
        if (step == ITERATE) done++, left--;
        step = following(step, left == 0, checked);
        if (step == DONE && done < most && (!checked || (best < infinite && best > tolerance))) {
            images.x = next;
            left = smaller(every, most - done);
            step = ENTER;
        }
    }
    if (threadIdx.x == 0 && checked) {
        residual[blockIdx.x] = best;
        age[blockIdx.x] = done;
    }
}
