/* Counts calls of malloc, calloc, realloc and their aligned kin; one line at exit.
 *
 * Use: LD_PRELOAD=./malloc_count.so MALLOC_COUNT_FILE=out program
 * The line goes to MALLOC_COUNT_FILE, or to standard error. `free` is not counted. Works with programs that link
 * glibc dynamically and end by exit(). It calls glibc's own __libc_ names: dlsym would allocate. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_ulong mallocs, callocs, reallocs, aligned;

static void count(atomic_ulong *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

void *malloc(size_t size) {
    count(&mallocs);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(&callocs);
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
    count(&reallocs);
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    count(&aligned);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(&aligned);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    count(&aligned);
    int saved = errno;
    void *result = __libc_memalign(alignment, size);
    errno = saved;
    if (!result) return ENOMEM;
    *block = result;
    return 0;
}

__attribute__((destructor)) static void report(void) {
    char line[160];
    int size = snprintf(line, sizeof line, "allocations malloc=%lu calloc=%lu realloc=%lu aligned=%lu\n",
                        atomic_load(&mallocs), atomic_load(&callocs), atomic_load(&reallocs), atomic_load(&aligned));
    const char *path = getenv("MALLOC_COUNT_FILE");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : STDERR_FILENO;
    if (file < 0 || write(file, line, (size_t)size) != size) _exit(111);
}
