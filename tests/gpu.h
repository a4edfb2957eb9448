/* What a CUDA kernel needs to run on a CPU: every thread of a block is a fiber that runs until its next barrier.
 *
 * Between two barriers the fibers of a block run one after the other, forwards, backwards or from the middle: a kernel
 * that lacks a barrier gives another result in one of these orders. Shared memory is full of NaN before a block begins.
 */

#include <ucontext.h>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct Three {
    int x, y, z;
};

static Three threadIdx, blockIdx, blockDim, gridDim;

static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

static inline void sincospi(double x, double *sine, double *cosine) {
    *sine = sin(M_PI * x);
    *cosine = cos(M_PI * x);
}

namespace gpu {

enum Wait { RUN, AT_WARP, AT_BLOCK, OVER };

struct Fiber {
    ucontext_t context;
    Wait wait;
};

static std::vector<Fiber> fibers;
static std::vector<char> stacks;
static ucontext_t scheduler;
static int current;
static void (*body)();

static void pause(Wait wait) {
    fibers[current].wait = wait;
    swapcontext(&fibers[current].context, &scheduler);
}

static void run_body() {
    body();
    pause(OVER);
}

/* Fibers [first, last) that wait for each other at a barrier go on once all of them have come to it. */
static bool release(int first, int last, Wait wait) {
    bool any = false;
    for (int i = first; i < last; i++) {
        if (fibers[i].wait != wait && fibers[i].wait != OVER) return false;
        any = any || fibers[i].wait == wait;
    }
    for (int i = first; i < last; i++)
        if (fibers[i].wait == wait) fibers[i].wait = RUN;
    return any;
}

/* One block of `threads` threads; `order` says which fiber is looked at first. */
static void run_block(int threads, int order) {
    constexpr size_t stack = 1 << 18;
    fibers.resize(threads);
    stacks.resize(stack * threads);
    for (int i = 0; i < threads; i++) {
        getcontext(&fibers[i].context);
        fibers[i].context.uc_stack.ss_sp = stacks.data() + stack * i;
        fibers[i].context.uc_stack.ss_size = stack;
        makecontext(&fibers[i].context, run_body, 0);
        fibers[i].wait = RUN;
    }
    for (bool going = true; going;) {
        going = false;
        for (int i = 0; i < threads; i++) {
            current = order == 0 ? i : order == 1 ? threads - 1 - i : (i + threads / 2) % threads;
            if (fibers[current].wait != RUN) continue;
            threadIdx = {current, 0, 0};
            swapcontext(&scheduler, &fibers[current].context);
            going = true;
        }
        for (int i = 0; i < threads; i += 32) going |= release(i, i + 32 < threads ? i + 32 : threads, AT_WARP);
        going |= release(0, threads, AT_BLOCK);
    }
    for (int i = 0; i < threads; i++)
        if (fibers[i].wait != OVER) {
            std::fprintf(stderr, "thread %d waits at a barrier that others never reach\n", i);
            std::abort();
        }
}

constexpr size_t most_shared = 1 << 18;

/* All blocks of a launch, one after the other; they write to no more shared memory than they asked for. */
static void launch(int blocks, int threads, int order, void (*kernel)(), void *shared, size_t shared_bytes) {
    body = kernel;
    blockDim = {threads, 1, 1};
    gridDim = {blocks, 1, 1};
    for (int i = 0; i < blocks; i++) {
        blockIdx = {i, 0, 0};
        std::memset(shared, 0xff, most_shared);
        run_block(threads, order);
        for (size_t at = shared_bytes; at < most_shared; at++)
            if (static_cast<unsigned char *>(shared)[at] != 0xff) {
                std::fprintf(stderr, "byte %zu of shared memory was written, of %zu\n", at, shared_bytes);
                std::abort();
            }
    }
}

} // namespace gpu

static inline void __syncthreads() {
    const Three me = threadIdx;
    gpu::pause(gpu::AT_BLOCK);
    threadIdx = me;
}

static inline void __syncwarp() {
    const Three me = threadIdx;
    gpu::pause(gpu::AT_WARP);
    threadIdx = me;
}
