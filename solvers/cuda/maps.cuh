/* What all kernels share: complex numbers, P_M at a point of Fourier space, and the maps at a pixel.
 *
 * The maps are those of solvers/projection/er.py, hio.py, raar.py, difference_map.py (with beta = 1) and rrr.py, which are the
 * reference. Nothing is included, here and in the files that follow this one in a compilation, so that NVRTC compiles
 * them for a GPU and, with the few definitions of tests/gpu.h, any C++17 compiler for a CPU.
 */

#define DEVICE static __device__ __forceinline__
#define COMPUTED __host__ __device__ constexpr /* a function that is called while a kernel is compiled */

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR }; /* MAP is one of them, and NONNEGATIVE is true or false */

constexpr int m1 = M1, m2 = M2, n1 = N1, n2 = N2; /* grid, and the box [0, n1) x [0, n2) */
constexpr int half_plane = m2 / 2 + 1;            /* columns of a real image's transform */

struct alignas(8) Complex {
    float re, im;
};

DEVICE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
DEVICE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
DEVICE Complex operator*(float s, Complex a) { return {s * a.re, s * a.im}; }
DEVICE Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
DEVICE Complex conj(Complex a) { return {a.re, -a.im}; }

/* z / |z| times a magnitude, finite where z = 0. */
DEVICE Complex corrected(Complex z, float magnitude) {
    return (magnitude * rsqrtf(fmaxf(z.re * z.re + z.im * z.im, 1e-30f))) * z;
}

/* P_S at one pixel of the box. */
DEVICE float project(float x) { return NONNEGATIVE ? fmaxf(x, 0.0f) : x; }

/* The constants of z <- a z + b p + c. */
DEVICE float constant_a(float beta) { return MAP == RAAR ? beta : 1.0f; }
DEVICE float constant_b(float beta) { return MAP == RAAR ? 1.0f - 2.0f * beta : MAP == DIFFERENCE_MAP ? -1.0f : -beta; }

/* The new x from the old one and p at one pixel of the box; returns c. */
DEVICE float update(float &x, float p, float beta) {
    if (MAP == ER) return x = project(p);
    if (MAP == HIO) {
        const float feedback = x - beta * p;
        x = NONNEGATIVE && p < 0.0f ? feedback : p;
        return x - feedback;
    }
    if (MAP == RAAR) {
        const float reflected = project(2.0f * p - x);
        x = beta * (reflected + x - p) + (1.0f - beta) * p;
        return beta * reflected;
    }
    if (MAP == DIFFERENCE_MAP) {
        const float inside = project(2.0f * p - x);
        x = x + inside - p;
        return inside;
    }
    const float before = project(x);
    x = x + beta * (p - before);
    return 2.0f * project(x) - (2.0f - beta) * before;
}

/* The new x from the old one and p at one pixel outside of the box. For RRR z there is -x. */
DEVICE float update_outside(float x, float p, float beta) {
    if (MAP == ER) return 0.0f;
    if (MAP == RRR) return x - constant_b(beta) * p;
    return constant_a(beta) * x + constant_b(beta) * p;
}
