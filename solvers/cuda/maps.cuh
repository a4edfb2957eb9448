/* What all kernels share: complex numbers, P_M at a point of Fourier space, and the maps at a pixel.
 *
 * The maps are those of solvers/projection/er.py, hio.py, raar.py, difference_map.py (with beta = 1) and rrr.py, which are the
 * reference. Nothing is included, here and in the files that follow this one in a compilation, so that NVRTC compiles
 * them for a GPU and, with the few definitions of tests/gpu.h, any C++17 compiler for a CPU.
 *
 * What a kernel is for is chosen by macros, so that what it is not for costs nothing:
 *
 *   MAP          one of `enum Map`
 *   NONNEGATIVE  the pixels of real images are not negative
 *   COMPLEX      the images are complex, all of their Fourier plane is kept, and none of it follows from the rest
 *   MASKED       coefficients may be unmeasured: their magnitude is negative
 *   SUPPORT      each image has a support of its own within the box, else all of the box is the support
 */

#define DEVICE static __device__ __forceinline__
#define COMPUTED __host__ __device__ constexpr /* a function that is called while a kernel is compiled */

enum Map { ER, HIO, RAAR, DIFFERENCE_MAP, RRR };

constexpr int m1 = M1, m2 = M2, n1 = N1, n2 = N2;            /* grid, and the box [0, n1) x [0, n2) */
constexpr int plane_columns = COMPLEX ? m2 : m2 / 2 + 1;     /* of an image's transform that are kept */
constexpr float per_pixel = 1.0f / ((float)m1 * (float)m2); /* the factor of an inverse transform */

struct alignas(8) Complex {
    float re, im;
};

DEVICE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
DEVICE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
DEVICE Complex operator-(Complex a) { return {-a.re, -a.im}; }
DEVICE Complex operator*(float s, Complex a) { return {s * a.re, s * a.im}; }
DEVICE Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
DEVICE Complex conj(Complex a) { return {a.re, -a.im}; }

template <bool complex>
struct PixelOf {
    typedef float type;
};

template <>
struct PixelOf<true> {
    typedef Complex type;
};

typedef PixelOf<COMPLEX>::type Pixel;

DEVICE bool measured(float magnitude) { return !MASKED || !(magnitude < 0.0f); }

/* P_M at a point of Fourier space, times `scale`: z / |z| times the magnitude, finite where z = 0; z itself where no
 * magnitude was measured. */
DEVICE Complex corrected(Complex z, float magnitude, float scale) {
    const float imposed = scale * magnitude * rsqrtf(fmaxf(z.re * z.re + z.im * z.im, 1e-30f));
    return (measured(magnitude) ? imposed : scale) * z;
}

/* P_S at one pixel, which lies inside the support or does not. */
DEVICE float project(float x, bool inside) { return !inside ? 0.0f : NONNEGATIVE ? fmaxf(x, 0.0f) : x; }
DEVICE Complex project(Complex x, bool inside) { return inside ? x : Complex{0.0f, 0.0f}; }

/* Whether P_S would change a pixel of the support. */
DEVICE bool violates(float p) { return NONNEGATIVE && p < 0.0f; }
DEVICE bool violates(Complex) { return false; }

/* The constants of z <- a z + b p + c. */
DEVICE float constant_a(float beta) { return MAP == RAAR ? beta : 1.0f; }
DEVICE float constant_b(float beta) { return MAP == RAAR ? 1.0f - 2.0f * beta : MAP == DIFFERENCE_MAP ? -1.0f : -beta; }

/* The new x from the old one and p at one pixel; returns c, which is zero where the pixel is not inside the support. */
template <typename P>
DEVICE P update(P &x, P p, float beta, bool inside) {
    if (MAP == ER) return x = project(p, inside);
    if (MAP == HIO) {
        const P feedback = x - beta * p;
        x = inside && !violates(p) ? p : feedback;
        return x - feedback;
    }
    if (MAP == RAAR) {
        const P reflected = project(2.0f * p - x, inside);
        x = beta * (reflected + x - p) + (1.0f - beta) * p;
        return beta * reflected;
    }
    if (MAP == DIFFERENCE_MAP) {
        const P projected = project(2.0f * p - x, inside);
        x = x + projected - p;
        return projected;
    }
    const P before = project(x, inside);
    x = x + beta * (p - before);
    return 2.0f * project(x, inside) - (2.0f - beta) * before;
}

/* The same at one pixel outside of the box, where c = 0. For RRR z there is -x. */
DEVICE Pixel update_outside(Pixel x, Pixel p, float beta) {
    if (MAP == ER) return Pixel{};
    if (MAP == RRR) return x - constant_b(beta) * p;
    return constant_a(beta) * x + constant_b(beta) * p;
}
