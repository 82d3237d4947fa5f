/* Faults of disk and clock on demand: a library to preload, which stands between SQLite, Python and the kernel.

   FAULTS_CONTROL names a file that all processes and the test have mapped: which files of FAULTS_FOLDER have which
   fault, how slow they reach the disk, and how wrong the time of day is. Calls on those files fail as it says, and syncs that succeed are counted
   there. Everything else is left alone, also the clocks that nobody can set.

   Calls go to the kernel by syscall(2): nothing has to be looked up, allocated or locked, so any thread may come in
   at any time, also before main() and between fork() and exec(). Linux with 64 bits only. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* As tests/faults/__init__.py has them. */
enum { DISK_FULL = 1, BROKEN_WRITE = 2, BROKEN_SYNC = 4, READ_ONLY = 8 };
enum { SLOTS = 8 };

struct slot {
    char name[48]; /* with which the names of its files start; empty: the slot is not used */
    uint32_t fault, delay; /* milliseconds that each sync takes longer */
    uint64_t refused, syncs;
};

struct control {
    int64_t clock_off; /* seconds */
    struct slot slots[SLOTS];
};

static struct control *control;
static char folder[4096];
static size_t folder_length;

/* At the start of a program; tests/zygote.py has each process that it forks call it, with its own environment. */
__attribute__((constructor)) void map_control(void) {
    const char *where = getenv("FAULTS_FOLDER"), *path = getenv("FAULTS_CONTROL");
    if (!where || !path)
        return;
    folder_length = (size_t)snprintf(folder, sizeof folder, "%s/", where);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED || folder_length >= sizeof folder) {
        perror("preload.c: FAULTS_CONTROL cannot be used");
        _exit(1);
    }
    syscall(SYS_close, fd);
    control = at;
}

static uint32_t fault_of(const struct slot *slot) { return __atomic_load_n(&slot->fault, __ATOMIC_ACQUIRE); }

/* The first slot that is about `path` and has one of `faults`; with 0, the first that is about it at all. */
static struct slot *slot_of_path(const char *path, uint32_t faults) {
    if (strncmp(path, folder, folder_length))
        return NULL;
    for (struct slot *slot = control->slots; slot < control->slots + SLOTS && slot->name[0]; slot++)
        if ((!faults || faults & fault_of(slot)) && !strncmp(path + folder_length, slot->name, strlen(slot->name)))
            return slot;
    return NULL;
}

static struct slot *slot_of_file(int fd, uint32_t faults) {
    char link[32] = "/proc/self/fd/", path[sizeof folder], digits[12] = "";
    char *digit = digits + sizeof digits - 1;
    for (unsigned rest = (unsigned)fd; rest || !*digit; rest /= 10)
        *--digit = (char)('0' + rest % 10);
    strcat(link, digit);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0)
        return NULL;
    path[length] = 0;
    return slot_of_path(path, faults);
}

/* Asked first: as long as nothing is to fail, no call needs to know its path. */
static int any(uint32_t faults) {
    for (int i = 0; control && i < SLOTS; i++)
        if (faults & fault_of(control->slots + i))
            return 1;
    return 0;
}

static int refuse(struct slot *slot) {
    __atomic_add_fetch(&slot->refused, 1, __ATOMIC_RELAXED);
    switch (fault_of(slot)) {
    case DISK_FULL:
        errno = ENOSPC;
        break;
    case READ_ONLY:
        errno = EROFS;
        break;
    default:
        errno = EIO;
    }
    return -1;
}

/* The slot that has one of `faults` for this file, or NULL; errno stays as it was. */
static struct slot *fault_on(int fd, uint32_t faults) {
    int before = errno;
    struct slot *slot = any(faults) ? slot_of_file(fd, faults) : NULL;
    errno = before;
    return slot;
}

/* A full disk refuses every write, also to what is there already: on some file systems that takes room as well. */
enum { WRITING = DISK_FULL | BROKEN_WRITE | READ_ONLY, SHRINKING = BROKEN_WRITE | READ_ONLY };

ssize_t write(int fd, const void *data, size_t size) {
    struct slot *slot = fault_on(fd, WRITING);
    return slot ? refuse(slot) : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    struct slot *slot = fault_on(fd, WRITING);
    return slot ? refuse(slot) : syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int ftruncate64(int fd, off64_t size) {
    struct slot *slot = fault_on(fd, SHRINKING);
    return slot ? refuse(slot) : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static void take_longer(uint32_t milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (milliseconds && syscall(SYS_nanosleep, &left, &left) && errno == EINTR)
        ;
}

static int sync_file(long number, int fd) {
    struct slot *slot = fault_on(fd, BROKEN_SYNC);
    if (slot)
        return refuse(slot);
    int before = errno;
    slot = control ? slot_of_file(fd, 0) : NULL;
    errno = before;
    if (slot)
        take_longer(__atomic_load_n(&slot->delay, __ATOMIC_ACQUIRE));
    int result = (int)syscall(number, fd);
    if (slot && !result)
        __atomic_add_fetch(&slot->syncs, 1, __ATOMIC_RELAXED);
    return result;
}

int fsync(int fd) { return sync_file(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_file(SYS_fdatasync, fd); }

/* On a disk that can only be read, who wants to write is refused when they open; SQLite then opens to read. */
static int open_file(const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    struct slot *slot = writes && any(READ_ONLY) ? slot_of_path(path, READ_ONLY) : NULL;
    return slot ? refuse(slot) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* The mode is there only where a file may be made. */
#define OPEN(name)                                                                    \
    int name(const char *path, int flags, ...) {                                      \
        mode_t mode = 0;                                                              \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                    \
            va_list rest;                                                             \
            va_start(rest, flags);                                                    \
            mode = va_arg(rest, mode_t);                                              \
            va_end(rest);                                                             \
        }                                                                             \
        return open_file(path, flags, mode);                                          \
    }

OPEN(open)
OPEN(open64)

/* The time of day, which somebody has set. */
static time_t now_is_off_by(void) {
    return control ? (time_t)__atomic_load_n(&control->clock_off, __ATOMIC_ACQUIRE) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += now_is_off_by();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = (int)syscall(SYS_gettimeofday, now, zone);
    if (!result)
        now->tv_sec += now_is_off_by();
    return result;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}
