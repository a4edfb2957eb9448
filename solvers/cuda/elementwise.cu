/* What one iteration does besides cuFFT's two transforms, each pass fused into one kernel.
 *
 * The way for grids that projection.cu does not do. maps.cuh comes before this file. A thread takes one number of the
 * arrays, which hold one image after the other.
 */

DEVICE size_t own_number() { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }

DEVICE bool inside_box(size_t i) { return i / m2 % m1 < n1 && i % m2 < n2; }

/* y, what the map gives to P_M: 2 P_S x - x. The other maps give x itself and do without this kernel. */
extern "C" __global__ void reflect(const float *x, float *y, size_t size) {
    const size_t i = own_number();
    if (i < size) y[i] = inside_box(i) ? 2.0f * project(x[i]) - x[i] : -x[i];
}

/* z with the measured magnitudes, and with the factor of the inverse transform. */
extern "C" __global__ void constrain(Complex *z, const float *magnitude, size_t size) {
    const size_t i = own_number();
    if (i < size) z[i] = corrected(z[i], magnitude[i] / ((float)m1 * (float)m2));
}

/* The new x from the old one and p = P_M z. */
extern "C" __global__ void renew(float *x, const float *p, float beta, size_t size) {
    const size_t i = own_number();
    if (i >= size) return;
    float now = x[i];
    if (inside_box(i))
        update(now, p[i], beta);
    else
        now = update_outside(now, p[i], beta);
    x[i] = now;
}
