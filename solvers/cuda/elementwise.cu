/* What one iteration does besides cuFFT's two transforms, each pass fused into one kernel.
 *
 * The way for grids that projection.cu does not do. maps.cuh comes before this file. A thread takes one number of the
 * arrays, which hold one image after the other: a pixel, or a coefficient of the plane that is kept. `support` is null
 * where there is none but the box, and is not read.
 */

DEVICE size_t own_number() { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }

DEVICE bool within(const bool *support, size_t i) { return SUPPORT ? support[i] : i / m2 % m1 < n1 && i % m2 < n2; }

/* y, what the map gives to P_M: 2 P_S x - x. The other maps give x itself and do without this kernel. */
extern "C" __global__ void reflect(const Pixel *x, Pixel *y, const bool *support, size_t size) {
    const size_t i = own_number();
    if (i < size) y[i] = within(support, i) ? 2.0f * project(x[i], true) - x[i] : -x[i];
}

/* z with the measured magnitudes, and with the factor of the inverse transform. */
extern "C" __global__ void constrain(Complex *z, const float *magnitude, size_t size) {
    const size_t i = own_number();
    if (i < size) z[i] = corrected(z[i], magnitude[i], per_pixel);
}

/* The new x from the old one and p = P_M z. */
extern "C" __global__ void renew(Pixel *x, const Pixel *p, const bool *support, float beta, size_t size) {
    const size_t i = own_number();
    if (i >= size) return;
    Pixel now = x[i];
    if (within(support, i))
        update(now, p[i], beta, true);
    else
        now = update_outside(now, p[i], beta);
    x[i] = now;
}
