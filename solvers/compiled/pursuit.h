/* From a start to its end: iterations of one image, and now and then a look at the residual.
 *
 * What solvers/iterative/loop.py does with a block of images. Done here, threads meet in the interpreter once for each
 * start, and an image is loaded once.
 */

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

/* For `batch` images; the last three are results. */
struct Pursuit {
    const int *limit; /* (batch) iterations, at most */
    int every;        /* iterations between two looks at the residual */
    double tolerance; /* of the residual: an image that reaches it is finished */
    int *age;         /* (batch) iterations done */
    float *residual;  /* (batch) the smallest that was seen; left as it is where none was finite */
    float *estimate;  /* (batch, m1, m2) the image that it belongs to; likewise */
};

/* std::isfinite is always true under -ffast-math. */
static inline bool is_finite(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

/* The start of image number `image`, of so many numbers. `advance` does that many iterations, `look` gives the residual
 * of the image that the iterate stands for, and `give` writes that image. An iterate that is not finite the first time
 * is lost, and given up. */
template <typename Advance, typename Look, typename Give>
static void pursue(const Pursuit *it, int image, size_t numbers, Advance advance, Look look, Give give) {
    const int limit = it->limit[image];
    int age = 0;
    bool found = false;
    float best = 0;
    do {
        const int count = std::min(it->every, limit - age);
        advance(count);
        age += count;
        const float residual = look();
        if (is_finite(residual) && (!found || residual < best)) {
            best = it->residual[image] = residual;
            found = true;
            give(it->estimate + image * numbers);
        }
    } while (age < limit && found && best > it->tolerance);
    it->age[image] = age;
}
